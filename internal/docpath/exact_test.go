// Queries that compare numbers: the answer is exact or an error, never a neighbouring
// number.

package docpath

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

func TestExactQueries(t *testing.T) {
	const doc = `{"u": [{"id": 9007199254740992, "n": "a"}, {"id": 9007199254740993, "n": "b", "t": [1, 2]}, {"id": 9007199254740994, "n": "c"}, {"n": "d"}, {"id": "x"}, null],
		"l": [0.1, 0.10000000000000000555, 0.1000, 1e400, 1e401, -1e400, true, "9"]}`
	for path, want := range map[string]string{
		"u.#(id==9007199254740993).n": `"b"`, "u.#(id=9007199254740993).n": `"b"`, `u.#(id=="9007199254740993").n`: `"b"`, "u.#( id == 9007199254740992 ).n": `"a"`,
		"u.#(id==9007199254740993.0).n": `"b"`, "u.#(id==9007199254740993e0).t.-1": "2", "u.#(id==9007199254740993).t.#": "2", "u.#(id==9007199254740993)|t|0": "1",
		"u.#(id==9007199254740991).n": "", "u.#(id==9007199254740995).n": "", "u.#(id!=9007199254740992).n": `"b"`,
		"u.#(id>9007199254740992)#.n": `["b","c"]`, "u.#(id>=9007199254740993)#.n": `["b","c"]`, "u.#(id<9007199254740993)#.n": `["a"]`, "u.#(id<=9007199254740993)#.n": `["a","b"]`,
		"u.#(id!=9007199254740993)#.n": `["a","c"]`, "u.#(id>9007199254740993)#|#": "2", "u.#(id>9007199254740993)#|0.n": `"c"`, "u.#(id==9007199254740995)#.n": "[]",
		"l.#(==0.1)#": "[0.1,0.1000]", "l.#(>0.1)#": `[0.10000000000000000555,1e400,1e401,"9"]`, "l.#(==1e401)#": "[1e401]", "l.#(>1e400)#": `[1e401,"9"]`,
		"l.#(<-1e399)#": "[-1e400]",
		// No neighbour in the document: gjson answers.
		"u.#(id==5).n": "", `u.#(n=="c").id`: "9007199254740994",
	} {
		got, found, err := Get([]byte(doc), path, lim)
		if err != nil || string(got) != want || found != (want != "") {
			t.Errorf("Get(%q) = %s, %v, %v; want %s", path, got, found, err, want)
		}
	}
	for _, path := range []string{
		"{u.#(id==9007199254740993).n}", "u.@reverse.#(id==9007199254740993).n", "u|#(id==9007199254740993)", "u.#(id==9007199254740993)#.n|0", "*.#(id==9007199254740993)",
		"u.#(#(id==9007199254740993))", `u.#(n=="a").#(==9007199254740993)`, "l.#(==inf)",
	} {
		_, _, err := Get([]byte(doc), path, lim)
		var unusable *Error
		if !errors.As(err, &unusable) || !strings.Contains(err.Error(), "compare exactly") {
			t.Errorf("Get(%q): %v", path, err)
		}
	}
	for _, path := range []string{`l.#(s=="\ud800")`, `l.#(s!="x")`} {
		_, _, err := Get([]byte(`{"l": [{"s": "\udfff"}, {"s": "\ud83d\ude00"}]}`), path, lim)
		if err == nil || !strings.Contains(err.Error(), "half of a surrogate pair") {
			t.Errorf("Get(%q): %v", path, err)
		}
	}
	got, _, err := Get([]byte(`{"l": [{"s": "\\ud800"}, {"s": "\ud83d\ude00", "n": 1}]}`),
		`l.#(s!="x")#.s`, lim)
	if want := `["\\ud800","\ud83d\ude00"]`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// TestExactAsGjson: where floats tell all numbers apart, the answers are those of gjson.
func TestExactAsGjson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(rapid.SliceOfN(tree(2), 0, 5).Draw(t, "doc"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(doc), `"[1]"`) {
			return // gjson looks into that string
		}
		query := rapid.StringMatching(`#\((a|b|0|)(==|=|!=|<|<=|>|>=)(1|2\.5|"1"|-3)\)#?((\.|\|)(a|b|0|#|#\.a|@keys))?`).Draw(t, "query")
		f, ok := parseFilter(query)
		if !ok {
			t.Fatalf("%s is not taken for a filter", query)
		}
		got, found, err := exactly(doc, f, lim)
		if err != nil {
			t.Fatal(err)
		}
		if !found && f.pipe != "" {
			return // gjson makes keys of what is not there, too
		}
		if theirs := gjson.GetBytes(doc, query); theirs.Exists() != found ||
			theirs.Raw != string(got) {
			t.Fatalf("%s of %s: %s, %v; gjson %s", query, doc, got, found, theirs.Raw)
		}
	})
}
