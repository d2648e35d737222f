// A container written anew from parts that stay, parts that changed and parts that are new.

package splice

// part is a member or element of a container as it is to be.
type part struct {
	old int // which one of the old container it was, or -1 for a new one
	// What it is to be: for an old one its new value (nil: as it was); for a new one all of it, with its key.
	text []byte
}

// appendContainer writes the container n of data with the given parts, which are in the
// order in which they are to stand. What stays keeps the white space around it.
func appendContainer(out, data []byte, n *Node, lay layout, to []part) []byte {
	brackets := "[]"
	if n.Kind == Object {
		brackets = "{}"
	}
	if len(to) == 0 {
		return append(out, brackets...)
	}
	starts, ends := parts(n)
	out = append(out, brackets[0])
	for i, p := range to {
		switch {
		case i > 0 && p.old > 0:
			// With what stood before the comma, unless that ended the line of another.
			out = append(out, gapBefore(data, starts, ends, p.old, to[i-1].old)...)
		case i > 0:
			out = append(out, ',')
			out = append(out, lay.lead...)
		default:
			out = append(out, lay.first...)
		}
		switch {
		case p.old < 0:
			out = append(out, p.text...)
		case p.text == nil:
			out = append(out, data[starts[p.old]:ends[p.old]]...)
		default:
			value := starts[p.old]
			if n.Kind == Object {
				value = n.Members[p.old].Value.Start
			}
			out = append(out, data[starts[p.old]:value]...)
			out = append(out, p.text...)
		}
	}
	out = append(out, lay.last...)
	return append(out, brackets[1])
}

// gapBefore is what stands between a part that stays and the one before it: as it was if that
// is the one that stood before it, else only what follows the comma.
func gapBefore(data []byte, starts, ends []int, i, before int) []byte {
	gap := data[ends[i-1]:starts[i]]
	if before == i-1 {
		return gap
	}
	for k, c := range gap {
		if c == ',' {
			return gap[k:]
		}
	}
	return gap
}

// kept are the parts of a container as they are.
func kept(n *Node) []part {
	all := make([]part, len(n.Members)+len(n.Elems))
	for i := range all {
		all[i].old = i
	}
	return all
}
