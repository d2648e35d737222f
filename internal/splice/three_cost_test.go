// What merges cost at most: time and memory do not grow with the square of the size.

package splice

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkThreeSameID merges objects with one id, which both sides have added many of. The
// metric stays about the same: the cost does not grow with the square of their number.
func BenchmarkThreeSameID(b *testing.B) {
	for _, count := range []int{1000, 10_000, 60_000} {
		list := func(by int) []byte {
			var s strings.Builder
			for i := range count {
				fmt.Fprintf(&s, `%s{"id":1,"n":%d}`, []string{"[", ","}[min(i, 1)], (i+1)*by)
			}
			return []byte(s.String() + "]")
		}
		ours, theirs := list(1), list(-1)
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			for b.Loop() {
				_, clashes, err := Three([]byte("[]"), ours, theirs, Ours, Limits{})
				if err != nil || len(clashes) != count {
					b.Fatalf("%d clashes, %v, want %d", len(clashes), err, count)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/element")
		})
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
