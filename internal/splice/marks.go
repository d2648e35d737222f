// Finds the conflicts that a three-way merge has written into a document.

package splice

import (
	"bytes"
	"errors"
	"math"
	"slices"
)

// A Marked is a conflict in a document.
type Marked struct {
	Way  []Step // to it; Index is Nowhere for a key
	Line int    // from 1, in which it begins
	Text []byte // a part of the document
}

// budget is how many bytes the ways to conflicts may still take. With deep nesting they
// could take as many bytes for each conflict as the whole document.
type budget int64

// budgetFor is enough for documents of so many bytes, unless they are made to exceed it.
func budgetFor(size int) budget { return 64<<20 + 16*budget(size) }

const stepBytes = 32 // of a Step in memory

// spend takes what a way needs, with its text, and reports whether it was there.
func (b *budget) spend(way []Step) bool {
	if *b >= 0 {
		*b -= budget(len(way) * stepBytes)
		for i := range way {
			*b -= budget(len(way[i].Key))
		}
	}
	return *b >= 0
}

// full reports whether there was too little.
func (b budget) full() bool { return b < 0 }

var errTooMany = errors.New("there are too many conflicts, too deep down, to list them")

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
	m := marks{document: d, line: 1, listed: budgetFor(len(data))}
	m.find(d.root)
	if m.listed.full() {
		return nil, errTooMany
	}
	return m.found, nil
}

type marks struct {
	*document
	way    []Step
	found  []Marked
	listed budget
	at     int // up to which the lines are counted
	line   int
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
		if m.listed.spend(m.way) {
			m.found = append(m.found, Marked{slices.Clone(m.way), m.line, m.raw(n)})
		}
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
