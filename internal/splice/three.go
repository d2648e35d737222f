// Merges the changes of two sides into one text: a three-way merge by path. reorder.go has
// the order of the elements of arrays.

package splice

import (
	"bytes"
	"fmt"
	"math"
)

// A Side is what a three-way merge writes where the two sides contradict each other.
type Side int

const (
	Both   Side = iota // an object with the values of both, see MarkKey
	Ours               // the value of ours
	Theirs             // the value of theirs
)

// A Clash is a place at which the two sides contradict each other. A value that a side or
// the base does not have is nil. The values are parts of the texts that were merged.
type Clash struct {
	Way                []Step // to the place in the result; Index is Nowhere for a key
	Base, Ours, Theirs []byte
}

// MarkKey is the key of the only member of the object that Both writes for a clash. Its
// value is an object with the members "base", "ours" and "theirs", of which those are left
// out that have no value.
const MarkKey = "<<<<<<<"

// Three merges into ours what theirs has changed in base. What ours has changed, and all
// that neither has changed, keeps its bytes. An empty text is an absent document, and so
// is an empty result.
//
// A value that only one side has changed, or both have changed to equal values, is no
// clash. Objects are merged member by member, arrays element by element: elements are
// aligned as in Merge, so that one that moved is still the same. What both have added to
// an array at one place is there twice, first that of ours, unless it is equal.
func Three(base, ours, theirs []byte, write Side, lim Limits) ([]byte, []Clash, error) {
	r, err := newReconciler(base, ours, theirs, write, lim)
	if err != nil {
		return nil, nil, err
	}
	var b, o, t *Node
	for _, d := range []struct {
		of   *document
		root **Node
	}{{r.base, &b}, {r.ours, &o}, {r.theirs, &t}} {
		if d.of != nil {
			*d.root = d.of.root
		}
	}
	result := r.document(b, o, t)
	if r.listed.full() {
		return nil, nil, errTooMany
	}
	if r.marked {
		if err := Check(result, lim); err != nil {
			return nil, nil, fmt.Errorf("the result with its conflicts: %w", err)
		}
	}
	return result, r.clashes, nil
}

// reconciler is one three-way merge. The mergers compare and align two of the documents.
type reconciler struct {
	base, ours, theirs              *document // nil for an absent one
	baseOurs, baseTheirs, oursTheir *merger
	write                           Side
	lim                             Limits
	way                             []Step // to the value that is being merged
	clashes                         []Clash
	listed                          budget
	marked                          bool
}

func newReconciler(base, ours, theirs []byte, write Side, lim Limits) (*reconciler, error) {
	r := &reconciler{write: write, lim: lim}
	r.listed = budgetFor(len(base) + len(ours) + len(theirs))
	hash := newHasher()
	for _, d := range []struct {
		into **document
		text []byte
		name string
	}{{&r.base, base, "base"}, {&r.ours, ours, "ours"}, {&r.theirs, theirs, "theirs"}} {
		if len(d.text) == 0 {
			continue
		}
		all := scope{until: math.MaxInt, large: lim.largeFrom()}
		parsed, err := parse(d.text, lim, all)
		if err != nil {
			return nil, &SideError{d.name, err}
		}
		parsed.hash = hash
		*d.into = parsed
	}
	r.baseOurs = between(r.base, r.ours)
	r.baseTheirs = between(r.base, r.theirs)
	r.oursTheir = between(r.ours, r.theirs)
	return r, nil
}

// A SideError says which of the texts of a three-way merge is invalid.
type SideError struct {
	Side string // base, ours or theirs
	Err  error  // a *SyntaxError
}

func (e *SideError) Error() string { return e.Side + ": " + e.Err.Error() }
func (e *SideError) Unwrap() error { return e.Err }

// between compares, aligns and merges two documents, of which the first is the old one.
func between(before, after *document) *merger {
	m := &merger{old: before, before: before, after: after, changed: new(bool), strict: true}
	if m.window = (window{-1, -1}); before != nil && after != nil {
		m.window = windowOf(before.data, after.data)
	}
	return m
}

// document merges the roots.
func (r *reconciler) document(base, ours, theirs *Node) []byte {
	f := r.fate(base, ours, theirs)
	around, root := r.ours, ours // whose white space is around the result
	switch {
	case f == clashes && r.write != Both:
		r.clash(base, ours, theirs)
		if r.write == Theirs {
			return textOf(r.theirs)
		}
		return textOf(r.ours)
	case f == stays:
		return textOf(r.ours)
	case f == goes:
		return nil
	case f == comes:
		return textOf(r.theirs)
	case ours == nil:
		around, root = r.theirs, theirs
	case theirs != nil && bytes.Equal(textOf(r.base), textOf(r.ours)):
		return textOf(r.theirs)
	}
	data, outer := around.data, around.rootLayout()
	out := make([]byte, 0, len(data)+len(data)/8+64)
	out = append(out, data[:root.Start]...)
	if f == clashes {
		out = r.collide(out, base, ours, theirs, outer)
	} else {
		out = r.value(out, base, ours, theirs, outer)
	}
	return append(out, data[root.End:]...)
}

// textOf is the text of a document, nil for an absent one.
func textOf(d *document) []byte {
	if d == nil {
		return nil
	}
	return d.data
}

// fate is what becomes of a value that ours has, or of one that it does not have.
type fate int

const (
	stays   fate = iota // ours is the result
	goes                // it is removed
	comes               // it is added
	changes             // both have it, and it may have changed on both sides
	clashes             // one side has changed it, the other one removed it
)

// fate compares a value on the sides of which at most one is without it. Nil is no value.
func (r *reconciler) fate(base, ours, theirs *Node) fate {
	switch {
	case ours == nil && theirs == nil:
		return stays
	case ours != nil && theirs != nil:
		return changes
	case base == nil && theirs == nil:
		return stays
	case base == nil:
		return comes
	case ours == nil && r.baseTheirs.same(base, theirs):
		return stays
	case theirs == nil && r.baseOurs.same(base, ours):
		return goes
	}
	return clashes
}

// value writes the merger of a value that both sides have. Base is nil if both have added
// it.
func (r *reconciler) value(out []byte, base, ours, theirs *Node, outer layout) []byte {
	switch {
	case base != nil && r.baseTheirs.same(base, theirs) || r.oursTheir.same(ours, theirs):
		return append(out, r.ours.raw(ours)...)
	case base != nil && r.baseOurs.same(base, ours):
		return r.oursTheir.value(out, ours, ours, theirs, outer)
	case ours.Kind != theirs.Kind || base != nil && base.Kind != ours.Kind:
	case ours.Kind == Object:
		return r.object(out, base, ours, theirs, outer)
	case ours.Kind == Array && base != nil:
		return r.array(out, base, ours, theirs, outer)
	}
	return r.collide(out, base, ours, theirs, outer)
}

// clash notes a clash at the place that is being merged.
func (r *reconciler) clash(base, ours, theirs *Node) (c Clash) {
	if base != nil {
		c.Base = r.base.raw(base)
	}
	if ours != nil {
		c.Ours = r.ours.raw(ours)
	}
	if theirs != nil {
		c.Theirs = r.theirs.raw(theirs)
	}
	if r.listed.spend(r.way) {
		c.Way = append([]Step{}, r.way...)
		r.clashes = append(r.clashes, c)
	}
	return c
}

// collide notes a clash, and writes what stands for it. The side that is written has a
// value.
func (r *reconciler) collide(out []byte, base, ours, theirs *Node, outer layout) []byte {
	c := r.clash(base, ours, theirs)
	switch r.write {
	case Ours:
		return append(out, r.ours.raw(ours)...)
	case Theirs:
		if ours == nil {
			return appendNew(out, r.theirs, theirs, outer)
		}
		return r.oursTheir.value(out, ours, ours, theirs, outer)
	}
	r.marked = true
	text, comma := []byte(`{"`+MarkKey+`":{`), ""
	for _, side := range []struct {
		name string
		raw  []byte
	}{{"base", c.Base}, {"ours", c.Ours}, {"theirs", c.Theirs}} {
		if side.raw != nil {
			text = append(text, comma+`"`+side.name+`":`...)
			text, comma = append(text, side.raw...), ","
		}
	}
	// It is valid: two levels around values that are, which the check of the result
	// may refuse.
	lim := Limits{Depth: largestDepth, AllowDuplicateKeys: true, large: r.lim.large}
	mark, err := fresh(append(text, "}}"...), outer, lim)
	if err != nil {
		return append(append(out, text...), "}}"...)
	}
	return append(out, mark...)
}

// open builds the parts of a container on the three sides. Base may be nil.
func (r *reconciler) open(base, ours, theirs *Node) (forget func()) {
	o, t := r.ours.open(ours), r.theirs.open(theirs)
	var b opened
	if base != nil {
		b = r.base.open(base)
	}
	return func() {
		if base != nil {
			r.base.forget(base, b)
		}
		r.theirs.forget(theirs, t)
		r.ours.forget(ours, o)
	}
}

// slot is a part of the container that is written: the indexes of the part on each side,
// or -1.
type slot struct{ base, ours, theirs int }

// pick returns a part of a container, or nil for -1.
func pick(n *Node, i int) *Node {
	if i < 0 {
		return nil
	}
	return n.value(i)
}

// of returns the parts of the containers that a slot stands for.
func (s slot) of(base, ours, theirs *Node) (b, o, t *Node) {
	return pick(base, s.base), pick(ours, s.ours), pick(theirs, s.theirs)
}

// writes reports whether the result has a part with a fate, and notes the clash if it has
// not.
func (r *reconciler) writes(f fate, base, ours, theirs *Node) bool {
	switch {
	case f == clashes && (r.write == Ours && ours == nil || r.write == Theirs && theirs == nil):
		r.clash(base, ours, theirs)
		return false
	case f == stays:
		return ours != nil
	}
	return f != goes
}

// changed writes a part that ours has, and that is not to stay as it is.
func (r *reconciler) changed(
	out []byte, f fate, base, ours, theirs *Node, outer layout,
) []byte {
	if f == clashes {
		return r.collide(out, base, ours, theirs, outer)
	}
	return r.value(out, base, ours, theirs, outer)
}

// added writes a part that ours does not have.
func (r *reconciler) added(out []byte, f fate, base, theirs *Node, outer layout) []byte {
	if f == clashes {
		return r.collide(out, base, nil, theirs, outer)
	}
	return appendNew(out, r.theirs, theirs, outer)
}

func (r *reconciler) object(out []byte, base, ours, theirs *Node, outer layout) []byte {
	if base == nil {
		base = &Node{Kind: Object} // both have added it
	}
	defer r.open(base, ours, theirs)()
	lay := layoutOf(r.ours.data, ours, outer)
	inBase, inOurs, inTheirs := finderIn(r.base, base), r.ours.finder(ours), r.theirs.finder(theirs)
	slots := make([]slot, len(ours.Members))
	to := make([]part, 0, 8)
	enter := len(r.way)
	r.way = append(r.way, Step{Index: Nowhere})
	for i := range ours.Members {
		key := ours.Members[i].Key
		r.way[enter].Key = key
		counts := i // the last of the members with the key
		if r.ours.repeats() {
			counts = inOurs.find(key)
		}
		slots[i] = slot{inBase.find(key), counts, inTheirs.find(key)}
		b, o, t := slots[i].of(base, ours, theirs)
		f := r.fate(b, o, t)
		switch {
		case counts != i: // overridden: it stays as long as the one that counts
			if f != goes && (f != clashes || r.write != Theirs) {
				to = stay(to, i)
			}
		case !r.writes(f, b, o, t):
		case f == stays || t != nil && b != nil && r.baseTheirs.sameText(b, t):
			to = stay(to, i)
		default:
			to = alter(to, i, i, i)
		}
	}
	for i := range theirs.Members {
		member := &theirs.Members[i]
		if inOurs.find(member.Key) >= 0 || r.theirs.repeats() && inTheirs.find(member.Key) != i {
			continue
		}
		r.way[enter].Key = member.Key
		b, t := pick(base, inBase.find(member.Key)), &member.Value
		f := r.fate(b, nil, t)
		if !r.writes(f, b, nil, t) {
			continue
		}
		text := append([]byte{}, r.theirs.data[member.KeyStart:member.KeyEnd]...)
		text = r.added(append(text, lay.colon...), f, b, t, lay)
		to = append(to, part{old: -1, until: -1, text: text})
	}
	change := func(out []byte, _ *Node, i, _ int) []byte {
		b, o, t := slots[i].of(base, ours, theirs)
		r.way[enter].Key = ours.Members[i].Key
		return r.changed(out, r.fate(b, o, t), b, o, t, lay)
	}
	out = appendContainer(out, r.ours.data, ours, lay, to, change)
	r.way = r.way[:enter]
	return out
}

// finderIn finds members of an object of a document, which may be nil if the object is
// empty.
func finderIn(d *document, n *Node) finder {
	if d == nil {
		return finder{}
	}
	return d.finder(n)
}
