// The layout of a document, and how new values are written to match it.

package splice

import (
	"bytes"
	"slices"
)

// layout is the white space between the parts of one container. It is taken from the
// container's own members and, where those do not show it, from the container around
// it.
type layout struct {
	lead  []byte // between a comma and a member: a line break and indent, or blanks
	first []byte // between the opening bracket and the first member
	last  []byte // between the last member and the closing bracket
	colon []byte // between a key and its value
	unit  []byte // the indent of one level; empty if the document has none
}

// compact is the layout of a document without white space.
var compact = layout{colon: []byte(":")}

// layoutOf returns the layout of a container; outer is that of the container around it.
func layoutOf(data []byte, n *Node, outer layout) layout {
	count := n.parts()
	if count == 0 {
		return within(outer)
	}
	own := layout{colon: outer.colon, unit: outer.unit}
	start, _ := n.part(0)
	_, end := n.part(count - 1)
	own.first = data[n.Start+1 : start]
	own.last = data[end : n.End-1]
	if count > 1 {
		_, before := n.part(count - 2)
		start, _ := n.part(count - 1)
		gap := data[before:start]
		own.lead = gap[bytes.IndexByte(gap, ',')+1:]
	}
	if n.Kind == Object {
		m := &n.Members[count-1]
		own.colon = data[m.KeyEnd:m.Value.Start]
	}
	if line := bytes.LastIndexByte(own.first, '\n'); line >= 0 {
		outside := own.last[bytes.LastIndexByte(own.last, '\n')+1:]
		if unit, ok := bytes.CutPrefix(own.first[line+1:], outside); ok {
			own.unit = unit
		}
	}
	if count == 1 {
		own.lead = own.first
		if !hasLine(own.first) {
			own.lead = slices.Concat(own.first, blankAfter(own.colon))
			blanks := len(outer.lead) > 0 && !hasLine(outer.lead)
			if n.Kind == Array && len(own.lead) == 0 && blanks {
				own.lead = outer.lead
			}
		}
	}
	return own
}

func hasLine(space []byte) bool { return bytes.IndexByte(space, '\n') >= 0 }

// longestLead bounds the indent of new values. Deeper levels are written in one line:
// if each were indented, a value of 10,000 levels would take a hundred megabytes.
const longestLead = 500

// within is the layout of an empty container in one with the layout outer.
func within(outer layout) layout {
	inner := layout{colon: outer.colon, unit: outer.unit}
	switch {
	case !hasLine(outer.lead):
		inner.lead = outer.lead
		if len(inner.lead) == 0 {
			inner.lead = blankAfter(outer.colon)
		}
	case len(outer.lead) > longestLead:
		inner.lead = blankAfter(outer.colon)
	default:
		inner.lead = slices.Concat(outer.lead, outer.unit)
		inner.first, inner.last = inner.lead, outer.lead
	}
	return inner
}

// blankAfter guesses the space after a comma in a line from the space after a colon.
func blankAfter(colon []byte) []byte {
	if bytes.HasSuffix(colon, []byte(" ")) {
		return []byte(" ")
	}
	return nil
}

// rootLayout is the layout around the whole document: as if it were in a container
// whose members begin lines without indent, if the document has several lines.
func (d *document) rootLayout() layout {
	outer := compact
	d.open(d.root)
	own := layoutOf(d.data, d.root, compact)
	if line := bytes.LastIndexByte(own.first, '\n'); line >= 0 {
		outer.lead, outer.unit = own.first[:line+1], own.first[line+1:]
	} else {
		outer.lead = own.lead
	}
	outer.colon = firstColon(d.data, d.root.Start, outer.colon)
	return outer
}

// firstColon returns the text between the first key and its value, if the value is an
// object or begins with one.
func firstColon(data []byte, start int, none []byte) []byte {
	s := scanner{source: &source{data: data}, pos: start}
	for s.data[s.pos] == '[' {
		s.pos++
		s.space()
	}
	if s.data[s.pos] != '{' {
		return none
	}
	s.pos++
	s.space()
	if s.data[s.pos] == '}' {
		return none
	}
	_, _ = s.str() // no error: it was scanned before
	end := s.pos
	s.space()
	s.pos++
	s.space()
	return data[end:s.pos]
}

// parts is the number of members or elements of a container.
func (n *Node) parts() int { return len(n.Members) + len(n.Elems) }

// part returns where a member or element of a container starts and ends.
func (n *Node) part(i int) (start, end int) {
	if n.Kind == Object {
		return n.Members[i].KeyStart, n.Members[i].Value.End
	}
	return n.Elems[i].Start, n.Elems[i].End
}

// appendNew writes a value of another document, laid out for a container with the
// layout outer. Numbers, strings and keys keep their spelling.
func appendNew(out []byte, d *document, n *Node, outer layout) []byte {
	if n.Kind < Array {
		return append(out, d.raw(n)...)
	}
	defer d.forget(n, d.open(n))
	brackets := "[]"
	if n.Kind == Object {
		brackets = "{}"
	}
	count := n.parts()
	if count == 0 {
		return append(out, brackets...)
	}
	inner := within(outer)
	out = append(out, brackets[0])
	out = append(out, inner.first...)
	for i := range count {
		if i > 0 {
			out = append(out, ',')
			out = append(out, inner.lead...)
		}
		if n.Kind == Object {
			out = appendMember(out, d, &n.Members[i], inner)
		} else {
			out = appendNew(out, d, &n.Elems[i], inner)
		}
	}
	out = append(out, inner.last...)
	return append(out, brackets[1])
}

// appendMember writes a member of another document.
func appendMember(out []byte, d *document, m *Member, lay layout) []byte {
	out = append(out, d.data[m.KeyStart:m.KeyEnd]...)
	out = append(out, lay.colon...)
	return appendNew(out, d, &m.Value, lay)
}
