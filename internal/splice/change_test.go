// Examples of MergeChange for values that encoding/json encoded: keys in another case,
// and array elements that move, disappear, appear and change.

package splice

import (
	"bytes"
	"encoding/json"
	"testing"
)

type change struct{ name, old, before, after, want string }

func runChanges(t *testing.T, lim Limits, tests []change) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := MergeChange([]byte(test.old), []byte(test.before), []byte(test.after), lim)
			if err != nil || string(got) != test.want {
				t.Errorf("%s with %s -> %s\n got %s, %v\nwant %s", test.old, test.before,
					test.after, got, err, test.want)
			}
		})
	}
}

func TestMergeChangeFolds(t *testing.T) {
	runChanges(t, Limits{}, []change{
		{"the exact key belongs to another", `{"name": "b"}`, `{"Name":"","name":"b"}`, `{"Name":"x","name":"b"}`, `{"name": "b", "Name": "x"}`},
		{"the exact key belongs to another, which goes too", `{"name": "b", "u": 1}`, `{"Name":"","name":"b"}`, `{"Name":"x"}`, `{"u": 1, "Name": "x"}`},
		{"a key goes whose fold is another's", `{"name": "b"}`, `{"Name":"","name":"b"}`, `{"name":"b"}`, `{"name": "b"}`},
		{"two keys fold onto one member", `{"NAME": "a"}`, `{"Name":"a","name":""}`, `{"Name":"a","name":"y"}`, `{"NAME": "a", "name": "y"}`},
		{"two keys fold onto one member, both change", `{"NAME": "a"}`, `{"Name":"a","name":""}`, `{"Name":"x","name":"y"}`, `{"NAME": "x", "name": "y"}`},
		{"the first field is left out before", `{"NAME": ""}`, `{"name":""}`, `{"Name":"x","name":"z"}`, `{"NAME": "x", "name": "z"}`},
		{"the last member counts", `{"Name": "a", "name": "b"}`, `{"Name":"b"}`, `{"Name":"c"}`, `{"Name": "a", "name": "c"}`},
		{"the last member counts, the exact one", `{"name": "b", "Name": "a"}`, `{"Name":"a"}`, `{"Name":"c"}`, `{"name": "b", "Name": "c"}`},
		{"all members of a key go", `{"Name": "a", "u": 1, "name": "b"}`, `{"Name":"b"}`, `{}`, `{"u": 1}`},
		{"a member that may be a field that is left out", `{"Name": "a", "name": ""}`, `{"Name":"a"}`, `{"Name":"c"}`, `{"Name": "c"}`},
		{"members that decode into one map", `{"M": {"a": 1, "b": 2}, "m": {"b": 3}}`, `{"M":{"a":1,"b":3}}`, `{"M":{"b":4}}`, `{"M": {"b": 4}, "m": {"b": 4}}`},
		{"a zero field in another case", `{"name": ""}`, `{"Name":""}`, `{"Name":"x"}`, `{"name": "x"}`},
		{"a field that was left out, in another case", `{"name": "", "u": 1}`, `{}`, `{"Name":"x"}`, `{"name": "x", "u": 1}`},
		{"beyond ASCII", `{"É": 1, "ſ": 2}`, `{"é":1,"S":2}`, `{"é":3,"S":4}`, `{"É": 3, "ſ": 4}`},
		{"keys of a map are what they are", `{"a": 1, "A": 2}`, `{"A":2,"a":1}`, `{"A":2,"a":3}`, `{"a": 3, "A": 2}`},
		{"a key of a map in another case", `{"a": 1}`, `{"a":1}`, `{"A":1}`, `{"A": 1}`},
		{"what was zero keeps what is unknown", `{"sub": {"u": 1, "a": 0}}`, `{}`, `{"sub":{"a":5}}`, `{"sub": {"u": 1, "a": 5}}`},
	})
	runChanges(t, Limits{AllowDuplicateKeys: true}, []change{
		{"a key twice", `{"M": {"a": 1}, "M": {"b": 2}}`, `{"M":{"a":1,"b":2}}`, `{"M":{"b":3}}`, `{"M": {"b": 3}, "M": {"b": 3}}`},
		{"a key twice goes twice", `{"M": 1, "u": 0, "M": 2}`, `{"M":2}`, `{}`, `{"u": 0}`},
	})
	// Merge compares keys as they are.
	got, err := Merge([]byte(`{"Name": 1, "name": 2}`), []byte(`{"Name":1,"NAME":3}`), Limits{})
	if err != nil || string(got) != `{"Name": 1, "NAME": 3}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestMergeChangeArrays(t *testing.T) {
	runChanges(t, Limits{}, []change{
		{"moved", `[{"id": 1, "u": 10}, {"id": 2, "u": 20}, {"id": 3, "u": 30}]`, `[{"id":1},{"id":2},{"id":3}]`, `[{"id":3},{"id":2},{"id":1}]`,
			`[{"id": 3, "u": 30}, {"id": 2, "u": 20}, {"id": 1, "u": 10}]`},
		{"one goes and another changes", `[{"id": 1, "n": 1, "u": 10}, {"id": 2, "n": 2, "u": 20}]`, `[{"id":1,"n":1},{"id":2,"n":2}]`, `[{"id":2,"n":3}]`,
			`[{"id": 2, "n": 3, "u": 20}]`},
		{"one comes and another changes", `[{"id": 1, "n": 1, "u": 10}]`, `[{"id":1,"n":1}]`, `[{"id":5,"n":5},{"id":1,"n":2}]`,
			`[{"id": 5, "n": 5}, {"id": 1, "n": 2, "u": 10}]`},
		{"as many go as come", `[{"id": 1, "n": 1, "u": 10}, {"id": 2, "n": 2, "u": 20}]`, `[{"id":1,"n":1},{"id":2,"n":2}]`, `[{"id":2,"n":7},{"id":9,"n":8}]`,
			`[{"id": 2, "n": 7, "u": 20}, {"id": 9, "n": 8}]`},
		{"replaced by one that has nothing of it", `[{"id": 1, "n": 1, "u": 10}]`, `[{"id":1,"n":1}]`, `[{"id":2,"n":2}]`, `[{"id": 2, "n": 2}]`},
		{"moved and changed", `[{"id": 1, "n": 1, "u": 10}, {"id": 2, "n": 2, "u": 20}]`, `[{"id":1,"n":1},{"id":2,"n":2}]`, `[{"id":2,"n":5},{"id":1,"n":6}]`,
			`[{"id": 2, "n": 5, "u": 20}, {"id": 1, "n": 6, "u": 10}]`},
		{"known by name", `[{"name": "a", "n": 1, "u": 10}, {"name": "b", "n": 2, "u": 20}]`, `[{"name":"a","n":1},{"name":"b","n":2}]`, `[{"name":"b","n":3}]`,
			`[{"name": "b", "n": 3, "u": 20}]`},
		{"the id counts more than the rest", `[{"id": 1, "a": 1, "b": 1, "u": 1}, {"id": 2, "a": 2, "b": 2, "u": 2}]`, `[{"id":1,"a":1,"b":1},{"id":2,"a":2,"b":2}]`, `[{"id":2,"a":1,"b":1}]`,
			`[{"id": 2, "a": 1, "b": 1, "u": 2}]`},
		{"the first of equal ones stays", `[{"a": 1, "u": 1}, {"a": 1, "u": 2}, {"a": 1, "u": 3}]`, `[{"a":1},{"a":1},{"a":1}]`, `[{"a":1}]`, `[{"a": 1, "u": 1}]`},
		{"the first of equal ones after another", `[{"a": 0}, {"a": 1, "u": 1}, {"a": 1, "u": 2}]`, `[{"a":0},{"a":1},{"a":1}]`, `[{"a":1}]`, `[{"a": 1, "u": 1}]`},
		{"one comes before equal ones", `[{"a": 1, "u": 1}, {"a": 1, "u": 2}]`, `[{"a":1},{"a":1}]`, `[{"a":0},{"a":1},{"a":1}]`, `[{"a": 0}, {"a": 1, "u": 1}, {"a": 1, "u": 2}]`},
		{"one of equal ones changes", `[{"a": 1, "u": 1}, {"a": 1, "u": 2}, {"a": 1, "u": 3}]`, `[{"a":1},{"a":1},{"a":1}]`, `[{"a":1},{"a":2},{"a":1}]`,
			`[{"a": 1, "u": 1}, {"a": 2, "u": 2}, {"a": 1, "u": 3}]`},
		{"most alike, without an id", `[{"a": 1, "b": 1, "c": 1, "u": 1}, {"a": 1, "b": 2, "c": 2, "u": 2}]`, `[{"a":1,"b":1,"c":1},{"a":1,"b":2,"c":2}]`, `[{"a":7,"b":2,"c":2}]`,
			`[{"a": 7, "b": 2, "c": 2, "u": 2}]`},
		{"none can be told", `[{"id": 1, "on": true, "u": 1}, {"id": 2, "on": true, "u": 2}]`, `[{"id":1,"on":true},{"id":2,"on":true}]`, `[{"id":9,"on":true}]`,
			`[{"id": 9, "on": true}]`},
		{"an id that is left out", `[{"id": 1, "n": 1, "u": 1}]`, `[{"id":1,"n":1}]`, `[{"n":1}]`, `[{"n": 1}]`},
		{"arrays in arrays", `[[{"a": 1, "u": 1}], [{"a": 2, "u": 2}, {"a": 3}, {"a": 4}]]`, `[[{"a":1}],[{"a":2},{"a":3},{"a":4}]]`, `[[{"a":2},{"a":3},{"a":5}]]`,
			`[[{"a": 2, "u": 2}, {"a": 3}, {"a": 5}]]`},
		{"an array with a fixed length", `[{"a": 1, "u": 1}]`, `[{"a":1},{"a":0}]`, `[{"a":2},{"a":3}]`, `[{"a": 2, "u": 1}, {"a": 3}]`},
	})
}

// TestMergeChangeOtherOrder: if a type sorts or filters its elements, only what it has
// counts.
func TestMergeChangeOtherOrder(t *testing.T) {
	runChanges(t, Limits{}, []change{
		{"sorted", `["b", "a"]`, `["a","b"]`, `["a","c"]`, `["a", "c"]`},
		{"filtered", `["a", "a", "b"]`, `["a","b"]`, `["a","b","c"]`, `["a", "b", "c"]`},
		{"numbers that lost precision", `[0.123456789, 12345678901234567890, 1]`, `[0.12345679,12345678901234567000,1]`, `[0.12345679,12345678901234567000,2]`,
			`[0.123456789, 12345678901234567890, 2]`},
		{"null is zero", `[null, "a"]`, `["","a"]`, `["","b"]`, `[null, "b"]`},
	})
}

// TestMergeChangeOmitted: two changed members that follow each other in the document and
// in the new value, but not in the old one, where a field is between them.
func TestMergeChangeOmitted(t *testing.T) {
	got, err := MergeChange([]byte(`{"a":1,"b":1,"x":2}`), []byte(`{"a":1,"x":2,"b":1}`),
		[]byte(`{"a":2,"b":2}`), Limits{})
	if want := `{"a":2,"b":2}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// TestMergeChangeEmpty: an empty value is not JSON, which is an error, not a panic.
func TestMergeChangeEmpty(t *testing.T) {
	for _, test := range [][2]string{{"", "{}"}, {"{}", ""}, {"", ""}, {" ", "{}"}} {
		if got, err := MergeChange([]byte("{}"), []byte(test[0]), []byte(test[1]),
			Limits{}); err == nil {
			t.Errorf("%q -> %q gives %q", test[0], test[1], got)
		}
	}
}

// TestMergeChangeManyElements: the same in arrays too long for comparing all pairs.
func TestMergeChangeManyElements(t *testing.T) {
	type item struct {
		ID int `json:"id"`
		N  int `json:"n"`
	}
	var old, want bytes.Buffer
	var before, after []item
	const count = 5000
	old.WriteByte('[')
	want.WriteByte('[')
	for i := range count {
		if i > 0 {
			old.WriteString(", ")
			want.WriteString(", ")
		}
		encoded, _ := json.Marshal(map[string]int{"id": i, "n": i, "u": i})
		old.Write(encoded)
		before = append(before, item{i, i})
		j := count - 1 - i
		encoded, _ = json.Marshal(map[string]int{"id": j, "n": j + j%2, "u": j})
		want.Write(encoded)
		after = append(after, item{j, j + j%2})
	}
	old.WriteByte(']')
	want.WriteByte(']')
	b, _ := json.Marshal(before)
	a, _ := json.Marshal(after)
	got, err := MergeChange(old.Bytes(), b, a, Limits{})
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%.200s, %v\nwant %.200s", got, err, want.Bytes())
	}
}
