// Writes a container from unchanged, changed and new parts.

package splice

import "bytes"

// part is one or more members or elements of the new container.
type part struct {
	old   int    // index in the old container, or -1 for a new one
	until int    // index after the last: a run of unchanged ones is one part
	text  []byte // of a new one, with its key
	// Changed ones, of which a run is one part too: the indexes of the first, before the
	// change (-1 for none, and the run is only one) and after it.
	changed bool
	was, is int
}

// stay adds an unchanged part of the old container.
func stay(to []part, i int) []part {
	if len(to) > 0 {
		last := &to[len(to)-1]
		if last.old >= 0 && !last.changed && last.until == i {
			last.until++
			return to
		}
	}
	return append(to, part{old: i, until: i + 1})
}

// alter adds a changed part.
func alter(to []part, i, was, is int) []part {
	if len(to) > 0 {
		last := &to[len(to)-1]
		n := last.until - last.old
		if last.changed && last.until == i && was >= 0 && last.was+n == was && last.is+n == is {
			last.until++
			return to
		}
	}
	return append(to, part{old: i, until: i + 1, changed: true, was: was, is: is})
}

// kept is the run of unchanged parts [from, until).
func kept(from, until int) []part {
	if from == until {
		return nil
	}
	return []part{{old: from, until: until}}
}

// appendContainer writes the container n of data with the given parts, in their order.
// Unchanged parts keep the white space around them. change writes the new form of an
// old value, with the indexes of the part that it belongs to before and after.
func appendContainer(
	out, data []byte, n *Node, lay layout, to []part,
	change func(out []byte, old *Node, was, is int) []byte,
) []byte {
	brackets := "[]"
	if n.Kind == Object {
		brackets = "{}"
	}
	if len(to) == 0 {
		if n.parts() == 0 {
			return append(out, data[n.Start:n.End]...) // with its blanks, if any
		}
		return append(out, brackets...)
	}
	out = append(out, brackets[0])
	for i, p := range to {
		switch {
		case i > 0 && p.old > 0:
			// Include the space before the comma, unless it belongs to a removed part.
			_, before := n.part(p.old - 1)
			start, _ := n.part(p.old)
			gap := data[before:start]
			if to[i-1].until != p.old {
				gap = gap[bytes.IndexByte(gap, ','):]
			}
			out = append(out, gap...)
		case i > 0:
			out = append(out, ',')
			out = append(out, lay.lead...)
		default:
			out = append(out, lay.first...)
		}
		if p.old < 0 {
			out = append(out, p.text...)
			continue
		}
		start, _ := n.part(p.old)
		if !p.changed {
			_, end := n.part(p.until - 1)
			out = append(out, data[start:end]...)
			continue
		}
		for i := range p.until - p.old {
			value := n.value(p.old + i)
			out = append(out, data[start:value.Start]...)
			start = value.End
			out = change(out, value, p.was+i, p.is+i)
		}
	}
	out = append(out, lay.last...)
	return append(out, brackets[1])
}

// value is the value of a member, or an element.
func (n *Node) value(i int) *Node {
	if n.Kind == Object {
		return &n.Members[i].Value
	}
	return &n.Elems[i]
}
