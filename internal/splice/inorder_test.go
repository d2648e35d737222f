// Alignment without a search, and the stores of large documents.

package splice

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// objects writes an array of objects with few different values, so that there are
// duplicates and equal elements at other places.
func objects(g *rand.Rand, from [][]string) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, members := range from {
		if i > 0 {
			b.WriteByte(',')
		}
		members = slices.Clone(members)
		if g.IntN(8) == 0 {
			g.Shuffle(len(members), func(i, j int) {
				members[i], members[j] = members[j], members[i]
			})
		}
		b.WriteString("{" + strings.Join(members, ",") + "}")
	}
	b.WriteByte(']')
	return b.Bytes()
}

// bothWays aligns two arrays without a search, if they are in order, and with one.
func bothWays(t *testing.T, before, after []byte, lim Limits) (recognized, found []int) {
	t.Helper()
	var a [2]*aligner
	for i := range a {
		m, err := twoWay(before, after, KeepOld, lim)
		if err != nil {
			t.Fatal(err)
		}
		m.before.open(m.before.root)
		m.after.open(m.after.root)
		a[i] = m.aligner(m.before.root.Elems, m.after.root.Elems)
	}
	start, endB, endA := a[0].trim(0, len(a[0].before), len(a[0].after), a[0].sameText)
	if endB == endA && a[0].inOrder(start, endB) {
		recognized = a[0].from
	}
	a[1].search(a[1].trim(0, len(a[1].before), len(a[1].after), a[1].sameText))
	return recognized, a[1].from
}

// TestNotInOrder: arrays that look as if they were in order, and are not.
func TestNotInOrder(t *testing.T) {
	var pads strings.Builder
	for i := range maxKeys {
		fmt.Fprintf(&pads, `,"pad%d":0`, i)
	}
	late := func(one, other string) [2]string { // two ids after many, and before another
		var many strings.Builder
		for i := range 20 {
			fmt.Fprintf(&many, `{"id":%d,"n":0},`, i+10)
		}
		const form = `[{"id":1,"n":%d},%s{"id":%s,"n":%d},{"id":%s,"n":%d},{"id":"zzzzzzzzzzz","n":%d}]`
		return [2]string{
			fmt.Sprintf(form, 1, many.String(), one, 1, other, 2, 1),
			fmt.Sprintf(form, 2, many.String(), one, 2, other, 1, 2),
		}
	}
	for name, c := range map[string][2]string{
		"an equal element after the last": {
			`[{"id":1,"n":1},{"id":2,"n":1},{"id":2,"n":1}]`,
			`[{"id":1,"n":2},{"id":2,"n":5},{"id":2,"n":1}]`,
		},
		"an id that occurs twice": late("100", "100"),
		"an id with an exponent":  late("100", "1e2"),
		"an id with a fraction":   late("100", "100.0"),
		"an id with a sign":       late("0", "-0"),
		"an id with an escape":    late(`"aaaaa"`, `"\u0061aaaa"`),
		"a key after too many others": {
			`[{"name":"a","n":1},{"n":1` + pads.String() + `,"name":"b"},{"n":2` + pads.String() +
				`,"name":"c"},0]`,
			`[{"name":"a","n":1.0},{"n":2` + pads.String() + `,"name":"b"},{"n":1` +
				pads.String() + `,"name":"c"},0]`,
		},
		"the id has moved": {
			`[{"name":"a","id":1},{"name":"b","id":2}]`, `[{"name":"a","id":2},{"name":"b","id":1}]`,
		},
	} {
		recognized, found := bothWays(t, []byte(c[0]), []byte(c[1]), Limits{})
		if recognized != nil || slices.IsSorted(found) && !slices.Contains(found, -1) {
			t.Errorf("%s: recognized as %v, the search pairs %v", name, recognized, found)
		}
	}
}

// TestInOrder: what is recognized as in order, the search pairs in order too.
func TestInOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := rand.New(rand.NewPCG(seed, 7))
	inOrder := 0
	var pads []string
	for i := range maxKeys - 1 {
		pads = append(pads, fmt.Sprintf("pad%d", i))
	}
	for range 8000 {
		keys := [][]string{
			{"id", "name", "n"}, {"name", "n"}, {"n", "name", "ID"}, {"uuid", "id", "n"},
			{`i\u0064`, "n"}, {"n"}, {"name", "x", "_id"}, {"name", "id", "id", "n"},
			append(slices.Clone(pads), "id", "n"), append(slices.Clone(pads), "name", "n"),
		}[g.IntN(10)]
		member := func(key string, value int) string {
			form := []string{`"%d"`, "%d.0", "[%d]", `{"id":%d}`, "%d"}[min(g.IntN(40), 4)]
			return fmt.Sprintf(key+":"+form, value)
		}
		lim := Limits{large: 1 + g.IntN(2)*1000, AllowDuplicateKeys: g.IntN(4) == 0}
		const values = 12
		var old [][]string
		for i := range 1 + g.IntN(9) {
			var members []string
			for k, key := range keys {
				value := i
				if k == len(keys)-1 || g.IntN(40) == 0 {
					value = g.IntN(values)
				}
				if slices.Contains(pads, key) {
					members = append(members, `"`+key+`":0`)
				} else if !lim.AllowDuplicateKeys && slices.Contains(keys[:k], key) {
					continue
				} else if g.IntN(60) > 0 {
					members = append(members, member(`"`+key+`"`, value))
				}
			}
			old = append(old, members)
		}
		new := slices.Clone(old)
		if i, j := g.IntN(len(new)), g.IntN(len(new)); g.IntN(6) == 0 {
			new[i], new[j] = new[j], new[i]
		}
		for i, members := range new {
			members = slices.Clone(members)
			for k := range members {
				if g.IntN(2) == 0 && (k == len(members)-1 || g.IntN(40) == 0) {
					key, _, _ := strings.Cut(members[k], ":")
					members[k] = member(key, g.IntN(values))
				}
			}
			new[i] = members
		}
		before, after := objects(g, old), objects(g, new)
		recognized, found := bothWays(t, before, after, lim)
		if recognized == nil {
			continue
		}
		inOrder++
		if !slices.Equal(recognized, found) {
			t.Fatalf("seed %d: %s to %s: the search pairs %v", seed, before, after, found)
		}
	}
	if inOrder < 500 {
		t.Errorf("only %d were in order", inOrder)
	}
}

// TestShapesAsSmall: a large document whose parts may not be read again gives the same
// result. With deep nesting that happens after a few levels.
func TestShapesAsSmall(t *testing.T) {
	for _, shape := range shapes {
		old, new := shape.make(3000)
		for name, merge := range map[string]func(lim Limits) ([]byte, error){
			"Merge": func(lim Limits) ([]byte, error) { return Merge([]byte(old), []byte(new), lim) },
			"MergeChange": func(lim Limits) ([]byte, error) {
				return MergeChange([]byte(old), []byte(old), []byte(new), lim)
			},
		} {
			want, err := merge(Limits{})
			got, err2 := merge(Limits{large: 1})
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: got %.200s (%v), want %.200s (%v)", shape.name, name, got, err2,
					want, err)
			}
		}
	}
}
