// Large documents, of which only the needed nodes are built.

package splice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// largeDocument has n objects of five members, one a line.
func largeDocument(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"x":0,"list":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		const form = `{"id":%d,"name":"user number %d","score":%d.%d,"active":%v,"pad":"%s"}`
		fmt.Fprintf(&b, "\n"+form,
			i, i, i%1000, i%97, i%2 == 1, strings.Repeat("x", 30))
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

// eachChanged changes one member of each object, and writes all on one line, the keys
// sorted.
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

// TestLargeAsSmall: results are the same whether all nodes are built at once or step by
// step.
func TestLargeAsSmall(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := &law{Rand: rand.New(rand.NewPCG(seed, 5))}
	values := generator{g.Rand}
	large := Limits{large: 1}
	check := func(do func(lim Limits) ([]byte, error), texts ...[]byte) {
		t.Helper()
		want, err := do(Limits{})
		got, err2 := do(large)
		if err != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %.2000q: large %.2000q, %v; small %.2000q, %v", seed, texts, got,
				err2, want, err)
		}
	}
	// Containers of more than a few KiB are read level by level.
	long := []byte(`"` + strings.Repeat("x", 5000) + `"`)
	for n := range 3000 {
		value := values.value(5)
		old, new := values.write(value), values.write(values.edit(value))
		if n%2 == 0 {
			old, new = bytes.ReplaceAll(old, []byte("true"), long), bytes.ReplaceAll(new,
				[]byte("true"), long)
		}
		for _, spelling := range []Spelling{KeepOld, AsGiven} {
			check(func(lim Limits) ([]byte, error) {
				return MergeSpelled(old, new, spelling, lim)
			}, old, new)
		}
		check(func(lim Limits) ([]byte, error) {
			same, err := Equal(old, new, lim)
			return fmt.Append(nil, same), err
		}, old, new)
	}
	for range 500 {
		var typed lawDoc
		g.fill(reflect.ValueOf(&typed).Elem(), 4)
		var old bytes.Buffer
		g.write(&old, reflect.ValueOf(typed), false)
		typed = lawDoc{}
		if err := json.Unmarshal(old.Bytes(), &typed); err != nil {
			t.Fatal(err)
		}
		before, _ := json.Marshal(typed)
		g.edit(reflect.ValueOf(&typed).Elem())
		after, _ := json.Marshal(typed)
		check(func(lim Limits) ([]byte, error) {
			return MergeChange(old.Bytes(), before, after,
				lim)
		}, old.Bytes(), before, after)
	}
}

// TestLocate: Locate finds the same nodes as a walk through the whole tree, and edits
// give the same results, though most of the tree is missing.
func TestLocate(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := generator{rand.New(rand.NewPCG(seed, 6))}
	for range 20_000 {
		data := g.write(g.value(4))
		var steps []Step
		for range g.IntN(4) {
			steps = append(steps, Step{Key: g.key(), Index: g.IntN(6) - 2})
		}
		root, err := Parse(data, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		nodes, part := []*Node{root}, 0
		for _, step := range steps {
			n := nodes[len(nodes)-1]
			at := step.Index
			switch {
			case n.Kind == Object:
				at = -1
				for i := range n.Members {
					if n.Members[i].Key == step.Key {
						at = i
					}
				}
			case at == Last:
				at = n.parts() - 1
			}
			if at < 0 || at >= n.parts() {
				break
			}
			nodes, part = append(nodes, n.value(at)), at
		}
		l, err := Locate(data, steps, Limits{})
		if err != nil || len(l.Nodes) != len(nodes) {
			t.Fatalf("seed %d: %v in %s: %d nodes, %v, want %d", seed, steps, data, len(l.Nodes),
				err, len(nodes))
		}
		for i, n := range nodes {
			if got := l.Nodes[i]; got.Kind != n.Kind || got.Start != n.Start ||
				got.End != n.End || n.Kind >= Array && l.Counts[i] != n.parts() {
				t.Fatalf("seed %d: %v in %s: node %d is %v, want %v", seed, steps, data, i, got, n)
			}
		}
		whole, some := NewEditor(data, root), NewEditor(data, l.Root)
		end, found := nodes[len(nodes)-1], l.End()
		same := func(what string, want, got []byte, err, err2 error) {
			t.Helper()
			if err != nil || err2 != nil || !bytes.Equal(want, got) {
				t.Fatalf("seed %d: %s at %v of %s: %s, %v; want %s, %v", seed, what, steps, data,
					got, err2, want, err)
			}
		}
		value := g.write(g.value(2))
		want, err := whole.Replace(end, value, AsGiven, Limits{})
		got, err2 := some.Replace(found, value, AsGiven, Limits{})
		same("Replace", want, got, err, err2)
		switch end.Kind {
		case Object:
			want, err = whole.AppendMember(end, "new", value, Limits{})
			got, err2 = some.AppendMember(found, "new", value, Limits{})
			same("AppendMember", want, got, err, err2)
		case Array:
			want, err = whole.InsertElem(end, len(end.Elems), value, Limits{})
			got, err2 = some.InsertElem(found, len(found.Elems), value, Limits{})
			same("InsertElem", want, got, err, err2)
		}
		if len(nodes) > 1 {
			want = whole.RemovePart(nodes[len(nodes)-2], part)
			got = some.RemovePart(l.Nodes[len(nodes)-2], l.Part())
			same("RemovePart", want, got, nil, nil)
		}
	}
}

// TestLocateMemory: finding one place takes almost no memory, whatever the document's
// size.
func TestLocateMemory(t *testing.T) {
	data := largeDocument(20_000)
	var before, after runtime.MemStats
	for _, steps := range [][]Step{{{Key: "x"}}, {{Key: "list"}, {Index: 19_000}, {Key: "pad"}},
		{{Key: "list"}, {Index: Last}}} {
		runtime.ReadMemStats(&before)
		l, err := Locate(data, steps, Limits{})
		runtime.ReadMemStats(&after)
		if err != nil || len(l.Nodes) != len(steps)+1 {
			t.Fatalf("%v: %d nodes, %v", steps, len(l.Nodes), err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(data))/2 &&
			steps[len(steps)-1].Index != Last {
			t.Errorf("%v took %d bytes of memory for %d", steps, took, len(data))
		}
	}
}
