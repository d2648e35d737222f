// Benchmarks of edits of small documents.

package docpath

import (
	"testing"

	"github.com/jsonstore/jsonstore/internal/splice"
)

func BenchmarkEdits(b *testing.B) {
	small := []byte(`{"count": 1, "theme": {"color": "dark", "size": 12}, "tags": ["a", "b", "c"]}`)
	for name, f := range map[string]func() error{
		"get":    func() error { _, _, err := Get(small, "theme.size", lim); return err },
		"set":    func() error { _, err := Set(small, "theme.size", []byte("13"), splice.KeepOld, lim); return err },
		"add":    func() error { _, _, err := Add(small, "count", "1", lim); return err },
		"append": func() error { _, err := Append(small, "tags", []byte(`"d"`), lim); return err },
		"delete": func() error { _, _, err := Delete(small, "theme.color", lim); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
