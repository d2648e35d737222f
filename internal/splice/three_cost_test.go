// What merges cost at most: time and memory do not grow with the square of the size.

package splice

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestThreeSameID merges objects with one id, which both sides have added many of.
func TestThreeSameID(t *testing.T) {
	const count = 60_000
	list := func(by int) []byte {
		var b strings.Builder
		for i := range count {
			fmt.Fprintf(&b, `%s{"id":1,"n":%d}`, []string{"[", ","}[min(i, 1)], (i+1)*by)
		}
		return []byte(b.String() + "]")
	}
	start := time.Now()
	_, clashes, err := Three([]byte("[]"), list(1), list(-1), Ours, Limits{})
	if err != nil || len(clashes) != count {
		t.Errorf("%d clashes, %v, want %d", len(clashes), err, count)
	}
	if took := time.Since(start); took > 30*time.Second { // less than a second, or most of a minute
		t.Errorf("it took %v", took)
	}
}

// TestThreeDeepClashes: where the ways to the conflicts would take much more memory than the
// documents, that is an error.
func TestThreeDeepClashes(t *testing.T) {
	const depth, count = 5000, 4000
	object := func(value string) []byte {
		var b strings.Builder
		b.WriteString(strings.Repeat(`{"a":`, depth))
		for i := range count {
			fmt.Fprintf(&b, `%s"k%d":%s`, []string{"{", ","}[min(i, 1)], i, value)
		}
		return []byte(b.String() + strings.Repeat("}", depth+1))
	}
	mark := object(`{"` + MarkKey + `":{}}`)
	for name, merge := range map[string]func() error{
		"merge": func() error {
			_, _, err := Three(object("1"), object("2"), object("3"), Both, Limits{})
			return err
		},
		"marks": func() error {
			_, err := Marks(mark, Limits{})
			return err
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := merge()
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errTooMany) {
			t.Errorf("%s: error %v, want %v", name, err, errTooMany)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 300 {
			t.Errorf("%s: %d MB were allocated", name, took)
		}
	}
}
