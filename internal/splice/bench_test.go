// Benchmarks of merges: documents of three sizes, and shapes of doubling size, where
// the time must not more than double.

package splice

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// many changes every tenth number of a document by sized.
func many(data []byte) []byte {
	return bytes.ReplaceAll(data, []byte("7.5}"), []byte("8.5}"))
}

// inside changes one number in the middle.
func inside(data []byte) []byte {
	half := len(data) / 2
	return append(bytes.Clone(data[:half]),
		bytes.Replace(data[half:], []byte(".5}"), []byte(".25}"), 1)...)
}

func BenchmarkSizes(b *testing.B) {
	for _, size := range []int{200, 10 << 10, 1 << 20} {
		old := sized(size)
		one, lots := inside(old), many(old)
		known, changed := bytes.ReplaceAll(old, []byte(`"name": "somebody", `),
			nil), bytes.ReplaceAll(one, []byte(`"name": "somebody", `), nil)
		for _, bench := range []struct {
			name string
			f    func() error
		}{
			{"check", func() error { return Check(old, Limits{}) }},
			{"parse", func() error { _, err := Parse(old, Limits{}); return err }},
			{"equal", func() error { _, err := Equal(old, one, Limits{}); return err }},
			{"merge-one", func() error { _, err := Merge(old, one, Limits{}); return err }},
			{"merge-many", func() error { _, err := Merge(old, lots, Limits{}); return err }},
			{"change-one", func() error { _, err := MergeChange(old, known, changed, Limits{}); return err }},
		} {
			b.Run(fmt.Sprintf("%s/%d", bench.name, size), func(b *testing.B) {
				b.SetBytes(int64(len(old)))
				b.ReportAllocs()
				for range b.N {
					if err := bench.f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// shapes are pairs of documents of about n parts, before and after a change.
var shapes = []struct {
	name string
	make func(n int) (old, new string)
}{
	{"wide object", func(n int) (string, string) { return wide(n, "0"), wide(n, "1") }},
	{"wide object turned round", func(n int) (string, string) {
		var keys []string
		for i := range n {
			keys = append(keys, fmt.Sprintf(`"key%d": %d`, n-i, n-i))
		}
		return wide(n, "0"), "{" + strings.Join(keys, ",") + "}"
	}},
	{"deep array", func(n int) (string, string) { return deep(n, "[1, ", "1", "]"), deep(n, "[1, ", "2", "]") }},
	{"deep object", func(n int) (string, string) {
		return deep(n, `{"b": 1, "a": `, "1", "}"), deep(n, `{"a":`, "2", `,"b":1}`)
	}},
	{"deep array of objects", func(n int) (string, string) {
		return deep(n, `[{"id": 1, "n": 2}, {"id": 2, "a": `, "1", "}]"), deep(n,
			`[{"id": 2, "a": `, "2", "}]")
	}},
	{"deep new value", func(n int) (string, string) { return "{\n  \"a\": 1\n}", deep(n, `{"a":`, "2", `}`) }},
	{"long array", func(n int) (string, string) {
		return "[" + strings.Repeat("{\"a\": 1}, ", n) + "0]", "[0," +
			strings.Repeat("{\"a\":1},", n/2) + "1," + strings.Repeat("{\"a\":2},", n/2) + "2]"
	}},
	{"long array turned round", func(n int) (string, string) {
		var old, new []string
		for i := range n {
			old, new = append(old, fmt.Sprintf(`{"id": %d, "n": 1}`, i)), append(new,
				fmt.Sprintf(`{"id": %d, "n": %d}`, n-i, i%2))
		}
		return "[" + strings.Join(old, ", ") + "]", "[" + strings.Join(new, ", ") + "]"
	}},
	{"wide objects turned round", func(n int) (string, string) {
		var old, new []string
		for i := range n / 40 {
			form := `"key%d": "%0150d", `
			if i%2 == 1 {
				form = `"key%d": %d, `
			}
			var members strings.Builder
			for k := range 40 {
				fmt.Fprintf(&members, form, k, i*40+k)
			}
			old = append(old, "{"+members.String()+`"n": 1}`)
			new = append(new, "{"+members.String()+`"n": 2}`)
		}
		slices.Reverse(new)
		return "[" + strings.Join(old, ", ") + "]", "[" + strings.Join(new, ", ") + "]"
	}},
}

func wide(n int, last string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"key%d": %d, `, i, i)
	}
	return "{" + b.String() + `"last": ` + last + "}"
}

func deep(n int, open, in, end string) string {
	return strings.Repeat(open, n) + in + strings.Repeat(end, n)
}

func BenchmarkShapes(b *testing.B) {
	lim := Limits{Depth: 100_000}
	for _, shape := range shapes {
		for _, n := range []int{5000, 10_000, 20_000, 40_000} {
			old, new := shape.make(n)
			b.Run(strings.ReplaceAll(shape.name, " ", "-")+"/"+strconv.Itoa(n), func(b *testing.B) {
				for range b.N {
					if _, err := MergeChange([]byte(old), []byte(old), []byte(new),
						lim); err != nil {
						b.Fatal(err)
					}
					if _, err := Merge([]byte(old), []byte(new), lim); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
