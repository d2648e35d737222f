// Edits one place of a parsed document.

package splice

import (
	"math"
	"slices"
)

// An Editor makes one edit of a document, and returns the result as a copy.
type Editor struct {
	data []byte
	root *Node
}

// NewEditor returns an editor for a document and its root from Parse.
func NewEditor(data []byte, root *Node) *Editor { return &Editor{data, root} }

// layouts returns the layout of the container around n, and n's own. It walks from the
// root to n.
func (e *Editor) layouts(n *Node) (outer, own layout) {
	outer = (&document{source: source{data: e.data}, root: e.root}).rootLayout()
	at := e.root
	for at != n {
		outer = layoutOf(e.data, at, outer)
		at = child(at, n)
		if at == nil {
			return outer, outer // n is not of this document, a mistake of the caller
		}
	}
	return outer, layoutOf(e.data, n, outer)
}

// child finds the part of a container that contains n.
func child(of, n *Node) *Node {
	if of.Kind == Array {
		byEnd := func(elem Node, at int) int { return elem.End - 1 - at }
		i, _ := slices.BinarySearchFunc(of.Elems, n.Start, byEnd)
		if i < len(of.Elems) {
			return &of.Elems[i]
		}
		return nil
	}
	byEnd := func(m Member, at int) int { return m.Value.End - 1 - at }
	i, _ := slices.BinarySearchFunc(of.Members, n.Start, byEnd)
	if i < len(of.Members) {
		return &of.Members[i].Value
	}
	return nil
}

// put returns the document with n replaced by text.
func (e *Editor) put(n *Node, text []byte) []byte {
	return slices.Concat(e.data[:n.Start], text, e.data[n.End:])
}

// fresh parses a new value and lays it out for a container with the layout outer.
func fresh(raw []byte, outer layout, lim Limits) ([]byte, error) {
	d, err := parse(raw, lim, scope{until: math.MaxInt, large: lim.largeFrom()})
	if err != nil {
		return nil, err
	}
	return appendNew(nil, d, d.root, outer), nil
}

// Replace replaces n by a value. If both are containers, equal parts stay as they are.
// It fails only if the value is not JSON.
func (e *Editor) Replace(n *Node, raw []byte, spelling Spelling, lim Limits) ([]byte, error) {
	outer, _ := e.layouts(n)
	text, err := mergeAt(e.data[n.Start:n.End], raw, spelling, outer, lim)
	if err != nil {
		return nil, err
	}
	return e.put(n, text), nil
}

// write returns the document with the container n rewritten.
func (e *Editor) write(n *Node, lay layout, to ...part) []byte {
	more := 64
	for _, p := range to {
		more += len(p.text) + len(lay.lead) + len(lay.first) + len(lay.last)
	}
	out := append(make([]byte, 0, len(e.data)+more), e.data[:n.Start]...)
	out = appendContainer(out, e.data, n, lay, to, nil)
	return append(out, e.data[n.End:]...)
}

// AppendMember appends a member to an object that does not have its key.
func (e *Editor) AppendMember(obj *Node, key string, raw []byte, lim Limits) ([]byte, error) {
	_, own := e.layouts(obj)
	value, err := fresh(raw, own, lim)
	if err != nil {
		return nil, err
	}
	member := part{old: -1, until: -1, text: slices.Concat(Quote(key), own.colon, value)}
	return e.write(obj, own, append(kept(0, obj.parts()), member)...), nil
}

// InsertElem inserts a value before element i of an array, or at the end if it has i
// elements.
func (e *Editor) InsertElem(arr *Node, i int, raw []byte, lim Limits) ([]byte, error) {
	_, own := e.layouts(arr)
	value, err := fresh(raw, own, lim)
	if err != nil {
		return nil, err
	}
	elem := part{old: -1, until: -1, text: value}
	return e.write(arr, own, slices.Concat(kept(0, i), []part{elem}, kept(i, arr.parts()))...), nil
}

// RemovePart removes the member or element i of a container.
func (e *Editor) RemovePart(n *Node, i int) []byte {
	_, own := e.layouts(n)
	return e.write(n, own, append(kept(0, i), kept(i+1, n.parts())...)...)
}
