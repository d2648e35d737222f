// Laws of edits: layout, inverses, and limits.

package docpath

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// TestLayouts: new values get the layout of the rest, and the rest stays.
func TestLayouts(t *testing.T) {
	for name, docs := range map[string][4]string{
		"two blanks": {
			"{\n  \"a\": {\n    \"n\": 1.0\n  },\n  \"l\": [\n    1\n  ]\n}\n",
			"{\n  \"a\": {\n    \"n\": 1.0,\n    \"m\": {\n      \"x\": 1\n    }\n  },\n  \"l\": [\n    1\n  ]\n}\n",
			"{\n  \"a\": {\n    \"n\": 1.0\n  },\n  \"l\": [\n    1,\n    2\n  ]\n}\n",
			"{\n  \"l\": [\n    1\n  ]\n}\n",
		},
		"tabs": {
			"{\n\t\"a\": {\n\t\t\"n\": 1.0\n\t},\n\t\"l\": [1]\n}",
			"{\n\t\"a\": {\n\t\t\"n\": 1.0,\n\t\t\"m\": {\n\t\t\t\"x\": 1\n\t\t}\n\t},\n\t\"l\": [1]\n}",
			"{\n\t\"a\": {\n\t\t\"n\": 1.0\n\t},\n\t\"l\": [1, 2]\n}",
			"{\n\t\"l\": [1]\n}",
		},
		"compact":  {`{"a":{"n":1.0},"l":[1]}`, `{"a":{"n":1.0,"m":{"x":1}},"l":[1]}`, `{"a":{"n":1.0},"l":[1,2]}`, `{"l":[1]}`},
		"one line": {`{"a": {"n": 1.0}, "l": [1]}`, `{"a": {"n": 1.0, "m": {"x": 1}}, "l": [1]}`, `{"a": {"n": 1.0}, "l": [1, 2]}`, `{"l": [1]}`},
	} {
		t.Run(name, func(t *testing.T) {
			before := []byte(docs[0])
			set, err := Set(before, "a.m.x", []byte(" 1 "), splice.KeepOld, lim)
			if err != nil || string(set) != docs[1] {
				t.Errorf("Set: %q, %v\nwant %q", set, err, docs[1])
			}
			appended, err := Append(before, "l", []byte(" 2\n"), lim)
			if err != nil || string(appended) != docs[2] {
				t.Errorf("Append: %q, %v\nwant %q", appended, err, docs[2])
			}
			deleted, _, err := Delete(before, "a", lim)
			if err != nil || string(deleted) != docs[3] {
				t.Errorf("Delete: %q, %v\nwant %q", deleted, err, docs[3])
			}
			back, _, err := Delete(set, "a.m", lim)
			if err != nil || string(back) != docs[0] {
				t.Errorf("Set and Delete: %q, %v", back, err)
			}
			if string(before) != docs[0] {
				t.Error("an edit changed the document that it got")
			}
		})
	}
}

// TestSetThenDelete: Set of a new member and Delete restore the bytes, except for
// blanks in an empty container.
func TestSetThenDelete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := tree(3).Draw(t, "doc")
		doc, err := json.Marshal(value)
		if rapid.Bool().Draw(t, "indent") {
			doc, err = json.MarshalIndent(value, "",
				rapid.SampledFrom([]string{"  ", "\t"}).Draw(t, "by"))
		}
		if err != nil {
			t.Fatal(err)
		}
		path := rapid.StringMatching(`([a-c]|[01])(\.([a-c]|[01]|-1)){0,2}\.new`).Draw(t, "path")
		raw, err := json.Marshal(tree(2).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		i := strings.LastIndexByte(path, '.')
		parent, found, err := Get(doc, path[:i], lim)
		if err != nil || !found || parent[0] != '{' || strings.Contains(path, "-1") {
			return // Set also makes parents
		}
		edited, err := Set(doc, path, raw, splice.KeepOld, lim)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Get(edited, path, lim)
		if same, _ := splice.Equal(got, raw, lim); err != nil || !same {
			t.Fatalf("Set(%s, %q, %s) = %s, where Get finds %s, %v", doc, path, raw, edited, got,
				err)
		}
		back, found, err := Delete(edited, path, lim)
		if err != nil || !found || !bytes.Equal(back, doc) {
			t.Fatalf("Set(%s, %q, %s) and Delete = %s, %v, %v", doc, path, raw, back, found, err)
		}
	})
}

// TestMinusOne: to Set, -1 is the place after the last element; to the others it is the
// last, at any place in the path.
func TestMinusOne(t *testing.T) {
	add := func(doc, path, want string) {
		t.Helper()
		if got, _, err := Add([]byte(doc), path, "1", lim); err != nil || string(got) != want {
			t.Errorf("Add(%s, %q) = %s, %v; want %s", doc, path, got, err, want)
		}
	}
	add(`{"a": [{}, {"b": 1}]}`, "a.-1.b", `{"a": [{}, {"b": 2}]}`)
	add(`{"a": [{"b": 1}, {}]}`, "a.-1.b", `{"a": [{"b": 1}, {"b": 1}]}`)
	add(`{"a": []}`, "a.-1.b", `{"a": [{"b": 1}]}`)
	add(`{"a": [[1], []]}`, "a.-1.-1", `{"a": [[1], [1]]}`)
	got, err := Append([]byte(`{"a": [{}]}`), "a.-1.log", []byte("1"), lim)
	if err != nil || string(got) != `{"a": [{"log": [1]}]}` {
		t.Errorf("Append: %s, %v", got, err)
	}
}

// TestDepth: an edit does not make a document deeper than the limit.
func TestDepth(t *testing.T) {
	lim := splice.Limits{Depth: 4}
	for _, test := range []struct {
		doc, path, value string
		fits             bool
	}{
		{`{"a": {"b": {}}}`, "a.b.c", "[]", true}, {`{"a": {"b": {}}}`, "a.b.c", "[[]]", false}, {`{"a": {"b": {}}}`, "a.b.c.d", "1", true}, {`{"a": {"b": {}}}`, "a.b.c.d.e", "1", false},
		{"", "a.b.c.d", "1", true}, {"", "a.b.c.d.e", "1", false}, {`{"a": {"b": 1}}`, "a.b", "[[[]]]", false}, {"null", "a.b.c.d.e", "1", false}, {"[[[]]]", "0.0.-1", "[[]]", false},
	} {
		got, err := Set([]byte(test.doc), test.path, []byte(test.value), splice.KeepOld, lim)
		if (err == nil) != test.fits || err == nil && splice.Check(got, lim) != nil ||
			err != nil && got != nil {
			t.Errorf("Set(%s, %q, %s) = %s, %v", test.doc, test.path, test.value, got, err)
		}
	}
	for path, fits := range map[string]bool{"a.b": true, "a.b.c.d": false, "a.l": false} {
		if got, err := Append([]byte(`{"a": {"l": [], "b": []}}`), path,
			[]byte(map[bool]string{true: "[]", false: "[[]]"}[fits]), lim); (err == nil) != fits {
			t.Errorf("Append(%q) = %s, %v", path, got, err)
		}
	}
	if got, err := Append([]byte(`{"a": {"l": []}}`), "a.l", []byte("\n[[]]"), lim); err == nil {
		t.Errorf("Append = %s", got)
	}
	if got, _, err := Add([]byte(`{}`), "a.b.c.d.e", "1", lim); err == nil {
		t.Errorf("Add = %s", got)
	}
}

// TestAbsent: reads of and removals from an absent document find no value.
func TestAbsent(t *testing.T) {
	if got, found, err := Get(nil, "a", lim); got != nil || found || err != nil {
		t.Errorf("Get: %s, %v, %v", got, found, err)
	}
	if got, found, err := Delete(nil, "a", lim); got != nil || found || err != nil {
		t.Errorf("Delete: %s, %v, %v", got, found, err)
	}
	for _, path := range []string{"", "\xff", "a.\xc3"} {
		var unusable *Error
		if got, err := Set(nil, path, []byte("1"), splice.KeepOld, lim); !errors.As(err,
			&unusable) {
			t.Errorf("Set(%q) = %s, %v", path, got, err)
		}
	}
}

// FuzzPath: a joined path is split into exactly its keys, and none of them is an index.
func FuzzPath(f *testing.F) {
	for _, key := range []string{"", "0", "-1", "a.b", ":", ":a", `\`, `"`, "*", "@this", "a|b",
		"#", "é", "\x00", "é.?"} {
		f.Add(key, "x", key)
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		keys := []string{a, b, c}
		path := Join(keys...)
		steps, err := parseEdit(path)
		if !utf8.ValidString(a + "|" + b + "|" + c) {
			if err == nil {
				t.Fatalf("%q is not UTF-8, and a path", path)
			}
			return
		}
		if err != nil || len(steps) != len(keys) {
			t.Fatalf("Join(%q) = %q, which is split into %v, %v", keys, path, steps, err)
		}
		for i, s := range steps {
			if _, isIndex := s.index(); s.key != keys[i] || isIndex {
				t.Fatalf("Join(%q) = %q, which is split into %v", keys, path, steps)
			}
		}
		doc, err := Set(nil, path, []byte("[1]"), splice.KeepOld, lim)
		if err != nil {
			t.Fatal(err)
		}
		if got, found, err := Get(doc, path, lim); err != nil || !found || string(got) != "[1]" {
			t.Fatalf("Get(%s, %q) = %s, %v, %v", doc, path, got, found, err)
		}
		if _, found, err := Delete(doc, path, lim); err != nil || !found {
			t.Fatalf("Delete(%s, %q): %v, %v", doc, path, found, err)
		}
	})
}
