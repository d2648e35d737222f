// Finds the conflicts that a three-way merge has written into a document.

package splice

import (
	"bytes"
	"math"
	"slices"
)

// A Marked is a conflict in a document.
type Marked struct {
	Way  []Step // to it; Index is Nowhere for a key
	Line int    // from 1, in which it begins
}

// Marks checks a document as Check does, and returns the marks in it, in order.
func Marks(data []byte, lim Limits) ([]Marked, error) {
	if !bytes.ContainsAny(data, `<\`) {
		return nil, Check(data, lim)
	}
	all := scope{until: math.MaxInt, large: lim.largeFrom()}
	d, err := parse(data, lim, all)
	if err != nil {
		return nil, err
	}
	m := marks{document: d, line: 1}
	m.find(d.root)
	return m.found, nil
}

type marks struct {
	*document
	way   []Step
	found []Marked
	at    int // up to which the lines are counted
	line  int
}

func (m *marks) find(n *Node) {
	if n.Kind < Array {
		return
	}
	defer m.forget(n, m.open(n))
	if isMark(n) {
		for ; m.at < n.Start; m.at++ {
			if m.data[m.at] == '\n' {
				m.line++
			}
		}
		m.found = append(m.found, Marked{slices.Clone(m.way), m.line})
		return
	}
	enter := len(m.way)
	for i := range n.parts() {
		step := Step{Index: i}
		if n.Kind == Object {
			step = Step{Key: n.Members[i].Key, Index: Nowhere}
		}
		m.way = append(m.way[:enter], step)
		m.find(n.value(i))
	}
	m.way = m.way[:enter]
}

// isMark reports whether an open object is one that Three writes for a clash.
func isMark(n *Node) bool {
	return n.Kind == Object && len(n.Members) == 1 && n.Members[0].Key == MarkKey &&
		n.Members[0].Value.Kind == Object
}
