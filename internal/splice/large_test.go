// Large documents, of which no more is taken apart than is needed.

package splice

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// largeDocument has n objects of five members, one a line.
func largeDocument(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"x":0,"list":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n"+`{"id":%d,"name":"user number %d","score":%d.%d,"active":%v,"pad":"%s"}`,
			i, i, i%1000, i%97, i%2 == 1, strings.Repeat("x", 30))
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

// eachChanged changes one member of each object, and writes all on one line, the keys sorted.
func eachChanged(data []byte, n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"list":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"active":%v,"id":%d,"name":"user number %d","pad":"%s","score":%d.%d}`,
			i%2 == 1, i+1, i, strings.Repeat("x", 30), i%1000, i%97)
	}
	b.WriteString(`],"x":0}`)
	return b.Bytes()
}

func BenchmarkLarge(b *testing.B) {
	const n = 100_000
	old := largeDocument(n)
	each := eachChanged(old, n)
	one := bytes.Replace(each, []byte(`"id":70001,`), []byte(`"id":7,`), 1)
	for name, f := range map[string]func() error{
		"check":  func() error { return Check(old, Limits{}) },
		"locate": func() error { _, err := Locate(old, []Step{{Key: "list"}, {Index: 7}}, Limits{}); return err },
		"each":   func() error { _, err := Merge(old, each, Limits{}); return err },
		"one":    func() error { _, err := Merge(each, one, Limits{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(old)))
			b.ReportAllocs()
			for range b.N {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
		})
	}
}
