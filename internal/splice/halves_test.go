// Halves of surrogate pairs, which JSON can express and UTF-8 cannot.

package splice

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHalves(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`"\ud800"`, `"\udfff"`, false}, {`"\ud800"`, `"\ufffd"`, false}, {`"\ud800"`, "\"\ufffd\"", false},
		{`"\ud800"`, `"\uD800"`, true}, {`"\ud83d\ude00"`, `"😀"`, true}, {`"\ude00\ud83d"`, `"😀"`, false},
		{`"\ud83d\ud83d\ude00"`, `"\ud83d😀"`, true}, {`"\ud83d\u0041"`, `"\ud83dA"`, true},
		{`"\ud83d\\ude00"`, `"\ud83d\ude00"`, false}, {`"a\ud800b"`, `"\u0061\ud800b"`, true},
		{`{"\ud800":1,"\udfff":2}`, `{"\udfff":2,"\ud800":1}`, true}, {`{"\ud800":1}`, `{"\udfff":1}`, false},
	} {
		same, err := Equal([]byte(test.a), []byte(test.b), Limits{})
		if err != nil || same != test.want {
			t.Errorf("Equal(%s, %s) = %v, %v", test.a, test.b, same, err)
		}
	}
	err := Check([]byte(`{"\ud800":1,"\uD800":2}`), Limits{})
	if err == nil || !strings.Contains(err.Error(), "duplicate key") {
		t.Errorf("the same half twice: %v", err)
	}
	for _, test := range [][3]string{
		{`{"a": "\ud800"}`, `{"a":"\udfff"}`, `{"a": "\udfff"}`},
		{`{"a": "\ud800"}`, `{"a":"\uD800"}`, `{"a": "\ud800"}`},
		{`{"\ud800": 1, "\udfff": 2}`, `{"\ud800":3,"\udfff":2}`, `{"\ud800": 3, "\udfff": 2}`},
		{`["x\ud83d", "y"]`, `["y","x\ud83d"]`, `["y", "x\ud83d"]`},
	} {
		got, err := Merge([]byte(test[0]), []byte(test[1]), Limits{})
		if err != nil || string(got) != test[2] {
			t.Errorf("Merge(%s, %s) = %s, %v; want %s", test[0], test[1], got, err, test[2])
		}
	}
}

// To encoding/json all of them are U+FFFD. Strings that a Go program does not change
// stay nevertheless, and changed ones are found.
func TestHalvesInChanges(t *testing.T) {
	for _, test := range []struct{ name, old, before, after, want string }{
		{"another member", `{"s": "\ud800", "n": 1}`, `{"s":"�","n":1}`, `{"s":"�","n":2}`, `{"s": "\ud800", "n": 2}`},
		{"itself", `{"s": "\ud800"}`, `{"s":"�"}`, `{"s":"x"}`, `{"s": "x"}`},
		{"elements moved", `["x\ud83d", "y"]`, `["x�","y"]`, `["y","x�"]`, `["y", "x\ud83d"]`},
		{"an element goes", `["x\ud83d", "y", 1]`, `["x�","y",1]`, `["y",1]`, `["y", 1]`},
		{"a key", `{"\ud800": 1, "b": 1}`, `{"b":1,"�":1}`, `{"b":1,"�":2}`, `{"\ud800": 2, "b": 1}`},
		{"a key goes", `{"\ud800": 1, "b": 1}`, `{"b":1,"�":1}`, `{"b":1}`, `{"b": 1}`},
		{"of two keys that are one to Go the last counts", `{"\ud800": 1, "\udfff": 2}`, `{"�":2}`, `{"�":3}`, `{"\ud800": 1, "\udfff": 3}`},
		{"both go", `{"\ud800": 1, "\udfff": 2, "a": 1}`, `{"a":1,"�":2}`, `{"a":1}`, `{"a": 1}`},
		{"raw text", `{"r": "\ud800"}`, `{"r":"\ud800"}`, `{"r":"\udfff"}`, `{"r": "\udfff"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := MergeChange([]byte(test.old), []byte(test.before), []byte(test.after),
				Limits{})
			if err != nil || string(got) != test.want {
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
		})
	}
}

// FuzzStrings: decoding agrees with encoding/json, except for halves, and quoting
// inverts it.
func FuzzStrings(f *testing.F) {
	for _, text := range []string{`"\ud800"`, `"\ud83d\ude00\ude00"`, `"\u0000\"\\\/\b\f\n\r\t"`,
		"\"\u2028é\"", `"\ud8`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, err := Parse(text, Limits{})
		if err != nil || root.Kind != String {
			return
		}
		var want string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		decoded := Unquote(text[root.Start:root.End])
		if got := string(lossy([]byte(decoded))); got != want {
			t.Fatalf("%q is decoded to %q, want %q", text, got, want)
		}
		quoted := Quote(decoded)
		if Unquote(quoted) != decoded {
			t.Fatalf("%q is quoted as %s, which is %q", decoded, quoted, Unquote(quoted))
		}
		if HasHalf(decoded) == utf8.ValidString(decoded) {
			t.Fatalf("%q: HasHalf is %v", decoded, HasHalf(decoded))
		}
		if same, err := Equal(text, quoted, Limits{}); err != nil || !same {
			t.Fatalf("%q is quoted as %s: %v, %v", text, quoted, same, err)
		}
	})
}
