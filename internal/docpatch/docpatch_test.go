package docpatch

import (
	"errors"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/splice"
)

var lim = splice.Limits{}

func equal(a, b string) bool {
	same, err := splice.Equal([]byte(a), []byte(b), lim)
	return err == nil && same
}

// TestMergeRFC has the cases of RFC 7396, appendix A.
func TestMergeRFC(t *testing.T) {
	for _, test := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`}, {`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`}, {`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`}, {`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`}, {`{"a":"b"}`, `["c"]`, `["c"]`}, {`{"a":"foo"}`, `null`, `null`}, {`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`}, {`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`}, {`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := Merge([]byte(test[0]), []byte(test[1]), lim)
		if err != nil || !equal(string(got), test[2]) {
			t.Errorf("Merge(%s, %s) = %s, %v; want %s", test[0], test[1], got, err, test[2])
		}
	}
}

func TestMergeKeepsTheRest(t *testing.T) {
	const old = "{\n  \"b\": 1.10,\n  \"a\": {\"x\": 12345678901234567890, \"y\": [1.0]},\n  " +
		"\"c\": 0\n}\n"
	got, err := Merge([]byte(old), []byte(`{"c":null,"a":{"z":{"k":null},"y":[1]},"new":true}`),
		lim)
	want := "{\n  \"b\": 1.10,\n  \"a\": {\"x\": 12345678901234567890, \"y\": [1], \"z\": " +
		"{}},\n  \"new\": true\n}\n"
	if err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if got, err := Merge(nil, []byte(`{"a":1,"b":null}`), lim); err != nil ||
		string(got) != "{\"a\":1}\n" {
		t.Errorf("of nothing: %q, %v", got, err)
	}
	for _, test := range [][2]string{{"{}", "{"}, {"{", "{}"}, {"{}", ""},
		{"{}", `{"a":1,"a":2}`}} {
		if got, err := Merge([]byte(test[0]), []byte(test[1]), lim); err == nil {
			t.Errorf("Merge(%s, %s) = %s", test[0], test[1], got)
		}
	}
}

// TestApplyRFC has the cases of RFC 6902, appendix A, and more; an empty want is an
// error.
func TestApplyRFC(t *testing.T) {
	for _, test := range []struct{ name, doc, patch, want string }{
		{"A.1", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"baz":"qux","foo":"bar"}`},
		{"A.2", `{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`},
		{"A.3", `{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`},
		{"A.4", `{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`},
		{"A.5", `{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`},
		{"A.6", `{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, `[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`},
		{"A.7", `{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","cows","eat","grass"]}`},
		{"A.8", `{"baz":"qux","foo":["a",2,"c"]}`, `[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`},
		{"A.9", `{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, ""},
		{"A.10", `{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"foo":"bar","child":{"grandchild":{}}}`},
		{"A.11", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","xyz":123}]`, `{"foo":"bar","baz":"qux"}`},
		{"A.12", `{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, ""},
		{"A.13", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","op":"remove"}]`, ""},
		{"A.14", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`},
		{"A.15", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":"10"}]`, ""},
		{"A.16", `{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`},
		{"replace the whole", `{"a":1}`, `[{"op":"replace","path":"","value":[1]}]`, `[1]`},
		{"copy", `{"a":{"b":1}}`, `[{"op":"copy","from":"/a","path":"/c"}]`, `{"a":{"b":1},"c":{"b":1}}`},
		{"null value", `{"a":1}`, `[{"op":"add","path":"/b","value":null}]`, `{"a":1,"b":null}`},
		{"test null", `{"a":null}`, `[{"op":"test","path":"/a","value":null}]`, `{"a":null}`},
		{"test numbers by worth", `{"a":1.0}`, `[{"op":"test","path":"/a","value":1}]`, `{"a":1.0}`},
		{"array document", `[1,2]`, `[{"op":"remove","path":"/0"}]`, `[2]`},
		{"remove what is absent", `{"a":1}`, `[{"op":"remove","path":"/b"}]`, ""},
		{"replace what is absent", `{"a":1}`, `[{"op":"replace","path":"/b","value":1}]`, ""},
		{"negative index", `[1,2]`, `[{"op":"remove","path":"/-1"}]`, ""},
		{"index beyond the end", `[1]`, `[{"op":"add","path":"/2","value":1}]`, ""},
		{"index with leading zero", `[1,2]`, `[{"op":"remove","path":"/01"}]`, ""},
		{"all or nothing", `{"a":1}`, `[{"op":"add","path":"/b","value":1},{"op":"remove","path":"/c"}]`, ""},
		{"no operations", `{"a":1}`, `[]`, `{"a":1}`},
		{"no list", `{"a":1}`, `{"op":"remove","path":"/a"}`, ""},
		{"no op", `{"a":1}`, `[{"path":"/a"}]`, ""}, {"unknown op", `{"a":1}`, `[{"op":"spam","path":"/a"}]`, ""},
		{"no path", `{"a":1}`, `[{"op":"remove"}]`, ""}, {"no value", `{"a":1}`, `[{"op":"add","path":"/b"}]`, ""}, {"no from", `{"a":1}`, `[{"op":"move","path":"/b"}]`, ""},
		{"path without slash", `{"a":1}`, `[{"op":"remove","path":"a"}]`, ""},
		{"move into itself", `{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":"/a/c"}]`, ""},
		{"a bad escape", `{"~2":1}`, `[{"op":"remove","path":"/~2"}]`, ""},
		{"an empty key", `{"":{"":1}}`, `[{"op":"replace","path":"//","value":2}]`, `{"":{"":2}}`},
		{"through a scalar", `{"a":1}`, `[{"op":"add","path":"/a/b","value":1}]`, ""},
		{"move to where it is", `{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`},
		{"the end of an array", `[1]`, `[{"op":"replace","path":"/-","value":1}]`, ""},
		{"doubling", `[[1]]`, `[` + strings.Repeat(`{"op":"copy","from":"","path":"/0"},`, 40) + `{"op":"test","path":"","value":0}]`, ""},
		{"not JSON", `{"a":1}`, `[`, ""}, {"null operation", `{"a":1}`, `[null]`, ""}, {"scalar document", `5`, `[{"op":"replace","path":"","value":6}]`, `6`},
		{"a large number", `{"a":12345678901234567890,"b":1}`, `[{"op":"move","from":"/a","path":"/c"}]`, `{"b":1,"c":12345678901234567890}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Apply([]byte(test.doc), []byte(test.patch), lim)
			if test.want == "" {
				if err == nil {
					t.Errorf("Apply(%s, %s) = %s", test.doc, test.patch, got)
				}
				return
			}
			if err != nil || !equal(string(got), test.want) {
				t.Errorf("Apply(%s, %s) = %s, %v; want %s", test.doc, test.patch, got, err,
					test.want)
			}
		})
	}
	_, err := Apply([]byte(`{"a":1}`), []byte(`[{"op":"test","path":"/a","value":2}]`), lim)
	if !errors.Is(err, ErrTest) {
		t.Errorf("a test that fails: %v", err)
	}
}

func TestApplyKeepsTheRest(t *testing.T) {
	const old = "{\n  \"b\": 1.10,\n  \"a\": [12345678901234567890, \"<\\u00e9>\"],\n  " +
		"\"c\": 0\n}\n"
	got, err := Apply([]byte(old), []byte(`[{"op":"replace","path":"/c","value":"<"},{"op":"add","path":"/a/-","value":1}]`), lim)
	want := strings.Replace(strings.Replace(old, "0\n}", "\"<\"\n}", 1), `>"]`, `>", 1]`, 1)
	if err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// FuzzApply: no input panics, and every result is a valid document.
func FuzzApply(f *testing.F) {
	f.Add([]byte(`{"a":[1]}`), []byte(`[{"op":"move","from":"/a/0","path":"/b"}]`))
	f.Add([]byte(`[1]`), []byte(`[{"op":"copy","from":"","path":"/-"}]`))
	f.Fuzz(func(t *testing.T, doc, patch []byte) {
		if got, err := Apply(doc, patch, lim); err == nil && splice.Check(got, lim) != nil {
			t.Errorf("Apply(%q, %q) = %q", doc, patch, got)
		}
		if got, err := Merge(doc, patch, lim); err == nil && splice.Check(got, lim) != nil {
			t.Errorf("Merge(%q, %q) = %q", doc, patch, got)
		}
	})
}

// TestCheck: a patch that no document makes applicable is found without one.
func TestCheck(t *testing.T) {
	for patch, want := range map[string]string{
		`[{"op":"add","path":"/a/b","value":1},{"op":"remove","path":""}]`: "",
		`[]`:                                     "",
		`{}`:                                     "is an object, not an array",
		`[`:                                      "is not JSON",
		`[{"op":"remove","path":"/a"},7]`:        "operation 1 () of the patch: it is a number",
		`[{"op":"add","path":"/a"}]`:             `operation 0 (add) of the patch: it has no "value"`,
		`[{"op":"remove","path":"a"}]`:           "does not begin with /",
		`[{"op":"remove","path":"/~2"}]`:         "neither ~0 nor ~1",
		`[{"op":"move","from":"x","path":"/a"}]`: "does not begin with /",
		`[{"op":"put","path":"/a"}]`:             `there is no operation "put"`,
	} {
		err := Check([]byte(patch), lim)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", patch, err, want)
		}
	}
}
