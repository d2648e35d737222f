// Where two versions of a document differ.

package splice

import (
	"math"
	"slices"
)

// A Change is a value that differs between two documents.
type Change struct {
	Way            []Step // to the value, in the document that has it
	Added, Removed bool   // it is in the second one only, or in the first one only
}

// Changes returns where the values of two documents differ, at most so many places. The
// order of members, white space and spelling are no differences. Objects are compared member
// by member. Arrays are compared without what they have in common at the beginning and at
// the end: an element that was inserted is one change.
func Changes(before, after []byte, most int, lim Limits) ([]Change, error) {
	w := windowOf(before, after)
	a, err := parse(before, lim, w.of(before, lim))
	if err != nil {
		return nil, err
	}
	b, err := parse(after, lim, w.of(after, lim))
	if err != nil {
		return nil, err
	}
	return changesIn(a, b, most), nil
}

func changesIn(a, b *document, most int) []Change {
	c := comparison{before: a, after: b, most: most}
	c.value(a.root, b.root)
	return c.found
}

// A Parsed is a document to be compared with several others, by one goroutine.
type Parsed struct{ d *document }

// Prepare parses a document.
func Prepare(data []byte, lim Limits) (*Parsed, error) {
	d, err := parse(data, lim, scope{until: math.MaxInt, large: lim.largeFrom()})
	return &Parsed{d}, err
}

// Changes is the function Changes, from p to after.
func (p *Parsed) Changes(after *Parsed, most int) []Change {
	return changesIn(p.d, after.d, most)
}

type comparison struct {
	before, after *document
	way           []Step
	found         []Change
	most          int
}

// note notes a change at the way with one step more.
func (c *comparison) note(step Step, added, removed bool) {
	if len(c.found) < c.most {
		way := append(slices.Clone(c.way), step)
		c.found = append(c.found, Change{way, added, removed})
	}
}

// into compares two values one step further.
func (c *comparison) into(step Step, n, m *Node) {
	c.way = append(c.way, step)
	c.value(n, m)
	c.way = c.way[:len(c.way)-1]
}

func (c *comparison) value(n, m *Node) {
	switch {
	case len(c.found) >= c.most:
	case n.Kind != m.Kind || n.Kind < Array:
		if !equal(c.before, n, c.after, m) {
			c.found = append(c.found, Change{Way: slices.Clone(c.way)})
		}
	case n.unread && m.unread && equal(c.before, n, c.after, m):
	case n.Kind == Array:
		c.array(n, m)
	default:
		c.object(n, m)
	}
}

func (c *comparison) object(n, m *Node) {
	defer c.before.forget(n, c.before.open(n))
	defer c.after.forget(m, c.after.open(m))
	was, is := c.before.finder(n), c.after.finder(m)
	for i := range n.Members {
		member := &n.Members[i]
		step := Step{Key: member.Key, Index: Nowhere}
		if c.before.repeats() && was.find(member.Key) != i {
			continue // a later duplicate counts
		}
		if j := is.find(member.Key); j < 0 {
			c.note(step, false, true)
		} else {
			c.into(step, &member.Value, &m.Members[j].Value)
		}
	}
	for j := range m.Members {
		key := m.Members[j].Key
		if was.find(key) < 0 && is.find(key) == j {
			c.note(Step{Key: key, Index: Nowhere}, true, false)
		}
	}
}

func (c *comparison) array(n, m *Node) {
	defer c.before.forget(n, c.before.open(n))
	defer c.after.forget(m, c.after.open(m))
	same := func(i, j int) bool { return equal(c.before, &n.Elems[i], c.after, &m.Elems[j]) }
	first, was, is := 0, len(n.Elems), len(m.Elems)
	for first < min(was, is) && same(first, first) {
		first++
	}
	for first < min(was, is) && same(was-1, is-1) {
		was, is = was-1, is-1
	}
	for i := first; i < max(was, is); i++ {
		switch step := (Step{Index: i}); {
		case i >= was:
			c.note(step, true, false)
		case i >= is:
			c.note(step, false, true)
		default:
			c.into(step, &n.Elems[i], &m.Elems[i])
		}
	}
}
