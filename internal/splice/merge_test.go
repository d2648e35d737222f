// Merge and Editor, by examples and with random values.

package splice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMerge(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"nothing", "{\"a\" : 1.10}\n", `{"a":1.1}`, "{\"a\" : 1.10}\n"},
		{"spelling of numbers", `[1.10, 100, 1e2, -0, 12345678901234567890]`, `[1.1,1e2,100.0,0,12345678901234567890.0]`, `[1.10, 100, 1e2, -0, 12345678901234567890]`},
		{"spelling of strings", `["\u00e9", "a\/b"]`, `["é","a/b"]`, `["\u00e9", "a\/b"]`},
		{"order", `{"b": 1, "a": 2}`, `{"a":2,"b":3}`, `{"b": 3, "a": 2}`},
		{"a huge exponent", `[1e1000000000, 10e999999999]`, `[10e999999999, 1e1000000000]`, `[1e1000000000, 10e999999999]`},
		{"a number beyond floats", `{"n": 9007199254740993}`, `{"n":9007199254740992}`, `{"n": 9007199254740992}`},
		{"add, compact", `{"a":1}`, `{"a":1,"b":[1,{"c":2}]}`, `{"a":1,"b":[1,{"c":2}]}`},
		{"add, one line", `{"a": 1, "b": 2}`, `{"a":1,"b":2,"c":{"x":1,"y":[1,2]}}`, `{"a": 1, "b": 2, "c": {"x": 1, "y": [1, 2]}}`},
		{"add to one member in one line", `{"a": 1}`, `{"a":1,"b":2}`, `{"a": 1, "b": 2}`},
		{"add, two blanks", "{\n  \"a\": 1\n}\n", `{"a":1,"b":{"c":[1,2],"d":{}}}`, "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": [\n      1,\n      2\n    ],\n    \"d\": {}\n  }\n}\n"},
		{"add, tabs", "{\n\t\"a\": 1\n}", `{"a":1,"b":2}`, "{\n\t\"a\": 1,\n\t\"b\": 2\n}"},
		{"add, CRLF", "{\r\n  \"a\": {}\r\n}\r\n", `{"a":{"b":1}}`, "{\r\n  \"a\": {\r\n    \"b\": 1\r\n  }\r\n}\r\n"},
		{"add to an empty object", "{\n    \"a\": {}\n}", `{"a":{"b":1}}`, "{\n    \"a\": {\n        \"b\": 1\n    }\n}"},
		{"add to nothing", "{}", `{"a":1}`, `{"a":1}`},
		{"append to an array in one line", "{\n  \"a\": [1, 2]\n}", `{"a":[1,2,3]}`, "{\n  \"a\": [1, 2, 3]\n}"},
		{"a blank before the colon", `{ "a" : 1 , "b" : 2 }`, `{"a":1,"b":2,"c":3}`, `{ "a" : 1 , "b" : 2, "c" : 3 }`},
		{"remove first", `{"a": 1, "b": 2}`, `{"b":2}`, `{"b": 2}`},
		{"remove last", "{\n  \"a\": 1,\n  \"b\": 2\n}", `{"a":1}`, "{\n  \"a\": 1\n}"},
		{"remove middle", `{"a": 1 , "b": 2 , "c": 3}`, `{"a":1,"c":3}`, `{"a": 1, "c": 3}`},
		{"remove all", "{\n  \"a\": 1\n}\n", `{}`, "{}\n"},
		{"remove and add", "{\n  \"a\": 1,\n  \"b\": 2\n}", `{"a":1,"c":3}`, "{\n  \"a\": 1,\n  \"c\": 3\n}"},
		{"element removed", `[{"id": 1, "x": 1.0}, {"id": 2, "x": 2.0}, {"id": 3, "x": 3.0}]`, `[{"id":1,"x":1},{"id":3,"x":3}]`, `[{"id": 1, "x": 1.0}, {"id": 3, "x": 3.0}]`},
		{"equal elements moved", `[{"x": 1.0}, {"x": 1}, [2], [3], [4]]`, `[[2],[3],[4],{"x":1},{"x":1}]`, `[[2], [3], [4], {"x": 1.0}, {"x": 1}]`},
		{"element inserted", `[1.0, 3.0]`, `[1,2,3]`, `[1.0, 2, 3.0]`},
		{"element first", `[ 2.0 ]`, `[1,2]`, `[ 1, 2.0 ]`},
		{"element changed", `[{"id": 1, "x": 1.0}, {"id": 2, "x": 2.0}]`, `[{"id":1,"x":1},{"id":2,"x":5}]`, `[{"id": 1, "x": 1.0}, {"id": 2, "x": 5}]`},
		{"elements swapped", `[1.0, 2.0]`, `[2,1]`, `[2.0, 1]`},
		{"another kind", "{\n  \"a\": [1]\n}", `{"a":{"b":1}}`, "{\n  \"a\": {\n    \"b\": 1\n  }\n}"},
		{"root replaced", " [1]\n", `{"a":1}`, " {\"a\":1}\n"},
		{"absent", "", "{\"a\": 1}\n", "{\"a\": 1}\n"},
		{"keys that need escapes", `{"a": 1}`, `{"a":1,"<\"\n>":2}`, `{"a": 1, "<\"\n>": 2}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Merge([]byte(test.old), []byte(test.new), Limits{})
			if err != nil || string(got) != test.want {
				t.Errorf("%q + %q\n got %q, %v\nwant %q", test.old, test.new, got, err, test.want)
			}
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	for _, test := range [][2]string{{"{", "{}"}, {"{}", "{"}, {"{}", ""}, {"", "{"},
		{`{"a":1,"a":2}`, "{}"}, {"{}", `{"a":1,"a":2}`}} {
		if got, err := Merge([]byte(test[0]), []byte(test[1]), Limits{}); err == nil {
			t.Errorf("%q + %q = %q", test[0], test[1], got)
		}
	}
	got, err := Merge([]byte(`{"a": 1, "a": 2, "b": 3}`), []byte(`{"b":3}`),
		Limits{AllowDuplicateKeys: true})
	if err != nil || string(got) != `{"b": 3}` {
		t.Errorf("both go: %s, %v", got, err)
	}
	got, err = Merge([]byte(`{"a": 1, "a": 2}`), []byte(`{"a":3}`),
		Limits{AllowDuplicateKeys: true})
	if err != nil || string(got) != `{"a": 1, "a": 3}` {
		t.Errorf("the last counts: %s, %v", got, err)
	}
}

func TestMergeChange(t *testing.T) {
	for _, test := range []struct{ name, old, before, after, want string }{
		{"unknown members stay", `{"x": 1.0, "a": 1, "y": null}`, `{"a":1}`, `{"a":2}`, `{"x": 1.0, "a": 2, "y": null}`},
		{"a zero that is left out stays out", `{"a": 1}`, `{"a":1,"b":0}`, `{"a":2,"b":0}`, `{"a": 2}`},
		{"a zero that becomes something", `{"a": 1}`, `{"a":1,"b":0}`, `{"a":1,"b":5}`, `{"a": 1, "b": 5}`},
		{"omitempty", `{"a": 1, "b": 2, "x": 3}`, `{"a":1,"b":2}`, `{"a":1}`, `{"a": 1, "x": 3}`},
		{"keys in another case", `{"Name": "a", "x": 1}`, `{"name":"a"}`, `{"name":"b"}`, `{"Name": "b", "x": 1}`},
		{"removed in another case", `{"Name": "a", "x": 1}`, `{"name":"a"}`, `{}`, `{"x": 1}`},
		{"in arrays", `[{"id": 1, "x": 10}, {"id": 2, "x": 20}]`, `[{"id":1},{"id":2}]`, `[{"id":2}]`, `[{"id": 2, "x": 20}]`},
		{"in changed elements", `[{"id": 1, "x": 10}, {"id": 2, "x": 20}]`, `[{"id":1},{"id":2}]`, `[{"id":1},{"id":3}]`, `[{"id": 1, "x": 10}, {"id": 3, "x": 20}]`},
		{"an array of another length", `[1, 2]`, `[3]`, `[3,4]`, `[3, 4]`},
		{"what before did not know", `{"a": {"x": 1.0, "y": 2}}`, `{}`, `{"a":{"x":1,"y":3}}`, `{"a": {"x": 1.0, "y": 3}}`},
		{"precision that before lost", `{"n": 12345678901234567890, "a": 1}`, `{"n":1.2345678901234567e19,"a":1}`, `{"n":1.2345678901234567e19,"a":2}`, `{"n": 12345678901234567890, "a": 2}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := MergeChange([]byte(test.old), []byte(test.before), []byte(test.after),
				Limits{})
			if err != nil || string(got) != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestEditor(t *testing.T) {
	parse := func(doc string) *Editor {
		root, err := Parse([]byte(doc), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return NewEditor([]byte(doc), root)
	}
	check := func(got []byte, err error, want string) {
		t.Helper()
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	e := parse("{\n  \"a\": {\n    \"b\": [1, 2]\n  },\n  \"c\": []\n}\n")
	a := &e.root.Members[0].Value
	b := &a.Members[0].Value
	c := &e.root.Members[1].Value
	got, err := e.AppendMember(a, "n", []byte(`{"x":1}`), Limits{})
	check(got, err, "{\n  \"a\": {\n    \"b\": [1, 2],\n    \"n\": {\n      \"x\": 1\n    }\n "+
		" },\n  \"c\": []\n}\n")
	got, err = e.InsertElem(b, 0, []byte(`0`), Limits{})
	check(got, err, "{\n  \"a\": {\n    \"b\": [0, 1, 2]\n  },\n  \"c\": []\n}\n")
	got, err = e.InsertElem(c, 0, []byte(`0`), Limits{})
	check(got, err, "{\n  \"a\": {\n    \"b\": [1, 2]\n  },\n  \"c\": [\n    0\n  ]\n}\n")
	got, err = e.Replace(a, []byte(`{"b":[1,3]}`), KeepOld, Limits{})
	check(got, err, "{\n  \"a\": {\n    \"b\": [1, 3]\n  },\n  \"c\": []\n}\n")
	check(e.RemovePart(b, 1), nil, "{\n  \"a\": {\n    \"b\": [1]\n  },\n  \"c\": []\n}\n")
	check(e.RemovePart(e.root, 0), nil, "{\n  \"c\": []\n}\n")
	if _, err := e.AppendMember(a, "n", []byte(`{`), Limits{}); err == nil {
		t.Error("a value that is not JSON was taken")
	}
}

// generator makes random values with few different keys and numbers, so that edits meet,
// and writes them in random layouts.
type generator struct{ *rand.Rand }

func (g generator) value(depth int) any {
	switch n := g.IntN(10); {
	case n < 3 && depth > 0:
		object := map[string]any{}
		for range g.IntN(5) {
			object[g.key()] = g.value(depth - 1)
		}
		return object
	case n < 5 && depth > 0:
		array := make([]any, g.IntN(6))
		for i := range array {
			array[i] = g.value(depth - 1)
		}
		return array
	case n < 7:
		return json.Number([]string{"0", "1", "-1", "1.5", "100", "1.10", "12345678901234567890",
			"1e3", "-0", "0.001"}[g.IntN(10)])
	case n < 9:
		return []string{"", "a", "é", "a/b", "\"", "\n", "<&>", "日本"}[g.IntN(8)]
	}
	return []any{nil, true, false}[g.IntN(3)]
}

func (g generator) key() string {
	return []string{"a", "b", "c", "d", "", "é", "a.b", "\"q\"", "A", "long key"}[g.IntN(10)]
}

// edit changes a value in a few places.
func (g generator) edit(value any) any {
	if g.IntN(8) == 0 {
		return g.value(2)
	}
	switch v := value.(type) {
	case map[string]any:
		edited := map[string]any{}
		for key, member := range v {
			switch g.IntN(6) {
			case 0:
			case 1, 2:
				edited[key] = g.edit(member)
			default:
				edited[key] = member
			}
		}
		if g.IntN(3) == 0 {
			edited[g.key()] = g.value(2)
		}
		return edited
	case []any:
		var edited []any
		for _, elem := range v {
			switch g.IntN(8) {
			case 0:
			case 1:
				edited = append(edited, g.edit(elem))
			case 2:
				edited = append(edited, g.value(1), elem)
			default:
				edited = append(edited, elem)
			}
		}
		return append([]any{}, edited...)
	}
	return value
}

// write writes a value in a layout of its own, with other spellings.
func (g generator) write(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	switch g.IntN(5) {
	case 0:
		return data
	case 1:
		_ = json.Indent(&out, data, "", "  ")
	case 2:
		_ = json.Indent(&out, data, "", "\t")
		out.WriteByte('\n')
	case 3:
		_ = json.Indent(&out, data, "", "    ")
		return bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte("\r\n"))
	case 4: // blanks anywhere
		inString := false
		for i, c := range data {
			if c == '"' && (i == 0 || data[i-1] != '\\') {
				inString = !inString
			}
			if !inString && strings.IndexByte("{}[],:", c) >= 0 {
				out.WriteString([]string{"", " ", "\n "}[g.IntN(3)])
				out.WriteByte(c)
				out.WriteString([]string{"", " ", "\t"}[g.IntN(3)])
				continue
			}
			out.WriteByte(c)
		}
	}
	return out.Bytes()
}

func decodeJSON(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return value
}

// same compares by the rules of encoding/json, and numbers exactly.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, okX := new(big.Rat).SetString(string(a))
		y, okY := new(big.Rat).SetString(string(b))
		return okX && okY && x.Cmp(y) == 0
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			other, ok := b[key]
			if !ok || !same(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// wantUntouched checks that equal values at the same place in both have the same bytes.
func wantUntouched(t *testing.T, old, merged []byte) {
	t.Helper()
	if same(decodeJSON(t, old), decodeJSON(t, merged)) {
		if !bytes.Equal(bytes.TrimSpace(old), bytes.TrimSpace(merged)) {
			t.Fatalf("equal, but %q became %q", old, merged)
		}
		return
	}
	var oldMembers, newMembers map[string]json.RawMessage
	if json.Unmarshal(old, &oldMembers) == nil && json.Unmarshal(merged, &newMembers) == nil {
		for key, value := range oldMembers {
			if other, stays := newMembers[key]; stays {
				wantUntouched(t, value, other)
			}
		}
	}
}

// TestMergeRandom: JSONSTORE_SPLICE_EDITS says how many edits are tried.
func TestMergeRandom(t *testing.T) {
	edits := 20_000
	if text, ok := os.LookupEnv("JSONSTORE_SPLICE_EDITS"); ok {
		var err error
		if edits, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d edits", seed, edits)
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	for n := range edits {
		value := g.value(4)
		edited := g.edit(value)
		old, new := g.write(value), g.write(edited)
		if !g.merge(t, old, new) {
			t.Fatalf("seed %d, edit %d", seed, n)
		}
	}
}

func (g generator) merge(t *testing.T, old, new []byte) bool {
	t.Helper()
	merged, err := Merge(old, new, Limits{})
	if err != nil {
		t.Errorf("%q + %q: %v", old, new, err)
		return false
	}
	if !same(decodeJSON(t, merged), decodeJSON(t, new)) {
		t.Errorf("%q + %q = %q", old, new, merged)
		return false
	}
	wantUntouched(t, old, merged)
	again, err := Merge(merged, new, Limits{})
	if err != nil || !bytes.Equal(again, merged) {
		t.Errorf("merged again, %q becomes %q (%v)", merged, again, err)
		return false
	}
	return true
}

// TestMergeChangeRandom: members that are not in before and after survive to the byte,
// and the others get the values of after.
func TestMergeChangeRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	g := generator{rand.New(rand.NewPCG(seed, 2))}
	for n := range 5000 {
		known, unknown := map[string]any{}, map[string]any{}
		for i := range 1 + g.IntN(6) {
			known[fmt.Sprintf("k%d", i)] = g.value(2)
			unknown[fmt.Sprintf("u%d", i)] = g.value(2)
		}
		all := map[string]any{}
		for key, value := range known {
			all[key] = value
		}
		for key, value := range unknown {
			all[key] = value
		}
		edited := g.edit(known)
		object, ok := edited.(map[string]any)
		if !ok {
			continue
		}
		old, before, after := g.write(all), g.write(known), g.write(object)
		merged, err := MergeChange(old, before, after, Limits{})
		if err != nil {
			t.Fatalf("seed %d, %d: %v", seed, n, err)
		}
		var oldMembers, newMembers map[string]json.RawMessage
		if err := json.Unmarshal(old, &oldMembers); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(merged, &newMembers); err != nil {
			t.Fatal(err)
		}
		for key := range unknown {
			if !bytes.Equal(oldMembers[key], newMembers[key]) {
				t.Fatalf("seed %d, %d: %s was %s and is %s", seed, n, key, oldMembers[key],
					newMembers[key])
			}
			delete(newMembers, key)
		}
		rest, err := json.Marshal(newMembers)
		if err != nil || !same(decodeJSON(t, rest), decodeJSON(t, after)) {
			t.Fatalf("seed %d, %d: %q, %q -> %q gives %q (%v)", seed, n, old, before, after,
				merged, err)
		}
	}
}

// TestMergeDuplicates: where duplicate keys are allowed, the last counts.
func TestMergeDuplicates(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	g := generator{rand.New(rand.NewPCG(seed, 4))}
	var write func(depth int) string
	write = func(depth int) string {
		open, end, key := "[", "]", func() string { return "" }
		switch n := g.IntN(4); {
		case n == 0 || depth == 0:
			return strconv.Itoa(g.IntN(3))
		case n < 3:
			open, end, key = "{", "}", func() string {
				return []string{`"a": `, `"A": `, `"b": `,
					`"\u0061": `}[g.IntN(4)]
			}
		}
		var parts []string
		for range g.IntN(5) {
			parts = append(parts, key()+write(depth-1))
		}
		return open + strings.Join(parts, ", ") + end
	}
	lim := Limits{AllowDuplicateKeys: true}
	for range 5000 {
		old, new := write(4), write(4)
		merged, err := Merge([]byte(old), []byte(new), lim)
		if equal, _ := Equal(merged, []byte(new), lim); err != nil || !equal ||
			!same(decodeJSON(t, merged), decodeJSON(t, []byte(new))) {
			t.Fatalf("seed %d: %s + %s = %s, %v", seed, old, new, merged, err)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"a": 1, "b": [1, 2]}`), []byte(`{"b":[2],"c":{}}`))
	f.Add([]byte("[1,\n2]"), []byte(`{"a":[[]]}`))
	f.Add([]byte(`1e999999999999999999999`), []byte(`10e999999999999999999998`))
	f.Fuzz(func(t *testing.T, old, new []byte) {
		merged, err := Merge(old, new, Limits{})
		valid := Check(new, Limits{}) == nil && (len(old) == 0 || Check(old, Limits{}) == nil)
		if (err == nil) != valid {
			t.Fatalf("%q + %q: %v", old, new, err)
		}
		if err != nil {
			return
		}
		// Merge itself decides whether the two are equal: no change must be left.
		if err := Check(merged, Limits{}); err != nil {
			t.Fatalf("%q + %q = %q: %v", old, new, merged, err)
		}
		if again, err := Merge(new, merged, Limits{}); err != nil || !bytes.Equal(again, new) {
			t.Fatalf("%q + %q = %q, which is another value: %q, %v", old, new, merged, again, err)
		}
		wantUntouchedBig(t, old, merged)
		if again, err := Merge(old, new, Limits{large: 1}); err != nil ||
			!bytes.Equal(again, merged) {
			t.Fatalf("%q + %q = %q, and as if large %q, %v", old, new, merged, again, err)
		}
		given, err := MergeSpelled(old, new, AsGiven, Limits{})
		if same, err2 := Equal(given, new, Limits{}); err != nil || err2 != nil || !same {
			t.Fatalf("%q + %q as given = %q, %v, %v", old, new, given, err, err2)
		}
		if numbers(t, given) != numbers(t, new) {
			t.Fatalf("%q + %q as given = %q, with other numbers", old, new, given)
		}
	})
}

// numbers returns all numbers of a document as spelled, in any order.
func numbers(t *testing.T, data []byte) string {
	var all []string
	for text := range Numbers(data) {
		all = append(all, string(text))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// wantUntouchedBig is wantUntouched, unless numbers are too large for exact comparison.
func wantUntouchedBig(t *testing.T, old, merged []byte) {
	if len(old) > 0 && !bytes.ContainsAny(old, "eE") && !bytes.ContainsAny(merged, "eE") &&
		!bytes.Contains(old, []byte(`\u`)) {
		wantUntouched(t, old, merged)
	}
}
