// Three, by examples: what it merges, what clashes, and which bytes stay.

package splice

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// wayOf is a way as text.
func wayOf(way []Step) string {
	var parts []string
	for _, s := range way {
		if s.Index == Nowhere {
			parts = append(parts, s.Key)
		} else {
			parts = append(parts, fmt.Sprint(s.Index))
		}
	}
	return strings.Join(parts, ".")
}

// clashText is clashes as text: the way and the three values, with - for none.
func clashText(clashes []Clash) string {
	var lines []string
	for _, c := range clashes {
		line := wayOf(c.Way) + ":"
		for _, raw := range [][]byte{c.Base, c.Ours, c.Theirs} {
			if raw == nil {
				raw = []byte("-")
			}
			line += " " + string(raw)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

var threeCases = []struct{ name, base, ours, theirs, want, clashes string }{
	{"nothing", `{"a": 1}`, `{"a": 1}`, `{"a": 1}`, `{"a": 1}`, ""},
	{"ours", `{"a":1}`, `{ "a": 2 }`, `{"a":1}`, `{ "a": 2 }`, ""},
	{"theirs", `{"a":1}`, `{"a":1}`, `{ "a": 2 }`, `{ "a": 2 }`, ""},
	{"theirs, in another layout", "{\"a\":1.0,\"b\":2}", "{\n  \"a\": 1.0,\n  \"b\": 2\n}\n", `{"a":1,"b":3}`, "{\n  \"a\": 1.0,\n  \"b\": 3\n}\n", ""},
	{"both, other members", `{"a": 1, "b": 1}`, `{"a": 2, "b": 1}`, `{"a": 1, "b": 3}`, `{"a": 2, "b": 3}`, ""},
	{"both, neighbours deep down", `{"a": {"x": 1, "y": 1}}`, `{"a": {"x": 2, "y": 1}}`, `{"a": {"x": 1, "y": 2}}`, `{"a": {"x": 2, "y": 2}}`, ""},
	{"both, equal", `{"a": 1}`, `{"a": 2.0}`, `{"a": 2}`, `{"a": 2.0}`, ""},
	{"both, different", `{"a": 1}`, `{"a": 2}`, `{"a": 3}`, `{"a": {"<<<<<<<": {"base": 1, "ours": 2, "theirs": 3}}}`, "a: 1 2 3"},
	{"spelling stays", `{"a": 1.10, "b": 1}`, `{"a": 1.10, "b": 2}`, `{"a": 1.1, "b": 1, "c": 12345678901234567890}`, `{"a": 1.10, "b": 2, "c": 12345678901234567890}`, ""},
	{"added by both, other members", `{}`, `{"a": 1}`, `{"b": 2}`, `{"a": 1, "b": 2}`, ""},
	{"added by both, equal", `{}`, `{"a": {"x": 1}}`, `{"a":{"x":1}}`, `{"a": {"x": 1}}`, ""},
	{"added by both, objects", `{}`, `{"a": {"x": 1, "z": 1}}`, `{"a":{"y":2, "z": 2}}`, `{"a": {"x": 1, "z": {"<<<<<<<": {"ours": 1, "theirs": 2}}, "y": 2}}`, "a.z: - 1 2"},
	{"added by both, arrays", `{}`, `{"a": [1]}`, `{"a": [2]}`, `{"a": {"<<<<<<<": {"ours": [1], "theirs": [2]}}}`, "a: - [1] [2]"},
	{"removed by theirs", `{"a": 1, "b": 2}`, `{"a": 1, "b": 3}`, `{"b": 2}`, `{"b": 3}`, ""},
	{"removed by ours", `{"a": 1, "b": 2}`, `{"b": 2}`, `{"a": 1, "b": 3}`, `{"b": 3}`, ""},
	{"removed by both", `{"a": 1, "b": 2}`, `{"b": 2}`, `{"b": 2}`, `{"b": 2}`, ""},
	{"removed by theirs, changed by ours", `{"a": {"x": 1}, "b": 2}`, `{"a": {"x": 2}, "b": 2}`, `{"b": 3}`, `{"a": {"<<<<<<<": {"base": {"x": 1}, "ours": {"x": 2}}}, "b": 3}`, `a: {"x": 1} {"x": 2} -`},
	{"removed by ours, changed by theirs", `{"a": 1, "b": 2}`, `{"b": 2}`, `{"a": 9, "b": 2}`, `{"b": 2, "a": {"<<<<<<<": {"base": 1, "theirs": 9}}}`, `a: 1 - 9`},
	{"another kind", `{"a": 1}`, `{"a": [1]}`, `{"a": {"b": 1}}`, `{"a": {"<<<<<<<": {"base": 1, "ours": [1], "theirs": {"b": 1}}}}`, `a: 1 [1] {"b": 1}`},
	{"null is a value", `{"a": null}`, `{"a": {"x": 1}}`, `{"a": {"y": 1}}`, `{"a": {"<<<<<<<": {"base": null, "ours": {"x": 1}, "theirs": {"y": 1}}}}`, `a: null {"x": 1} {"y": 1}`},
	{"the order of members is no change", `{"a": 1, "b": 2}`, `{"a": 2, "b": 2}`, `{"b": 2, "a": 1}`, `{"a": 2, "b": 2}`, ""},
	{"the root", `1`, ` 2`, "3\n", ` {"<<<<<<<":{"base":1,"ours":2,"theirs":3}}`, ": 1 2 3"},

	{"elements by id", `[{"id": 1, "n": 1}, {"id": 2, "n": 1}]`, `[{"id": 0, "n": 0}, {"id": 1, "n": 1}, {"id": 2, "n": 5}]`, `[{"id": 1, "n": 7}, {"id": 2, "n": 1}]`, `[{"id": 0, "n": 0}, {"id": 1, "n": 7}, {"id": 2, "n": 5}]`, ""},
	{"an element removed, another changed", `[{"id": 1, "n": 1}, {"id": 2, "n": 1}]`, `[{"id": 2, "n": 1}]`, `[{"id": 1, "n": 1}, {"id": 2, "n": 9}]`, `[{"id": 2, "n": 9}]`, ""},
	{"an element removed and changed", `[{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 3, "n": 1}]`, `[{"id": 1, "n": 1}, {"id": 3, "n": 1}]`, `[{"id": 1, "n": 1}, {"id": 2, "n": 9}, {"id": 3, "n": 1}]`, `[{"id": 1, "n": 1}, {"<<<<<<<": {"base": {"id": 2, "n": 1}, "theirs": {"id": 2, "n": 9}}}, {"id": 3, "n": 1}]`, `1: {"id": 2, "n": 1} - {"id": 2, "n": 9}`},
	{"an element changed by both, after one that was added", `[{"id": 1, "n": 1, "m": 1}]`, `[{"id": 1, "n": 2, "m": 1}]`, `[{"id": 7}, {"id": 1, "n": 3, "m": 4}]`, `[{"id": 7}, {"id": 1, "n": {"<<<<<<<": {"base": 1, "ours": 2, "theirs": 3}}, "m": 4}]`, `1.n: 1 2 3`},
	{"appended by both", `[1, 2]`, `[1, 2, 3]`, `[1, 2, 4]`, `[1, 2, 3, 4]`, ""},
	{"appended by both, equal", `["a"]`, `["a", "b"]`, `["a", "b"]`, `["a", "b"]`, ""},
	{"appended by both, partly equal", `["a"]`, `["a", "b", "c"]`, `["a", "d", "c"]`, `["a", "b", "d", "c"]`, ""},
	{"inserted by both", `["a", "b"]`, `["o", "a", "b"]`, `["t", "a", "b", "z"]`, `["o", "t", "a", "b", "z"]`, ""},
	{"appended by both, one id", `[]`, `[{"id": 1, "a": 1}]`, `[{"id": 2}, {"id": 1, "b": 1}]`, `[{"id": 2}, {"id": 1, "a": 1, "b": 1}]`, ""},
	{"a scalar changed by both", `[1, 2, 3]`, `[1, 8, 3]`, `[1, 9, 3]`, `[1, {"<<<<<<<":{"base":2, "ours":8, "theirs":9}}, 3]`, "1: 2 8 9"},
	{"moved by theirs, changed by ours", `[{"id": 1, "n": 1}, {"id": 2, "n": 2}]`, `[{"id": 1, "n": 1}, {"id": 2, "n": 5}]`, `[{"id": 2, "n": 2}, {"id": 1, "n": 1}]`, `[{"id": 2, "n": 5}, {"id": 1, "n": 1}]`, ""},
	{"moved by ours, added by theirs", `["a", "b", "c"]`, `["c", "a", "b"]`, `["a", "x", "b", "c"]`, `["c", "a", "x", "b"]`, ""},
	{"moved by both in one way", `["a", "b", "c"]`, `["c", "a", "b"]`, `["c", "a", "b", "d"]`, `["c", "a", "b", "d"]`, ""},
	{"moved by both in two ways", `{"l": ["a", "b", "c"]}`, `{"l": ["c", "a", "b"]}`, `{"l": ["b", "a", "c"]}`, `{"l": {"<<<<<<<": {"base": ["a", "b", "c"], "ours": ["c", "a", "b"], "theirs": ["b", "a", "c"]}}}`, `l: ["a", "b", "c"] ["c", "a", "b"] ["b", "a", "c"]`},
	{"another id is another element", `[{"id": 1}]`, `[{"id": 1, "n": 1}]`, `[{"id": 4}]`, `[{"id": 4}, {"<<<<<<<": {"base": {"id": 1}, "ours": {"id": 1, "n": 1}}}]`, `1: {"id": 1} {"id": 1, "n": 1} -`},
	{"removed by one, moved by the other", `["a", "b", "c"]`, `["a", "b"]`, `["c", "a", "b"]`, `["a", "b"]`, ""},

	{"created by ours", ``, `{"a": 1}`, ``, `{"a": 1}`, ""},
	{"created by theirs", ``, ``, `{"a": 1}`, `{"a": 1}`, ""},
	{"created by both", ``, `{"a": 1, "c": 1}`, `{"b": 1, "c": 2}`, `{"a": 1, "c": {"<<<<<<<": {"ours": 1, "theirs": 2}}, "b": 1}`, "c: - 1 2"},
	{"deleted by theirs", `{"a": 1}`, `{"a":1}`, ``, ``, ""},
	{"deleted by theirs, changed by ours", `{"a": 1}`, "{\"a\": 2}\n", ``, "{\"<<<<<<<\": {\"base\": {\"a\": 1}, \"ours\": {\"a\": 2}}}\n", `: {"a": 1} {"a": 2} -`},
	{"deleted by ours, changed by theirs", `{"a": 1}`, ``, "{\"a\": 2}\n", "{\"<<<<<<<\": {\"base\": {\"a\": 1}, \"theirs\": {\"a\": 2}}}\n", `: {"a": 1} - {"a": 2}`},
	{"deleted by both", `{"a": 1}`, ``, ``, ``, ""},
}

func TestThree(t *testing.T) {
	for _, test := range threeCases {
		t.Run(test.name, func(t *testing.T) {
			for _, large := range []int{0, 1} {
				lim := Limits{large: large}
				got, clashes, err := Three([]byte(test.base), []byte(test.ours),
					[]byte(test.theirs), Both, lim)
				if err != nil || string(got) != test.want || clashText(clashes) != test.clashes {
					t.Errorf("base %s\nours %s\ntheirs %s\n got %q, %s, %v\nwant %q, %s",
						test.base, test.ours, test.theirs, got, clashText(clashes), err,
						test.want, test.clashes)
				}
			}
		})
	}
}

// TestThreeDuplicates: of duplicate keys the last one counts, on each side, and a removed
// member does not leave an earlier one behind.
func TestThreeDuplicates(t *testing.T) {
	for _, test := range []struct{ base, ours, theirs, want, clashes string }{
		{`{"a":1,"a":2}`, `{"a":1,"a":2,"b":1}`, `{"a":7,"a":3}`, `{"a":1,"a":3,"b":1}`, ""},
		{`{"a":1,"a":2}`, `{"a":1,"a":2,"b":1}`, `{}`, `{"b":1}`, ""},
		{`{"a":1,"a":2}`, `{"b":1}`, `{"a":7,"a":2}`, `{"b":1}`, ""},
		{`{"a":1}`, `{"a":5,"a":2}`, `{"a":5,"a":3}`, `{"a":5,"a":{"<<<<<<<":{"base":1,"ours":2,"theirs":3}}}`, "a: 1 2 3"},
		{`{}`, `{"b":1}`, `{"a":5,"a":3}`, `{"b":1,"a":3}`, ""},
	} {
		texts := [3][]byte{[]byte(test.base), []byte(test.ours), []byte(test.theirs)}
		got, clashes, err := Three(texts[0], texts[1], texts[2], Both,
			Limits{AllowDuplicateKeys: true})
		if err != nil || string(got) != test.want || clashText(clashes) != test.clashes {
			t.Errorf("%s: got %s, %s, %v\nwant %s, %s", texts, got, clashText(clashes), err,
				test.want, test.clashes)
		}
		if _, _, err := Three(texts[0], texts[1], texts[2], Both, Limits{}); err == nil {
			t.Errorf("%s: duplicate keys are accepted", texts)
		}
	}
}

// TestThreeSides: where the two contradict each other, one side can be written.
func TestThreeSides(t *testing.T) {
	base := `{"a": 1, "b": {"x": 1}, "c": 1, "d": 1, "l": [{"id": 1, "n": 1}, {"id": 2}]}`
	ours := `{"a": 2, "b": {"x": 2}, "d": 2, "l": [{"id": 2}], "e": 1}`
	theirs := `{"a": 3, "b": {"x": 3}, "c": 3, "l": [{"id": 1, "n": 3}, {"id": 2}]}`
	for _, test := range []struct {
		write Side
		want  string
	}{
		{Ours, ours},
		{Theirs, `{"a": 3, "b": {"x": 3}, "l": [{"id": 1, "n": 3}, {"id": 2}], "e": 1, "c": 3}`},
	} {
		got, clashes, err := Three([]byte(base), []byte(ours), []byte(theirs), test.write, Limits{})
		if err != nil || string(got) != test.want || len(clashes) != 5 {
			t.Errorf("got %s, %s, %v\nwant %s", got, clashText(clashes), err, test.want)
		}
	}
	for _, write := range []Side{Ours, Theirs} {
		for _, sides := range [][2]string{{"1", ""}, {"", "1"}} {
			ours, theirs := []byte(sides[0]), []byte(sides[1])
			got, clashes, err := Three([]byte("2"), ours, theirs, write, Limits{})
			if want := sides[write-Ours]; err != nil || string(got) != want || len(clashes) != 1 {
				t.Errorf("%q: got %q, %s, %v, want %q", sides, got, clashText(clashes), err, want)
			}
		}
	}
}

// TestThreeRefuses: what is invalid is named, and a mark that would nest too deep too.
func TestThreeRefuses(t *testing.T) {
	good, bad := []byte("[1]"), []byte("[1,\n 2")
	for i, side := range []string{"base", "ours", "theirs"} {
		texts := [3][]byte{good, good, good}
		texts[i] = bad
		_, _, err := Three(texts[0], texts[1], texts[2], Both, Limits{})
		var at *SideError
		var syntax *SyntaxError
		if !errors.As(err, &at) || at.Side != side || !errors.As(err, &syntax) || syntax.Line != 2 {
			t.Errorf("%s: %v", side, err)
		}
	}
	deep := func(inner string) []byte {
		return []byte(strings.Repeat("[", 9) + inner + strings.Repeat("]", 9))
	}
	lim := Limits{Depth: 10}
	if got, _, err := Three(deep("1"), deep("2"), deep("3"), Both, lim); err == nil {
		t.Errorf("deeper than the limit: %s", got)
	}
	if _, clashes, err := Three(deep("1"), deep("2"), deep("3"), Ours, lim); err != nil ||
		len(clashes) != 1 {
		t.Errorf("%s, %v", clashText(clashes), err)
	}
}

// TestThreeLarge merges documents of which only the nodes in use are kept, at their limit of
// depth and with many elements.
func TestThreeLarge(t *testing.T) {
	var base, ours, theirs, want strings.Builder
	for i := range 20_000 {
		row := func(into *strings.Builder, n, m int) {
			fmt.Fprintf(into, "%s{\"id\": %d, \"n\": %d, \"m\": [%d, 1e400]}",
				[]string{"[", ", "}[min(i, 1)], i, n, m)
		}
		n, m := i, i
		if i%7 == 3 {
			n = -i
		}
		if i%11 == 5 {
			m = -i
		}
		row(&base, i, i)
		row(&ours, n, i)
		row(&theirs, i, m)
		row(&want, n, m)
	}
	texts := [4][]byte{}
	for i, b := range []*strings.Builder{&base, &ours, &theirs, &want} {
		texts[i] = []byte(b.String() + "]")
	}
	got, clashes, err := Three(texts[0], texts[1], texts[2], Both, Limits{})
	if err != nil || len(clashes) > 0 || string(got) != string(texts[3]) {
		t.Errorf("%d clashes, %v, as wanted %v", len(clashes), err, string(got) == string(texts[3]))
	}
	deep := func(inner string) []byte {
		return []byte(strings.Repeat(`{"a":`, DefaultDepth-1) + inner +
			strings.Repeat("}", DefaultDepth-1))
	}
	for _, large := range []int{0, 1} {
		got, clashes, err = Three(deep(`{}`), deep(`{"b":1}`), deep(`{"c":1}`), Both,
			Limits{large: large})
		if err != nil || len(clashes) > 0 || string(got) != string(deep(`{"b":1,"c":1}`)) {
			t.Errorf("deep: %s, %v", clashText(clashes), err)
		}
	}
}

func FuzzThree(f *testing.F) {
	for _, test := range threeCases {
		f.Add([]byte(test.base), []byte(test.ours), []byte(test.theirs))
	}
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		for _, lim := range []Limits{{}, {AllowDuplicateKeys: true}, {large: 1}} {
			for _, write := range []Side{Both, Ours, Theirs} {
				got, clashes, err := Three(base, ours, theirs, write, lim)
				if err != nil {
					continue
				}
				if len(got) > 0 {
					if err := Check(got, lim); err != nil {
						t.Fatalf("%q %q %q: %q: %v", base, ours, theirs, got, err)
					}
				}
				if write == Both && len(clashes) > 0 && !strings.Contains(string(got), MarkKey) {
					t.Fatalf("%q %q %q: %q has no mark", base, ours, theirs, got)
				}
			}
		}
	})
}

func BenchmarkThree(b *testing.B) {
	base := []byte(`{"users": [` + strings.Repeat(`{"id": 1, "name": "ada", "tags": ["a", "b"]}, `, 100) +
		`{"id": 2}], "n": 1, "m": 1}`)
	ours := []byte(strings.Replace(string(base), `"n": 1`, `"n": 2`, 1))
	theirs := []byte(strings.Replace(string(base), `"m": 1`, `"m": 2`, 1))
	b.SetBytes(int64(len(base)))
	for b.Loop() {
		if _, _, err := Three(base, ours, theirs, Both, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
