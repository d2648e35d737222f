package docpath

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/sjson"
	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/internal/splice"
)

var lim = splice.Limits{}

const doc = `{"a": {"b": [1, 2.50, "x"]}, "n": null, "s": "t", "users.x": 1, "": {"": 2}, "7": true, ":c": 3, "*": 4, "q\"": 5, "@at": 6, "#h": 7, "e\u00e9": 8, "-1": 9, "back\\": 10}`

func TestGet(t *testing.T) {
	for path, want := range map[string]string{
		"a.b.0": "1", "a.b.1": "2.50", "a.b.-1": `"x"`, "n": "null", "a": `{"b": [1, 2.50, "x"]}`, `users\.x`: "1", ":.": "2",
		"7": "true", ":7": "true", "::c": "3", `\:c`: "3", `\*`: "4", `q"`: "5", `\@at`: "6", `\#h`: "7", "eé": "8", "-1": "9", ":-1": "9", `back\\`: "10",
		"@this": doc, "a.b.#": "3", "a.*.0": "1", "a|b|1": "2.50", "a.b.#(>1)": "2.50", "{s,n}": `{"s":"t","n":null}`,
		":..": "", "a.b.3": "", "a.b.x": "", "a.c": "", "s.x": "", "a.b.00": "", "a.b.:0": "", "missing.#": "", "n.x": "", "a.b.99999999999999999999": "",
	} {
		got, found, err := Get([]byte(doc), path, lim)
		if err != nil || string(got) != want || found != (want != "") {
			t.Errorf("Get(%q) = %s, %v, %v; want %s", path, got, found, err, want)
		}
	}
	for _, path := range []string{"", `a\`, "*" + strings.Repeat("[", 5000)} {
		var unusable *Error
		if _, _, err := Get([]byte(doc), path, lim); !errors.As(err, &unusable) {
			t.Errorf("Get(%.20q): %v", path, err)
		}
	}
	for _, path := range []string{"a", "a.#"} {
		if _, _, err := Get([]byte(`{"a":`), path, lim); err == nil {
			t.Errorf("Get(%q) of invalid JSON went well", path)
		}
	}
}

func TestSet(t *testing.T) {
	for _, test := range []struct{ doc, path, value, want string }{
		{"", "count", "1", "{\"count\":1}\n"},
		{"", "a.b.c", `"x"`, "{\"a\":{\"b\":{\"c\":\"x\"}}}\n"},
		{"", "a.-1", "1", "{\"a\":[1]}\n"},
		{"", "a.0.b", "1", "{\"a\":[{\"b\":1}]}\n"},
		{"", "@this", "[1]", "[1]\n"},
		{`{}`, "a", "1", `{"a":1}`},
		{`{"a": 1}`, "a", "2", `{"a": 2}`},
		{`{"a": 1.10}`, "a", "1.1", `{"a": 1.10}`},
		{`{"a": 1}`, "b", `{"c":1}`, `{"a": 1, "b": {"c": 1}}`},
		{"{\n  \"a\": {}\n}\n", "a.b.c", "1", "{\n  \"a\": {\n    \"b\": {\n      \"c\": 1\n    }\n  }\n}\n"},
		{`{"a": {"x": 1.0, "y": 2}}`, "a", `{"x":1,"z":3}`, `{"a": {"x": 1.0, "z": 3}}`},
		{`{"a": [1]}`, "a.1", "2", `{"a": [1, 2]}`},
		{`{"a": [1]}`, "a.-1", "2", `{"a": [1, 2]}`},
		{`{"a": [1]}`, "a.0", "2", `{"a": [2]}`},
		{`{"a": [1]}`, "a.-1.b", "2", `{"a": [1, {"b": 2}]}`},
		{`{"a": null}`, "a.b", "1", `{"a": {"b": 1}}`},
		{`{"a": 1}`, `b\.c`, "1", `{"a": 1, "b.c": 1}`},
		{`{"a": 1}`, `:5`, "1", `{"a": 1, "5": 1}`},
		{`{"a": 1}`, `5`, "1", `{"a": 1, "5": 1}`},
		{`{"a": 1}`, ":", "1", `{"a": 1, "": 1}`},
		{`{"a": 1}`, "a", "12345678901234567890", `{"a": 12345678901234567890}`},
		{`[1]`, "-1", "2", `[1,2]`},
		{`5`, "@this", "6", `6`},
	} {
		got, err := Set([]byte(test.doc), test.path, []byte(test.value), splice.KeepOld, lim)
		if err != nil || string(got) != test.want {
			t.Errorf("Set(%s, %q, %s) = %q, %v; want %q", test.doc, test.path, test.value, got,
				err, test.want)
		}
	}
}

// TestSpelling: an equal value that a user wrote is spelled as given.
func TestSpelling(t *testing.T) {
	for _, test := range []struct{ doc, path, value, keep, given string }{
		{`{"n": 1}`, "n", "1.0", `{"n": 1}`, `{"n": 1.0}`},
		{`{"n": 100}`, "n", "1e2", `{"n": 100}`, `{"n": 1e2}`},
		{`{"n": 0}`, "n", "-0", `{"n": 0}`, `{"n": -0}`},
		{`{"s": "\u00e9"}`, "s", `"é"`, `{"s": "\u00e9"}`, `{"s": "é"}`},
		{`{"o": { "b": 1, "a": [1.0, {"x":2}] }}`, "o", `{"a":[1,{"x":2.0}],"b":1}`, `{"o": { "b": 1, "a": [1.0, {"x":2}] }}`, `{"o": { "b": 1, "a": [1, {"x":2.0}] }}`},
		{`{"l": [1, 2, 3]}`, "l", `[0, 1.0, 2.0, 3]`, `{"l": [0, 1, 2, 3]}`, `{"l": [0, 1.0, 2.0, 3]}`},
		{`[1.0,2]`, "@this", `[1,2]`, `[1.0,2]`, `[1,2]`},
	} {
		got, err := Set([]byte(test.doc), test.path, []byte(test.value), splice.KeepOld, lim)
		if err != nil || string(got) != test.keep {
			t.Errorf("Set(%s, %s) = %s, %v; want %s", test.doc, test.value, got, err, test.keep)
		}
		got, err = Set([]byte(test.doc), test.path, []byte(test.value), splice.AsGiven, lim)
		if err != nil || string(got) != test.given {
			t.Errorf("Set(%s, %s), as given = %s, %v; want %s", test.doc, test.value, got, err,
				test.given)
		}
	}
}

func TestEditsRefuse(t *testing.T) {
	const usage, content = true, false
	for _, test := range []struct {
		doc, path, value string
		kind             bool
		want             string
	}{
		{doc, "", "1", usage, "it is empty"},
		{doc, "a.b.5000000", "1", usage, "has 3 elements"},
		{doc, "a.b.99999999999999999999", "1", usage, "has 3 elements"},
		{doc, "new.5000000", "1", usage, "there is no array for the index 5000000 yet"},
		{doc, "a.b.x", "1", usage, "takes an index"},
		{doc, "a.b.01", "1", usage, "takes an index"},
		{doc, "a.*", "1", usage, "query"}, {doc, "a.#", "1", usage, "query"}, {doc, "a|b", "1", usage, "query"}, {doc, "@pretty", "1", usage, "query"},
		{doc, "a?", "1", usage, "query"}, {doc, "!1", "1", usage, "query"}, {doc, "{a}", "1", usage, "query"}, {doc, "[a]", "1", usage, "query"},
		{doc, `a\`, "1", usage, "backslash"}, {doc, "\xd5", "1", usage, "UTF-8"},
		{doc, "s.x", "1", content, "s is a string"},
		{doc, "a.b.0.x", "1", content, "a.b.0 is a number"},
		{doc, "7.x", "1", content, "is true"},
		{doc, "a", "{", content, "the value is not JSON"}, {doc, "a", "", content, "the value is not JSON"}, {doc, "a", "NaN", content, "the value is not JSON"},
		{doc, "a", "1 2", content, "the value is not JSON"}, {doc, "a", `{"x":1,"x":2}`, content, "duplicate key"},
		{`{"a":`, "a", "1", content, "unexpected end"},
		{`5`, "a", "1", content, "the document is a number"},
	} {
		got, err := Set([]byte(test.doc), test.path, []byte(test.value), splice.KeepOld, lim)
		var unusable *Error
		if err == nil || !strings.Contains(err.Error(), test.want) ||
			errors.As(err, &unusable) != test.kind {
			t.Errorf("Set(%q, %s) = %q, %v, want %s", test.path, test.value, got, err, test.want)
		}
	}
	for _, path := range []string{"s", "a", "a.b.0", "7"} {
		if got, err := Append([]byte(doc), path, []byte("1"), lim); err == nil {
			t.Errorf("Append(%q) = %s", path, got)
		}
	}
	if _, _, err := Delete([]byte(doc), "@this", lim); err == nil {
		t.Error("the whole document was deleted by path")
	}
}

func TestAppend(t *testing.T) {
	for _, test := range []struct{ doc, path, want string }{
		{"", "log", "{\"log\":[9]}\n"}, {"", "@this", "[9]\n"}, {`[1, 2]`, "@this", "[1, 2, 9]"},
		{`{"log": [1, 2]}`, "log", `{"log": [1, 2, 9]}`}, {`{"log": []}`, "log", `{"log": [9]}`}, {`{"log": null}`, "log", `{"log": [9]}`},
		{`{"a": 1}`, "b.log", `{"a": 1, "b": {"log": [9]}}`},
	} {
		got, err := Append([]byte(test.doc), test.path, []byte("9"), lim)
		if err != nil || string(got) != test.want {
			t.Errorf("Append(%s, %q) = %q, %v; want %q", test.doc, test.path, got, err, test.want)
		}
	}
}

func TestDelete(t *testing.T) {
	for _, test := range []struct{ doc, path, want string }{
		{`{"a": 1, "b": 2}`, "a", `{"b": 2}`}, {`{"a": [1, 2, 3]}`, "a.1", `{"a": [1, 3]}`}, {`{"a": [1, 2, 3]}`, "a.-1", `{"a": [1, 2]}`},
		{`{"\"q": 1, "b": 2}`, `"q`, `{"b": 2}`}, {`{"a.b": 1, "a": {"b": 2}}`, `a\.b`, `{"a": {"b": 2}}`}, {`{"": 1, "b": 2}`, ":", `{"b": 2}`},
		{`{"a": 1}`, "b", ""}, {`{"a": 1}`, "a.b", ""}, {`{"a": [1]}`, "a.1", ""}, {`{"a": []}`, "a.-1", ""}, {`{"a": [1]}`, "a.x", ""},
	} {
		got, found, err := Delete([]byte(test.doc), test.path, lim)
		want := test.want
		if want == "" {
			want = test.doc
		}
		if err != nil || string(got) != want || found != (test.want != "") {
			t.Errorf("Delete(%s, %q) = %q, %v, %v; want %q", test.doc, test.path, got, found,
				err, test.want)
		}
	}
	got, _, err := Delete([]byte(`{"a": 1, "b": 2, "a": 3}`), "a",
		splice.Limits{AllowDuplicateKeys: true})
	if err != nil || string(got) != `{"b": 2}` {
		t.Errorf("a key that stands twice: %s, %v", got, err)
	}
}

func TestAdd(t *testing.T) {
	for _, test := range []struct{ doc, path, delta, sum string }{
		{"", "n", "1", "1"}, {`{"n": null}`, "n", "2", "2"}, {`{"n": 1}`, "n", "-3", "-2"}, {`{"n": 1}`, "m.x", "1", "1"}, {`5`, "@this", "1", "6"},
		{`{"n": 9223372036854775807}`, "n", "1", "9223372036854775808"}, {`{"n": -9223372036854775808}`, "n", "-1", "-9223372036854775809"},
		{`{"n": 99999999999999999999999999}`, "n", "1", "100000000000000000000000000"}, {`{"n": 9007199254740993}`, "n", "0", "9007199254740993"},
		{`{"n": 0.1}`, "n", "0.2", "0.3"}, {`{"n": 1.10}`, "n", "1", "2.10"}, {`{"n": 1.5}`, "n", "-1.5", "0.0"}, {`{"n": -0.05}`, "n", "0.01", "-0.04"},
		{`{"n": 1e3}`, "n", "1", "1001"}, {`{"n": 25e-1}`, "n", "1", "3.5"}, {`{"n": [1, 2]}`, "n.-1", "1", "3"},
		{`{"n": 1e308}`, "n", "1", "1" + strings.Repeat("0", 307) + "1"},
	} {
		got, sum, err := Add([]byte(test.doc), test.path, test.delta, lim)
		value, found, getErr := Get(got, test.path, lim)
		if err != nil || sum != test.sum || !found || getErr != nil ||
			test.doc != `{"n": 1e308}` && string(value) != sum {
			t.Errorf("Add(%s, %q, %s) = %s, %s, %v; want %s", test.doc, test.path, test.delta,
				got, sum, err, test.sum)
		}
	}
	for _, test := range []struct{ doc, delta string }{
		{`{"n": "1"}`, "1"}, {`{"n": []}`, "1"}, {`{"n": true}`, "1"}, {`{"n": 1}`, "NaN"}, {`{"n": 1}`, "Infinity"}, {`{"n": 1}`, ""}, {`{"n": 1}`, "one"},
		{`{"n": 1}`, `"1"`}, {`{"n": 1}`, "0x1"}, {`{"n": 1e400}`, "1"}, {`{"n": 1}`, "1e1000000000"}, {`{"n": 1e-1000000000}`, "1"}, {`{"n": 1`, "1"},
		{`{"n": ` + strings.Repeat("9", 20_000) + `}`, "1"}, {`{"n": 1}`, "1e99999999999999999999"},
	} {
		if got, _, err := Add([]byte(test.doc), "n", test.delta, lim); err == nil {
			t.Errorf("Add(%.40s, %s) = %.40s", test.doc, test.delta, got)
		}
	}
}

func keys(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.OneOf(rapid.String(),
		rapid.SampledFrom([]string{"", "0", "-1", "a.b", ":", ":a", "*", "#", "@this", `\`, `"`,
			"01", "{", "|", "?"})), 1, 4).Draw(t, "keys")
}

// TestPathsNameKeys: in objects, a joined path leads to exactly its keys.
func TestPathsNameKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := keys(t)
		edited, err := Set([]byte(`{"other": [1]}`), Join(keys...), []byte(`"here"`),
			splice.KeepOld, lim)
		if err != nil && keys[0] == "other" {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(edited, &value); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			object, ok := value.(map[string]any)
			if !ok {
				t.Fatalf("%q is not on the way in %s", key, edited)
			}
			value = object[strings.ToValidUTF8(key, "\ufffd")]
		}
		if value != "here" {
			t.Fatalf("%q is not at %q in %s", "here", Join(keys...), edited)
		}
	})
}

// TestSetAgreesWithSjson on what sjson does well: plain keys in valid documents.
func TestSetAgreesWithSjson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a-c]`)
		scalar := rapid.SampledFrom([]any{1.0, "x", true, nil})
		object := rapid.MapOf(key, rapid.OneOf(scalar,
			rapid.Map(rapid.MapOf(key, scalar), func(m map[string]any) any { return m })))
		doc, err := json.Marshal(object.Draw(t, "doc"))
		if err != nil {
			t.Fatal(err)
		}
		path := rapid.StringMatching(`[a-c](\.[a-c])?`).Draw(t, "path")
		value, err := json.Marshal(scalar.Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Set(doc, path, value, splice.KeepOld, lim)
		if err != nil {
			if !strings.Contains(err.Error(), "which has no members") { // sjson replaces the scalar
				t.Fatal(err)
			}
			return
		}
		theirs, err := sjson.SetRawBytes(doc, path, value)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := errors.Join(json.Unmarshal(ours, &a),
			json.Unmarshal(theirs, &b)); err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("Set(%s, %s, %s): %s, sjson %s (%v)", doc, path, value, ours, theirs, err)
		}
		deleted, found, err := Delete(ours, path, lim)
		if err != nil || !found {
			t.Fatalf("Delete(%s, %s): %v, %v", ours, path, found, err)
		}
		theirs, err = sjson.DeleteBytes(theirs, path)
		if err != nil {
			t.Fatal(err)
		}
		a, b = nil, nil
		if err := errors.Join(json.Unmarshal(deleted, &a),
			json.Unmarshal(theirs, &b)); err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("Delete(%s, %s): %s, sjson %s (%v)", ours, path, deleted, theirs, err)
		}
	})
}

// FuzzEdit: no input panics; an edited document is valid, has the value at its path,
// and every other member is unchanged, to the byte.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(doc), "a.b.-1", []byte("[1]"))
	f.Add([]byte("{\n  \"a\": {}\n}\n"), `a.x\.y`, []byte(`{"z":null}`))
	f.Add([]byte(""), "a.0.b", []byte("1"))
	f.Add([]byte("[[],1]"), "0.-1", []byte("2.5e3"))
	f.Fuzz(func(t *testing.T, doc []byte, path string, value []byte) {
		if got, found, err := Get(doc, path, lim); found &&
			(err != nil || splice.Check(got, splice.Limits{AllowDuplicateKeys: true}) != nil) {
			t.Fatalf("Get(%q, %q) = %q, %v", doc, path, got, err)
		}
		if edited, _, err := Add(doc, path, string(value), lim); err == nil &&
			splice.Check(edited, lim) != nil {
			t.Fatalf("Add(%q, %q, %q) = %q", doc, path, value, edited)
		}
		if edited, err := Append(doc, path, value, lim); err == nil &&
			splice.Check(edited, lim) != nil {
			t.Fatalf("Append(%q, %q, %q) = %q", doc, path, value, edited)
		}
		if edited, found, err := Delete(doc, path, lim); err == nil && len(doc) > 0 &&
			(splice.Check(edited, lim) != nil || !found && !bytes.Equal(edited, doc)) {
			t.Fatalf("Delete(%q, %q) = %q", doc, path, edited)
		}
		edited, err := Set(doc, path, value, splice.KeepOld, lim)
		if err != nil {
			return
		}
		got, found, err := Get(edited, path, lim)
		if err != nil || !found {
			t.Fatalf("Set(%q, %q, %q) = %q, where Get finds %v, %v", doc, path, value, edited,
				found, err)
		}
		if merged, err := splice.Merge(value, got, lim); err != nil || !bytes.Equal(merged, value) {
			t.Fatalf("Set(%q, %q, %q) = %q, where Get finds %q", doc, path, value, edited, got)
		}
		steps, _, _ := parse(path)
		var before, after map[string]json.RawMessage
		if len(steps) == 0 || json.Unmarshal(doc, &before) != nil ||
			json.Unmarshal(edited, &after) != nil {
			return
		}
		for key, raw := range before {
			if key != steps[0].key && !bytes.Equal(raw, after[key]) {
				t.Fatalf("Set(%q, %q, %q) = %q, which changed %q", doc, path, value, edited, key)
			}
		}
	})
}

// TestCheck: a path is unusable by its text alone.
func TestCheck(t *testing.T) {
	for path, want := range map[string][2]bool{ // usable to read, to edit
		"a.b.1": {true, true}, "@this": {true, true}, "a.#": {true, false}, "a*": {true, false},
		"": {false, false}, `a\`: {false, false}, "\xff": {false, false},
	} {
		for i, edit := range [...]bool{false, true} {
			err := Check(path, edit)
			var unusable *Error
			if (err == nil) != want[i] || err != nil && !errors.As(err, &unusable) {
				t.Errorf("Check(%q, %v) = %v", path, edit, err)
			}
		}
	}
}
