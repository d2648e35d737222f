// Merge: a new value written into old text with few changes.

package splice

import (
	"bytes"
	"hash/maphash"
	"strings"
)

// Merge returns old, changed so that its value is that of new, and else as it was: what is equal in
// both keeps its bytes, also the spelling of numbers and strings; members keep their order, new ones come
// last and are laid out like those that are there. If the values are equal it returns
// old itself. An empty old is a document that is not there: the result is new.
func Merge(old, new []byte, lim Limits) ([]byte, error) {
	return MergeChange(old, old, new, lim)
}

// MergeChange does to old what changed from before to after, two other values that were derived
// from it: what is in neither of the two, such as members that a Go type does not know, stays. Where a key of before
// is not in old, one that differs only in case is taken for it, as encoding/json does.
func MergeChange(old, before, after []byte, lim Limits) ([]byte, error) {
	if len(old) == 0 {
		return after, Check(after, lim)
	}
	root, err := Parse(old, lim)
	if err != nil {
		return nil, err
	}
	trimmed := old[root.Start:root.End]
	merged, err := mergeAt(trimmed, before, after, rootLayout(old, root), lim)
	if err != nil {
		return nil, err
	}
	if len(merged) == len(trimmed) && &merged[0] == &trimmed[0] {
		return old, nil
	}
	return bytes.Join([][]byte{old[:root.Start], merged, old[root.End:]}, nil), nil
}

// mergeAt is MergeChange for a value that stands in a container with the layout outer. If
// nothing changes it returns old itself.
func mergeAt(old, before, after []byte, outer layout, lim Limits) ([]byte, error) {
	seed := maphash.MakeSeed()
	var m merger
	var err error
	if m.old, err = parse(old, lim, seed); err != nil {
		return nil, err
	}
	if m.before = m.old; &before[0] != &old[0] || len(before) != len(old) {
		if m.before, err = parse(before, lim, seed); err != nil {
			return nil, err
		}
	}
	if m.after, err = parse(after, lim, seed); err != nil {
		return nil, err
	}
	text := m.value(m.old.root, m.before.root, m.after.root, outer)
	if text == nil {
		return old, nil
	}
	return text, nil
}

type merger struct{ old, before, after *text }

// value returns what is to stand in the place of old, or nil if old stays.
func (m *merger) value(old, before, after *Node, outer layout) []byte {
	if equal(m.before, before, m.after, after) || equal(m.old, old, m.after, after) {
		return nil
	}
	if old.Kind == after.Kind && before.Kind == after.Kind {
		switch {
		case old.Kind == Object:
			return m.object(old, before, after, outer)
		case old.Kind == Array && len(old.Elems) == len(before.Elems):
			return m.array(old, before, after, outer)
		}
	}
	return appendNew(nil, m.after.data, after, outer)
}

func (m *merger) object(old, before, after *Node, outer layout) []byte {
	lay := layoutOf(m.old.data, old, outer)
	ours, was, is := index(old), index(before), index(after)
	to := kept(old)
	changed := false
	var added []part
	for i := range after.Members {
		member := &after.Members[i]
		if is[member.Key] != i {
			continue // a later one counts
		}
		b, known := was[member.Key]
		o, there := ours[member.Key]
		if !there && known {
			o, there = foldedIndex(old, member.Key)
		}
		switch {
		case there && known:
			to[o].text = m.value(&old.Members[o].Value, &before.Members[b].Value, &member.Value, lay)
		case there:
			to[o].text = m.overwrite(&old.Members[o].Value, &member.Value, lay)
		case known && equal(m.before, &before.Members[b].Value, m.after, &member.Value):
			continue // a zero field that the document leaves out, as before
		default:
			added = append(added, part{-1, newMember(member.Key, appendNew(nil, m.after.data, &member.Value, lay), lay)})
			continue
		}
		changed = changed || to[o].text != nil
	}
	removed := map[int]bool{}
	for key := range was {
		if _, stays := is[key]; stays {
			continue
		}
		found := false
		for i := range old.Members {
			if old.Members[i].Key == key {
				removed[i], found = true, true
			}
		}
		if i, folded := foldedIndex(old, key); folded && !found {
			removed[i] = true
		}
	}
	if !changed && len(removed) == 0 && len(added) == 0 {
		return nil
	}
	stay := to[:0]
	for _, p := range to {
		if !removed[p.old] {
			stay = append(stay, p)
		}
	}
	return appendContainer(nil, m.old.data, old, lay, append(stay, added...))
}

// overwrite makes old, of which before says nothing, equal to after.
func (m *merger) overwrite(old, after *Node, outer layout) []byte {
	two := merger{m.old, m.old, m.after}
	return two.value(old, old, after, outer)
}

func foldedIndex(n *Node, key string) (int, bool) {
	for i := len(n.Members) - 1; i >= 0; i-- {
		if strings.EqualFold(n.Members[i].Key, key) {
			return i, true
		}
	}
	return 0, false
}

// array aligns the elements of before, which stand for those of old, with those of after.
func (m *merger) array(old, before, after *Node, outer layout) []byte {
	lay := layoutOf(m.old.data, old, outer)
	var to []part
	changed := len(before.Elems) != len(after.Elems)
	i := 0
	// gap takes what stands between two pairs of equal elements.
	gap := func(untilOld, untilNew, fromNew int) {
		same := untilOld-i == untilNew-fromNew
		for j := fromNew; j < untilNew; j++ {
			elem := &after.Elems[j]
			if !same {
				changed = true
				to = append(to, part{-1, appendNew(nil, m.after.data, elem, lay)})
				continue
			}
			// As many as before: each is taken for what became of the one in its place.
			text := m.value(&old.Elems[i], &before.Elems[i], elem, lay)
			changed = changed || text != nil
			to = append(to, part{i, text})
			i++
		}
		if i < untilOld {
			changed = true
		}
	}
	j := 0
	for _, pair := range m.align(before.Elems, after.Elems) {
		gap(pair.before, pair.after, j)
		to = append(to, part{pair.before, nil})
		i, j = pair.before+1, pair.after+1
	}
	gap(len(before.Elems), len(after.Elems), j)
	if !changed {
		return nil
	}
	return appendContainer(nil, m.old.data, old, lay, to)
}

type pair struct{ before, after int }

// largestTable is how many pairs of elements are compared at the most to align two arrays.
const largestTable = 1 << 20

// align pairs equal elements of two arrays, in order: all at the beginning and end, and
// between these a longest common subsequence, unless that is too much work.
func (m *merger) align(a, b []Node) (pairs []pair) {
	same := func(i, j int) bool { return equal(m.before, &a[i], m.after, &b[j]) }
	start := 0
	for start < len(a) && start < len(b) && same(start, start) {
		pairs = append(pairs, pair{start, start})
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && same(endA-1, endB-1) {
		endA--
		endB--
	}
	if rows, columns := endA-start, endB-start; rows > 0 && columns > 0 && rows <= largestTable/columns {
		// length[i*(columns+1)+j] is that of the longest one from a[start+i], b[start+j] on.
		length := make([]int32, (rows+1)*(columns+1))
		at := func(i, j int) *int32 { return &length[i*(columns+1)+j] }
		for i := rows - 1; i >= 0; i-- {
			for j := columns - 1; j >= 0; j-- {
				if a[start+i].digest == b[start+j].digest {
					*at(i, j) = *at(i+1, j+1) + 1
				} else {
					*at(i, j) = max(*at(i+1, j), *at(i, j+1))
				}
			}
		}
		for i, j := 0, 0; i < rows && j < columns; {
			switch {
			case a[start+i].digest == b[start+j].digest && same(start+i, start+j):
				pairs = append(pairs, pair{start + i, start + j})
				i++
				j++
			case *at(i+1, j) >= *at(i, j+1):
				i++
			default:
				j++
			}
		}
	}
	for k := range len(a) - endA {
		pairs = append(pairs, pair{endA + k, endB + k})
	}
	return pairs
}
