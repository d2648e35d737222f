// The laws of Three, on random documents and random changes of them.

package splice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sides draws documents: values of maps, lists of objects with ids, lists of different
// strings, and scalars.
type sides struct {
	*rapid.T
	lists bool
	ids   int
}

func (g *sides) one(n int) int { return rapid.IntRange(0, n-1).Draw(g.T, "n") }

func (g *sides) scalar() any {
	all := []any{nil, true, false, "s", "t", "", json.Number("1"), json.Number("2.50"),
		json.Number("12345678901234567890")}
	return all[g.one(len(all))]
}

func (g *sides) value(depth int) any {
	if depth == 0 {
		return g.scalar()
	}
	kinds := 4
	if g.lists {
		kinds = 6
	}
	switch g.one(kinds) {
	case 0, 1:
		return g.scalar()
	case 2, 3:
		return g.object(depth)
	case 4:
		list := []any{}
		for range g.one(5) {
			list = append(list, g.item(depth-1))
		}
		return list
	default:
		list := []any{}
		for range g.one(5) {
			list = append(list, g.word())
		}
		return list
	}
}

func (g *sides) object(depth int) map[string]any {
	object := map[string]any{}
	for range g.one(4) {
		object[string(rune('a'+g.one(5)))] = g.value(depth - 1)
	}
	return object
}

// item is an object with an id that no other has, on either side.
func (g *sides) item(depth int) any {
	g.ids++
	object := g.object(max(depth, 1))
	object["id"] = json.Number(fmt.Sprint(g.ids))
	return object
}

// word is a string that no other list has, on either side.
func (g *sides) word() any {
	g.ids++
	return fmt.Sprintf("w%d", g.ids)
}

// change returns a value with changes in some places.
func (g *sides) change(value any, depth int) any {
	if g.one(8) == 0 {
		return g.value(depth)
	}
	switch value := value.(type) {
	case map[string]any:
		changed := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			switch n := g.one(8); {
			case key == "id" || n < 4:
				changed[key] = value[key]
			case n < 7:
				changed[key] = g.change(value[key], depth-1)
			}
		}
		if g.one(3) == 0 {
			key := string(rune('a' + g.one(5)))
			if _, ok := value[key]; !ok {
				changed[key] = g.value(max(depth-1, 0))
			}
		}
		return changed
	case []any:
		changed := []any{}
		for _, elem := range value {
			word := false
			if _, word = elem.(string); word && g.one(6) == 0 {
				changed = append(changed, g.word())
			}
			switch n := g.one(8); {
			case n < 5 || word && n < 7:
				changed = append(changed, elem)
			case n < 7:
				if object, ok := elem.(map[string]any); ok {
					elem = g.changeItem(object, depth)
				}
				changed = append(changed, elem)
			}
		}
		if len(value) > 0 && g.one(3) == 0 {
			at := g.one(len(changed) + 1)
			var more any = g.word()
			if _, ok := value[0].(string); !ok {
				more = g.item(depth - 1)
			}
			changed = slices.Insert(changed, at, more)
		}
		if len(changed) > 1 && g.one(4) == 0 {
			from := g.one(len(changed))
			elem := changed[from]
			changed = slices.Delete(changed, from, from+1)
			changed = slices.Insert(changed, g.one(len(changed)+1), elem)
		}
		return changed
	}
	if g.one(2) == 0 {
		return value
	}
	return g.scalar()
}

func (g *sides) changeItem(item map[string]any, depth int) any {
	for {
		if changed, ok := g.change(item, depth).(map[string]any); ok {
			changed["id"] = item["id"]
			return changed
		}
	}
}

// text writes a value with random white space and order of members.
func (g *sides) text(value any) []byte {
	blank := []string{"", " ", "\n  "}[g.one(3)]
	switch value := value.(type) {
	case map[string]any:
		var parts []string
		for _, key := range rapid.Permutation(slices.Sorted(maps.Keys(value))).Draw(g.T, "order") {
			parts = append(parts, blank+string(Quote(key))+":"+string(g.text(value[key])))
		}
		return []byte("{" + strings.Join(parts, ",") + "}")
	case []any:
		var parts []string
		for _, elem := range value {
			parts = append(parts, blank+string(g.text(elem)))
		}
		return []byte("[" + strings.Join(parts, ",") + "]")
	}
	text, err := json.Marshal(value)
	if err != nil {
		g.Fatal(err)
	}
	return text
}

// three are a base and two sides.
type three struct {
	base, ours, theirs             any
	baseText, oursText, theirsText []byte
}

func (g *sides) three() (d three) {
	d.base = g.object(3)
	d.ours, d.theirs = g.change(d.base, 3), g.change(d.base, 3)
	d.baseText, d.oursText, d.theirsText = g.text(d.base), g.text(d.ours), g.text(d.theirs)
	return d
}

func (d three) String() string {
	return fmt.Sprintf("base   %s\nours   %s\ntheirs %s", d.baseText, d.oursText, d.theirsText)
}

func exactly(t rapid.TB, text []byte) (value any) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func sure(t rapid.TB, base, ours, theirs []byte, write Side, large int) ([]byte, []Clash) {
	merged, clashes, err := Three(base, ours, theirs, write, Limits{large: large})
	if err != nil {
		t.Fatalf("base %s\nours %s\ntheirs %s: %v", base, ours, theirs, err)
	}
	return merged, clashes
}

// check checks a law on more documents than rapid.Check does: a merge takes microseconds.
func check(t *testing.T, law func(t *rapid.T)) {
	for range 20 {
		rapid.Check(t, law)
	}
}

// TestThreeIdentity: a merge with a side that has changed nothing is the other side, and
// that of equal sides is that side, to the byte.
func TestThreeIdentity(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := &sides{T: t, lists: true}
		d := g.three()
		large := g.one(2)
		for _, law := range []struct{ base, ours, theirs, want []byte }{
			{d.baseText, d.baseText, d.theirsText, d.theirsText},
			{d.baseText, d.oursText, d.baseText, d.oursText},
			{d.baseText, d.oursText, d.oursText, d.oursText},
			{nil, d.oursText, nil, d.oursText},
			{nil, nil, d.theirsText, d.theirsText},
		} {
			got, clashes := sure(t, law.base, law.ours, law.theirs, Both, large)
			if !bytes.Equal(got, law.want) || len(clashes) > 0 {
				t.Fatalf("base %s\nours %s\ntheirs %s\n got %s, %s\nwant %s", law.base, law.ours,
					law.theirs, got, clashText(clashes), law.want)
			}
		}
	})
}

// TestThreeObjects compares the merger of documents without lists with a simple one.
func TestThreeObjects(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := &sides{T: t}
		d := g.three()
		large := g.one(2)
		got, clashes := sure(t, d.baseText, d.oursText, d.theirsText, Both, large)
		var ways []string
		want := simply(&d.base, &d.ours, &d.theirs, "", &ways)
		if value := exactly(t, got); !reflect.DeepEqual(value, *want) {
			t.Fatalf("%v\n got %s\nwant %s", d, got, g.text(*want))
		}
		var have []string
		for _, c := range clashes {
			have = append(have, "."+wayOf(c.Way))
		}
		sort.Strings(ways)
		if sort.Strings(have); len(clashes) > 0 && wayOf(clashes[0].Way) == "" {
			have = []string{""}
		}
		if !slices.Equal(have, ways) {
			t.Fatalf("%v\nclashes at %q, want %q", d, have, ways)
		}
	})
}

// simply merges values of which nil is none, and notes where they clash.
func simply(base, ours, theirs *any, way string, ways *[]string) *any {
	same := func(a, b *any) bool {
		return a == nil && b == nil || a != nil && b != nil && reflect.DeepEqual(*a, *b)
	}
	object := func(v *any) (map[string]any, bool) {
		if v == nil {
			return nil, true
		}
		o, ok := (*v).(map[string]any)
		return o, ok
	}
	switch {
	case same(ours, theirs) || same(base, theirs):
		return ours
	case same(base, ours):
		return theirs
	}
	b, isB := object(base)
	o, isO := object(ours)
	t, isT := object(theirs)
	if ours == nil || theirs == nil || !isB || !isO || !isT {
		*ways = append(*ways, way)
		inner := map[string]any{}
		for name, v := range map[string]*any{"base": base, "ours": ours, "theirs": theirs} {
			if v != nil {
				inner[name] = *v
			}
		}
		var mark any = map[string]any{MarkKey: inner}
		return &mark
	}
	keys := map[string]bool{}
	for _, side := range []map[string]any{b, o, t} {
		for key := range side {
			keys[key] = true
		}
	}
	at := func(m map[string]any, key string) *any {
		if v, ok := m[key]; ok {
			return &v
		}
		return nil
	}
	merged := map[string]any{}
	for key := range keys {
		if v := simply(at(b, key), at(o, key), at(t, key), way+"."+key, ways); v != nil {
			merged[key] = *v
		}
	}
	var value any = merged
	return &value
}

// flat is a document as its leaves by path: in a list, objects are named by their ids,
// and strings by themselves. clashes are the paths of marks; one in a list has the path
// of the list.
func flat(value any, path string, leaves map[string]string, clashes map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		if _, ok := value[MarkKey]; ok {
			clashes[path] = true
			return
		}
		leaves[path+"/"] = "an object"
		for key, member := range value {
			flat(member, path+"/"+key, leaves, clashes)
		}
	case []any:
		leaves[path+"/"] = "a list"
		for _, elem := range value {
			if object, ok := elem.(map[string]any); ok && object["id"] != nil {
				flat(elem, fmt.Sprint(path, "/#", object["id"]), leaves, clashes)
				continue
			}
			if object, ok := elem.(map[string]any); ok && object[MarkKey] != nil {
				clashes[path] = true
				continue
			}
			leaves[fmt.Sprint(path, "/=", elem)] = "there"
		}
	default:
		leaves[path] = fmt.Sprintf("%T %v", value, value)
	}
}

// TestThreeLosesNothing: each change of a side is in the result or in a clash, and the
// result has nothing that neither side has.
func TestThreeLosesNothing(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := &sides{T: t, lists: true}
		d := g.three()
		merged, found := sure(t, d.baseText, d.oursText, d.theirsText, Both, g.one(2))
		clashes := map[string]bool{}
		leaves := func(value any) map[string]string {
			all := map[string]string{}
			flat(value, "", all, clashes)
			return all
		}
		base, ours, theirs := leaves(d.base), leaves(d.ours), leaves(d.theirs)
		result := leaves(exactly(t, merged))
		if len(clashes) > len(found) || len(clashes) == 0 != (len(found) == 0) {
			t.Fatalf("%v\nmerged %s\nmarks %v, clashes %s", d, merged, clashes, clashText(found))
		}
		within := func(path string) bool {
			for clash := range clashes {
				if path == clash || strings.HasPrefix(path, clash+"/") ||
					strings.HasPrefix(clash, path) {
					return true
				}
			}
			return false
		}
		for _, side := range []map[string]string{ours, theirs} {
			for path, value := range side {
				if base[path] != value && result[path] != value && !within(path) {
					t.Fatalf("%v\nmerged %s\n%s %q of a side is lost", d, merged, path, value)
				}
			}
			for path := range base {
				if side[path] == "" && result[path] == base[path] && !within(path) {
					t.Fatalf("%v\nmerged %s\n%s, which a side removed, is back", d, merged, path)
				}
			}
		}
		for path, value := range result {
			if ours[path] != value && theirs[path] != value && !within(path) {
				t.Fatalf("%v\nmerged %s\n%s %q is of neither side", d, merged, path, value)
			}
		}
	})
}

// sorted is a value as text in which the order of elements does not count.
func sorted(value any) string {
	switch value := value.(type) {
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, fmt.Sprintf("%q:%s", key, sorted(value[key])))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, elem := range value {
			parts = append(parts, sorted(elem))
		}
		sort.Strings(parts)
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprintf("%T %v", value, value)
}

// TestThreeSymmetry: if the sides change their places, so do they in each clash, and the
// result is the same but for the order of elements.
func TestThreeSymmetry(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := &sides{T: t, lists: true}
		d := g.three()
		one, clashes := sure(t, d.baseText, d.oursText, d.theirsText, Ours, 0)
		other, swapped := sure(t, d.baseText, d.theirsText, d.oursText, Theirs, g.one(2))
		if a, b := sorted(exactly(t, one)), sorted(exactly(t, other)); a != b {
			t.Fatalf("%v\nmerged  %s\nswapped %s", d, one, other)
		}
		text := func(clashes []Clash, swap bool) (all []string) {
			for _, c := range clashes {
				if swap {
					c.Ours, c.Theirs = c.Theirs, c.Ours
				}
				all = append(all, fmt.Sprintf("%s %s %s", c.Base, c.Ours, c.Theirs))
			}
			sort.Strings(all)
			return all
		}
		if a, b := text(clashes, false), text(swapped, true); !slices.Equal(a, b) {
			t.Fatalf("%v\nclashes %s\nswapped %s", d, a, b)
		}
	})
}
