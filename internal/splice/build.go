// A container written anew from parts that stay, parts that changed and parts that are
// new.

package splice

import "bytes"

// part is one or more members or elements of a container as they are to be.
type part struct {
	old   int    // the first of the old container's that it is, or -1 for a new one
	until int    // the one after the last: of those that stay as they are, many are one part
	text  []byte // of a new one: all of it, with its key
	// One that stays and of which something changed: from what to what.
	was, is *Node
}

// stay adds a part of the old container that stays as it is.
func stay(to []part, i int) []part {
	if len(to) > 0 {
		last := &to[len(to)-1]
		if last.old >= 0 && last.is == nil && last.until == i {
			last.until++
			return to
		}
	}
	return append(to, part{old: i, until: i + 1})
}

// kept are the parts from and until of a container as they are.
func kept(from, until int) []part {
	if from == until {
		return nil
	}
	return []part{{old: from, until: until}}
}

// appendContainer writes the container n of data with the given parts, in their order.
// What stays keeps the white space around it. change writes what became of an old value.
func appendContainer(
	out, data []byte, n *Node, lay layout, to []part,
	change func(out []byte, old *Node, p part) []byte,
) []byte {
	brackets := "[]"
	if n.Kind == Object {
		brackets = "{}"
	}
	if len(to) == 0 {
		if n.parts() == 0 {
			return append(out, data[n.Start:n.End]...) // it may have blanks in it
		}
		return append(out, brackets...)
	}
	out = append(out, brackets[0])
	for i, p := range to {
		switch {
		case i > 0 && p.old > 0:
			// With what stood before the comma, unless that ended the line of another.
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
		if p.is == nil {
			_, end := n.part(p.until - 1)
			out = append(out, data[start:end]...)
			continue
		}
		value := n.value(p.old)
		out = append(out, data[start:value.Start]...)
		out = change(out, value, p)
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
