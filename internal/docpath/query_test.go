// Tests of the restrictions on queries, and of the agreement with gjson on plain paths.

package docpath

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/internal/splice"
)

func TestQueries(t *testing.T) {
	const doc = `{"list": [{"n": 1, "@id": "a"}, {"n": 2, "@id": "b"}], "7": {"x": [1]}, "text": "[1,2]", ".k": [3], "mail": ["a@b", "@keys|c"]}` + "\n"
	for path, want := range map[string]string{
		"list.#": "2", "list.#.n": "[1,2]", "list.#(n==2).n": "2", "list.#(n>0)#.n": "[1,2]", "list.0.@keys": `["n","@id"]`, `list.#.\@id`: `["a","b"]`,
		"@keys.0": `"list"`, "@this|list.#": "2", "list.@reverse.0.n": "2", "{list.#,7.x}": `{"_":2,"x":[1]}`, "list.#.{n}": `[{"n":1},{"n":2}]`, "{list.#.n,list.#.n}": `{"n":[1,2],"n":[1,2]}`,
		`mail.#(=="a@b")`: `"a@b"`, `mail.#(=="@keys|c")`: `"@keys|c"`, `mail.#(!="a@b")`: `"@keys|c"`, `mail.#( @this == "a@b" )`: "",
		// The plain beginning of a path has the meaning that it has for an edit.
		":7.x.#": "1", "list.-1.@keys": `["n","@id"]`, `\.k.#`: "1", "l*.#": "2", "list.:0.#": "", "no.@keys": "",
		// The text of a string is not parsed.
		"text.#": "", "text.@this.0": "", "text.*": "", "text.@this": `"[1,2]"`, "text.[0]": "",
		// Without the white space after the document.
		"@this|@this": strings.TrimSpace(doc),
	} {
		got, found, err := Get([]byte(doc), path, lim)
		if err != nil || string(got) != want || found != (want != "") {
			t.Errorf("Get(%q) = %s, %v, %v; want %s", path, got, found, err, want)
		}
	}
	for path, want := range map[string]string{
		"@pretty": "not one of the modifiers", "list.@fromstr": "not one of the modifiers", "text.@fromstr.@valid": "not one of the modifiers", "@tostr|@tostr": "not one of the modifiers", "@dig:n": "not one of the modifiers",
		"@flatten:{\"deep\":true}": "without arguments", "@id": "write a backslash", "list.#.@id": "write a backslash", "@keysx": "not one of the modifiers", "[ @pretty]": "not one of the modifiers", `#(@pretty=="x")`: "not one of the modifiers",
		`#( @pretty=="x")`: "not one of the modifiers", `*.0\.@pretty`: "not one of the modifiers", `*.\|@pretty`: "not one of the modifiers", `"a|@pretty|b"`: "not one of the modifiers",
		"!nan": "literals", `!"abc`: "literals", `list.#.!"abc"`: "literals", "{a:!true}": "literals", "list.#.:n": "leading :", "*.#|:n": "leading :", "*" + strings.Repeat("a", 5000): "4096 bytes",
		strings.Repeat("[@this,@this]|", 30) + "0": "1 GiB", strings.Repeat("[", 40) + "a,b" +
			strings.Repeat("]", 40): "1 GiB", `list.#.{"` + strings.Repeat("a", 4000) +
			`":n}|{a}|{a}|{a}`: "1 GiB", "\xff.#": "UTF-8",
	} {
		_, _, err := Get([]byte(doc), path, lim)
		var unusable *Error
		if !errors.As(err, &unusable) || !strings.Contains(err.Error(), want) ||
			len(err.Error()) > 500 {
			t.Errorf("Get(%.40q): %v, want %q", path, err, want)
		}
	}
}

// TestGetAgreesWithGjson on plain paths, of which gjson knows all but :key and -1.
func TestGetAgreesWithGjson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(tree(3).Draw(t, "doc"))
		if err != nil {
			t.Fatal(err)
		}
		path := rapid.StringMatching(`([a-c0-2]|a\\\.b|q")(\.([a-c0-2]|a\\\.b|q")){0,3}`).Draw(t,
			"path")
		raw, found, err := Get(doc, path, lim)
		if err != nil {
			t.Fatal(err)
		}
		if doc[0] == '"' {
			return // gjson finds "0" in the string "[1]"
		}
		if theirs := gjson.GetBytes(doc, path); theirs.Exists() != found ||
			theirs.Raw != string(raw) {
			t.Fatalf("Get(%s, %q) = %s, gjson %s", doc, path, raw, theirs.Raw)
		}
	})
}

// tree generates JSON values with few keys, so that paths meet them.
func tree(depth int) *rapid.Generator[any] {
	scalar := rapid.SampledFrom([]any{nil, true, 1.0, 2.5, "", "x", "[1]"})
	if depth == 0 {
		return scalar
	}
	inner := tree(depth - 1)
	return rapid.OneOf(scalar,
		rapid.Map(rapid.SliceOfN(inner, 0, 3), func(s []any) any { return s }),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "0", "1", "a.b", `q"`,
			""}), inner, 0, 4), func(m map[string]any) any { return m }))
}

// FuzzGet: no query panics, and every answer is JSON.
func FuzzGet(f *testing.F) {
	for _, path := range []string{"a.#", "a.#(b==1)#.c", "{a,b}|@keys", "[a,@this]", "a*b.?",
		"#.#(@this.0>1)", `#(a%"*x*")`, "..#", "a|b|0", "@join.@flatten", "#(#(#(a)))", `#(a==~true)#`, "@reverse|@values|@ugly"} {
		f.Add([]byte(`{"a": [{"b": 1, "c": [2]}, {"b": "x\"y"}], "b": "[1]"}`), path)
		f.Add([]byte(`[[{"a": 1.5e3}, null], ["\u00e9", true]]`), path)
	}
	f.Fuzz(func(t *testing.T, doc []byte, path string) {
		got, found, err := Get(doc, path, lim)
		if !found {
			return
		}
		if err != nil || splice.Check(got, splice.Limits{AllowDuplicateKeys: true}) != nil ||
			splice.Check(doc, lim) != nil {
			t.Fatalf("Get(%q, %q) = %q, %v", doc, path, got, err)
		}
	})
}
