// What Go values may have in them, and how they are spelled.

package store

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type shout string

func (s shout) MarshalText() ([]byte, error) { return []byte(string(s) + "!"), nil }

type hidden struct{ text string }

func (h *hidden) MarshalJSON() ([]byte, error) { return []byte(`"\ufffd"`), nil }

// TestNotUTF8: json.Marshal would put U+FFFD in the place of what is not UTF-8.
func TestNotUTF8(t *testing.T) {
	const bad = "caf\xe9"
	type inner struct{ Text string }
	type outer struct {
		*inner
		Any  any
		Omit string `json:",omitempty"`
		Not  string `json:"-"`
		own  string
	}
	doc := document(t, `{"a":1,"l":[]}`, Options{Durability: Volatile})
	for name, value := range map[string]any{
		"a string": bad, "half of a pair": "\xed\xa0\x80", "in a slice": []string{"a", bad}, "in an array": [1]string{bad},
		"in a map": map[string]any{"a": map[string]any{"b": bad}}, "a key": map[string]int{bad: 1},
		"embedded": outer{inner: &inner{bad}}, "in an interface": &outer{Any: []any{1, bad}}, "in a field": outer{Omit: bad},
		"of a type that encodes itself as text": shout(bad), "such a key": map[shout]int{bad: 1},
		"raw": json.RawMessage(`"` + bad + `"`), "raw inside": []any{json.RawMessage(`"` + bad + `"`)},
	} {
		for op, err := range map[string]error{
			"Set":    func() error { _, err := doc.Set(t.Context(), "a", value); return err }(),
			"Append": func() error { _, err := doc.Append(t.Context(), "l", value); return err }(),
			"Update": func() error {
				_, _, err := Update(t.Context(), doc, func(all *map[string]any) error {
					(*all)["a"] = value
					return nil
				})
				return err
			}(),
		} {
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "UTF-8") {
				t.Errorf("%s, %s: %v", op, name, err)
			}
		}
	}
	if got := content(t, doc); got != `{"a":1,"l":[]}` {
		t.Errorf("the document is %s", got)
	}
	for _, value := range []any{
		"\ufffd", `\ufffd`, json.RawMessage(`"\ufffd"`), []any{json.RawMessage(`"\ufffd"`), []byte(bad)}, &hidden{bad},
		[]hidden{{bad}}, outer{Not: bad, own: bad,
			Any: json.RawMessage(`"\ufffd"`)}, map[string]*outer{"\ufffd": nil},
	} {
		if _, err := doc.Set(t.Context(), "a", value); err != nil {
			t.Errorf("%#v: %v", value, err)
		}
	}
	for _, path := range []string{bad, "a." + bad, Path("a", bad)} {
		if _, err := doc.Set(t.Context(), path, 1); !errors.Is(err, ErrPath) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestSpelling: a json.RawMessage is written as it is spelled, another value keeps the
// spelling of what is equal.
func TestSpelling(t *testing.T) {
	const old = `{"n": 1, "o": {"z": 1.50, "a": [100]}, "k": 1.10}`
	for _, test := range []struct {
		path  string
		value any
		want  string
	}{
		{"n", json.RawMessage("1.0"), `{"n": 1.0, "o": {"z": 1.50, "a": [100]}, "k": 1.10}`},
		{"o", json.RawMessage(`{"a":[1e2],"z":1.5}`), `{"n": 1, "o": {"z": 1.5, "a": [1e2]}, "k": 1.10}`},
		{"n", 1.0, old}, {"n", json.Number("1.0"), old}, {"k", 1.1, old}, {"o", map[string]any{"a": []int{100}, "z": 1.5}, old},
	} {
		doc := document(t, old, Options{Durability: Volatile})
		if _, err := doc.Set(t.Context(), test.path, test.value); err != nil ||
			content(t, doc) != test.want {
			t.Errorf("Set(%s, %v) = %s, %v; want %s", test.path, test.value, content(t, doc),
				err, test.want)
		}
	}
	doc := document(t, old, Options{Durability: Volatile})
	if _, err := doc.MergePatch(t.Context(), []byte(`{"n":1.00}`)); err != nil ||
		!strings.Contains(content(t, doc), `"n": 1.00`) {
		t.Errorf("MergePatch: %s, %v", content(t, doc), err)
	}
}

// TestHalves: a type sees U+FFFD where the document has half of a surrogate pair, and
// what it does not change stays.
func TestHalves(t *testing.T) {
	doc := document(t, `{"a": "\ud800", "l": ["x\ud83d", "y"], "n": 1}`,
		Options{Durability: Volatile})
	type typed struct {
		A string
		L []string
		N int
	}
	_, _, err := Update(t.Context(), doc, func(v *typed) error {
		v.N, v.L[0], v.L[1] = 2, v.L[1], v.L[0]
		return nil
	})
	if want := `{"a": "\ud800", "l": ["y", "x\ud83d"], "n": 2}`; err != nil ||
		content(t, doc) != want {
		t.Errorf("got %s, %v, want %s", content(t, doc), err, want)
	}
}
