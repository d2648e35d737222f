package splice

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func changesOf(t *testing.T, before, after string, lim Limits) string {
	t.Helper()
	found, err := Changes([]byte(before), []byte(after), 5, lim)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Prepare([]byte(before), lim)
	b, otherErr := Prepare([]byte(after), lim)
	if err != nil || otherErr != nil {
		t.Fatal(err, otherErr)
	}
	if again := a.Changes(b, 5); !reflect.DeepEqual(found, again) {
		t.Errorf("%v, and prepared %v", found, again)
	}
	var all []string
	for _, c := range found {
		text := ""
		switch {
		case c.Added:
			text = "+"
		case c.Removed:
			text = "-"
		}
		for _, s := range c.Way {
			if s.Index == Nowhere {
				text += "/" + s.Key
			} else {
				text += fmt.Sprintf("/%d", s.Index)
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestChanges(t *testing.T) {
	long := `"` + strings.Repeat("x", 3000) + `"`
	for _, c := range []struct{ before, after, want string }{
		{`{"a":1}`, ` { "a" : 1.0 } `, ""},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, ""},
		{`1`, `2`, ""}, // the whole: no step, as in the next
		{`{"a":1}`, `{"a":2}`, "/a"},
		{`{"a":{"b":[1,{"c":true}]}}`, `{"a":{"b":[1,{"c":false}]}}`, "/a/b/1/c"},
		{`{"a":1,"c":3}`, `{"b":2,"c":3}`, "-/a +/b"},
		{`[1,2,3]`, `[0,1,2,3]`, "+/0"},
		{`[1,2,3]`, `[1,2]`, "-/2"},
		{`[1,2,3]`, `[1,9,3]`, "/1"},
		{`[1,1]`, `[1,1,1]`, "+/2"},
		{`[]`, `[1,2,3,4,5,6,7]`, "+/0 +/1 +/2 +/3 +/4"},
		{`{"a":[]}`, `{"a":{}}`, "/a"},
		{`{"x":` + long + `,"y":{"z":1}}`, `{"x":` + long + `,"y":{"z":2}}`, "/y/z"},
		{`{"a":1,"a":2}`, `{"a":2}`, ""},
	} {
		for _, large := range []int{0, 1} {
			lim := Limits{AllowDuplicateKeys: true, large: large}
			if got := changesOf(t, c.before, c.after, lim); got != c.want {
				t.Errorf("%.40s to %.40s: %q, want %q", c.before, c.after, got, c.want)
			}
		}
	}
	whole, err := Changes([]byte("1"), []byte("[]"), 5, Limits{})
	if err != nil || len(whole) != 1 || len(whole[0].Way) != 0 {
		t.Errorf("%v, %v", whole, err)
	}
	if _, err := Changes([]byte("1"), []byte("["), 5, Limits{}); err == nil {
		t.Error("no error")
	}
}

func BenchmarkChanges(b *testing.B) {
	before := []byte(`{"theme":{"color":"light"},"size":1,"n":5000}`)
	after := []byte(`{"theme":{"color":"light"},"size":1,"n":5001}`)
	b.ReportAllocs()
	for b.Loop() {
		if found, err := Changes(before, after, 6, Limits{}); err != nil || len(found) != 1 {
			b.Fatal(found, err)
		}
	}
}
