package merge_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/merge"
)

func ExampleThree() {
	base := []byte(`{"theme": "light", "size": 1.10, "users": [{"id": 1, "age": 36}]}`)
	ours := []byte(`{"theme": "dark", "size": 1.10, "users": [{"id": 1, "age": 36}]}`)
	theirs := []byte(`{"size": 1.1, "theme": "light", "users": [{"id": 2}, {"id": 1, "age": 37}]}`)
	merged, err := merge.Three(base, ours, theirs, nil)
	fmt.Println(string(merged), err)
	// Output: {"theme": "dark", "size": 1.10, "users": [{"id": 2}, {"id": 1, "age": 37}]} <nil>
}

func ExampleConflicts() {
	base, ours, theirs := []byte(`{"n": 1, "s": "a"}`), []byte(`{"n": 2}`), []byte(`{"n": 3, "s": "b"}`)
	_, err := merge.Three(base, ours, theirs, nil)
	var conflicts *merge.Conflicts
	if errors.As(err, &conflicts) {
		for _, c := range conflicts.List {
			fmt.Println(c)
		}
	}
	// Output:
	// s: base "a", ours absent, theirs "b"
	// n: base 1, ours 2, theirs 3
}

func TestResolutions(t *testing.T) {
	base, ours, theirs := `{"n": 1, "m": 1}`, `{"n": 2, "m": 1}`, `{"n": 3, "m": 2}`
	for _, test := range []struct {
		resolution merge.Resolution
		want       string
		conflicts  int
	}{
		{merge.Refuse, "", 1},
		{merge.Mark, `{"n": {"<<<<<<<": {"base": 1, "ours": 2, "theirs": 3}}, "m": 2}`, 1},
		{merge.PreferOurs, `{"n": 2, "m": 2}`, 0},
		{merge.PreferTheirs, `{"n": 3, "m": 2}`, 0},
	} {
		opts := &merge.Options{Resolution: test.resolution}
		got, err := merge.Three([]byte(base), []byte(ours), []byte(theirs), opts)
		var conflicts *merge.Conflicts
		count := 0
		if errors.As(err, &conflicts) {
			count = len(conflicts.List)
		} else if err != nil {
			t.Error(err)
		}
		if string(got) != test.want || count != test.conflicts {
			t.Errorf("%d: got %q, %v, want %q", test.resolution, got, err, test.want)
		}
		if test.resolution != merge.Mark {
			continue
		}
		paths, err := merge.Marks(got, nil)
		if err != nil || len(paths) != 1 || paths[0] != "n" {
			t.Errorf("marks at %q, %v", paths, err)
		}
	}
	if _, err := merge.Three(nil, nil, nil, &merge.Options{Resolution: 9}); err == nil {
		t.Error("an unknown resolution is accepted")
	}
}

func TestErrors(t *testing.T) {
	good := []byte(`{"a": {"b": 1}}`)
	_, err := merge.Three(good, good, []byte("{\n  \"a\" 1}"), nil)
	if want := "merge: theirs: line 2, column 7: unexpected '1', want ':'"; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := merge.Three(good, good, good, &merge.Options{MaxDepth: 1}); err == nil {
		t.Error("deeper than MaxDepth is accepted")
	}
	twice := []byte(`{"a": 1, "a": 2}`)
	if _, err := merge.Three(twice, twice, twice, nil); err == nil {
		t.Error("duplicate keys are accepted")
	}
	opts := &merge.Options{AllowDuplicateKeys: true}
	if _, err := merge.Three(twice, twice, twice, opts); err != nil {
		t.Error(err)
	}
	if _, err := merge.Marks([]byte("{"), nil); err == nil {
		t.Error("Marks accepts what is invalid")
	}
}

// TestConflictText: a conflict is one line, whatever the values are.
func TestConflictText(t *testing.T) {
	long := `"` + strings.Repeat("é", 100) + `"`
	for _, test := range []struct {
		conflict merge.Conflict
		want     string
	}{
		{merge.Conflict{Path: "a", Ours: []byte("1")}, "a: base absent, ours 1, theirs absent"},
		{merge.Conflict{Path: "a", Base: []byte("{\n  \"x\": [\n\t1]}"), Ours: []byte(long)},
			`a: base { "x": [ 1]}, ours "` + strings.Repeat("é", 29) + "…, theirs absent"},
	} {
		if got := test.conflict.String(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
