// Merges a new value into an old text, with few changes.

package splice

import (
	"bytes"
	"math"
)

// Spelling selects the spelling of a number or string after a merge if the old and the
// new one are equal.
type Spelling bool

const (
	KeepOld Spelling = false // for values from programs, whose spelling is arbitrary
	AsGiven Spelling = true  // for text that a user spelled on purpose
)

// Merge returns old with the value of new. Equal parts keep their bytes, including the
// spelling of numbers and strings; members keep their order; new members come last, in
// the layout of the others. If the values are equal it returns old itself. An empty old
// is an absent document: the result is new.
func Merge(old, new []byte, lim Limits) ([]byte, error) {
	return MergeSpelled(old, new, KeepOld, lim)
}

// MergeSpelled is Merge with a choice of spelling.
func MergeSpelled(old, new []byte, spelling Spelling, lim Limits) ([]byte, error) {
	if len(old) == 0 {
		return new, Check(new, lim)
	}
	m, err := twoWay(old, new, spelling, lim)
	if err != nil {
		return nil, err
	}
	return m.merge(m.old.rootLayout()), nil
}

// MergeChange applies to old the change from before to after, two encodings by
// encoding/json of a Go value that was decoded from old. What is in neither of the two,
// such as members that a Go type does not know, stays. Decoded again, the result is the
// value that after was encoded from. Members of old are mapped to those of before as
// encoding/json does (claim.go); elements of before are aligned with those of after
// (align.go).
func MergeChange(old, before, after []byte, lim Limits) ([]byte, error) {
	if len(old) == 0 {
		return after, Check(after, lim)
	}
	m, err := threeWay(old, before, after, lim)
	if err != nil {
		return nil, err
	}
	return m.merge(m.old.rootLayout()), nil
}

// mergeAt is MergeSpelled for a value in a container with the layout outer.
func mergeAt(old, new []byte, spelling Spelling, outer layout, lim Limits) ([]byte, error) {
	m, err := twoWay(old, new, spelling, lim)
	if err != nil {
		return nil, err
	}
	return m.merge(outer), nil
}

type merger struct {
	old, before, after *document // before is old in a merge of two
	window             window    // where before and after differ
	spelling           Spelling
	changed            *bool
	strict             bool // the alignment is for a three-way merge, see align.go
	scratch
}

// scratch has the stores of the objects that are being merged, the inner ones' after the
// outer ones'.
type scratch struct {
	claims  []claim
	claimed []bool
	parts   []part
}

// rewind gives back what an object has taken.
func (s *scratch) rewind(before scratch) {
	rewind(&s.claims, before.claims)
	rewind(&s.claimed, before.claimed)
	rewind(&s.parts, before.parts)
}

func twoWay(old, after []byte, spelling Spelling, lim Limits) (*merger, error) {
	m := &merger{window: windowOf(old, after), spelling: spelling, changed: new(bool)}
	var err error
	if m.old, err = parse(old, lim, m.window.of(old, lim)); err != nil {
		return nil, err
	}
	if m.after, err = parse(after, lim, m.window.of(after, lim)); err != nil {
		return nil, err
	}
	m.before = m.old
	m.old.hash = newHasher()
	m.after.hash = m.old.hash
	return m, nil
}

// threeWay decodes old as encoding/json did to make before.
func threeWay(old, before, after []byte, lim Limits) (*merger, error) {
	m := &merger{window: windowOf(before, after), changed: new(bool)}
	var err error
	all := scope{until: math.MaxInt, large: lim.largeFrom(), lossy: true}
	if m.old, err = parse(old, lim, all); err != nil {
		return nil, err
	}
	if m.before, err = parse(before, lim, m.window.of(before, lim)); err != nil {
		return nil, err
	}
	if m.after, err = parse(after, lim, m.window.of(after, lim)); err != nil {
		return nil, err
	}
	m.old.hash = newHasher()
	m.before.hash, m.after.hash = m.old.hash, m.old.hash
	return m, nil
}

func (m *merger) merge(outer layout) []byte {
	data, root := m.old.data, m.old.root
	more := max(0, len(m.after.data)-len(m.before.data))
	out := make([]byte, 0, len(data)+len(data)/64+more+64)
	out = append(out, data[:root.Start]...)
	out = m.value(out, root, m.before.root, m.after.root, outer)
	if !*m.changed {
		return data
	}
	return append(out, data[root.End:]...)
}

// sameText reports whether two values of before and after are known to have the same
// text. It bounds the work: deep nesting must not compare the same bytes at each level.
func (m *merger) sameText(before, after *Node) bool {
	if before.Kind != after.Kind || before.End-before.Start != after.End-after.Start {
		return false
	}
	if before.Start == after.Start && before.End <= m.window.from {
		return true
	}
	fromEnd := len(m.before.data) - before.Start
	if fromEnd == len(m.after.data)-after.Start && fromEnd <= m.window.rest {
		return true
	}
	few := before.Kind < Array || before.End-before.Start <= fewBytes
	return (few || m.before.pass(before)) && bytes.Equal(m.before.raw(before), m.after.raw(after))
}

// same reports whether two values of before and after are equal. It compares digests
// first.
func (m *merger) same(before, after *Node) bool {
	return m.sameText(before, after) ||
		m.before.digest(before) == m.after.digest(after) && equal(m.before, before, m.after, after)
}

// value writes the replacement of old. before is nil for a value that before omits.
func (m *merger) value(out []byte, old, before, after *Node, outer layout) []byte {
	if before != nil && m.sameText(before, after) {
		return append(out, m.old.raw(old)...)
	}
	if old.Kind == after.Kind && (before == nil || before.Kind == after.Kind) {
		switch {
		case old.Kind == Object:
			return m.object(out, old, before, after, outer)
		case old.Kind == Array:
			return m.array(out, old, before, after, outer)
		}
	}
	if m.spelling == KeepOld && (before != nil && equal(m.before, before, m.after, after) ||
		m.before != m.old && equal(m.old, old, m.after, after)) {
		return append(out, m.old.raw(old)...)
	}
	*m.changed = true
	return appendNew(out, m.after, after, outer)
}

func (m *merger) object(out []byte, old, before, after *Node, outer layout) []byte {
	defer m.old.forget(old, m.old.open(old))
	defer m.after.forget(after, m.after.open(after))
	if before == nil {
		before = &Node{Kind: Object}
	}
	defer m.before.forget(before, m.before.open(before))
	defer m.rewind(m.scratch)
	lay := layoutOf(m.old.data, old, outer)
	claims, claimed := m.claim(old, before, after)
	to := take(&m.parts, min(len(claims)+len(claimed), 64))[:0]
	for i, c := range claims {
		switch {
		case c.unknown():
			to = stay(to, i)
		case c.after < 0 || c.drop:
			*m.changed = true
		default:
			is := &after.Members[c.after].Value
			var was *Node
			if c.before >= 0 {
				was = &before.Members[c.before].Value
			}
			if c.overridden && !m.mergesIntoLater(&old.Members[i].Value, is) ||
				was != nil && m.sameText(was, is) {
				to = stay(to, i)
				continue
			}
			to = alter(to, i, c.before, c.after)
		}
	}
	if claimed != nil {
		was, is := m.before.finder(before), m.after.finder(after)
		for i := range after.Members {
			member := &after.Members[i]
			if claimed[i] || m.after.repeats() && is.find(member.Key) != i {
				continue
			}
			b := was.find(member.Key)
			if b >= 0 && equal(m.before, &before.Members[b].Value, m.after, &member.Value) {
				continue // a zero field that the document omits, as before
			}
			*m.changed = true
			to = append(to, part{old: -1, until: -1, text: appendMember(nil, m.after, member, lay)})
		}
	}
	change := func(out []byte, value *Node, b, a int) []byte {
		var was *Node
		if b >= 0 {
			was = before.value(b)
		}
		return m.value(out, value, was, after.value(a), lay)
	}
	return appendContainer(out, m.old.data, old, lay, to, change)
}

// mergesIntoLater: encoding/json decodes duplicate members one into the result of the
// other, so parts of an overridden object or array may still be visible.
func (m *merger) mergesIntoLater(overridden, is *Node) bool {
	return m.before != m.old && overridden.Kind == is.Kind && is.Kind >= Array
}

// array writes an array. The elements of before correspond to those of old one for one.
func (m *merger) array(out []byte, old, before, after *Node, outer layout) []byte {
	defer m.old.forget(old, m.old.open(old))
	defer m.after.forget(after, m.after.open(after))
	if before != nil {
		defer m.before.forget(before, m.before.open(before))
	}
	if before == nil || !m.oneForOne(old, before, after) {
		two := *m
		two.before, two.window = m.old, window{-1, -1}
		return two.array(out, old, old, after, outer)
	}
	lay := layoutOf(m.old.data, old, outer)
	var from []int
	if len(old.Elems) == len(before.Elems) {
		from = m.align(before.Elems, after.Elems)
	} else { // a Go array, of another length than old
		if m.same(before, after) {
			return append(out, m.old.raw(old)...)
		}
		for j := range after.Elems {
			from = append(from, j)
		}
	}
	var to []part
	moved := len(old.Elems) != len(after.Elems)
	for j, i := range from {
		switch is := &after.Elems[j]; {
		case i < 0 || i >= len(old.Elems):
			moved = true
			to = append(to, part{old: -1, until: -1, text: appendNew(nil, m.after, is, lay)})
			continue
		case m.sameText(&before.Elems[i], is):
			to = stay(to, i)
		default:
			to = alter(to, i, i, j)
		}
		moved = moved || i != j
	}
	*m.changed = *m.changed || moved
	change := func(out []byte, value *Node, was, is int) []byte {
		return m.value(out, value, &before.Elems[was], &after.Elems[is], lay)
	}
	return appendContainer(out, m.old.data, old, lay, to, change)
}

// oneForOne reports whether the elements of before correspond to those of old in order.
// They do not if a type sorts or filters its elements; then only what the type knows
// counts.
func (m *merger) oneForOne(old, before, after *Node) bool {
	if m.before == m.old {
		return true
	}
	if len(old.Elems) != len(before.Elems) && len(before.Elems) != len(after.Elems) {
		return false
	}
	for i := range min(len(old.Elems), len(before.Elems)) {
		o, b := &old.Elems[i], &before.Elems[i]
		if o.Kind > Null && o.Kind < Array && b.Kind > Null && !equal(m.old, o, m.before, b) &&
			!(o.Kind == Number && b.Kind == Number && closeNumbers(m.old.raw(o), m.before.raw(b))) {
			return false
		}
	}
	return true
}
