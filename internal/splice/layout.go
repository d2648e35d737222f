// How a document is laid out, and how new values are written to fit in.

package splice

import (
	"bytes"
	"encoding/json"
	"strings"
)

// layout is how the parts of one container are set apart. It is read off the container's
// own members; what those do not show is taken from the container around it.
type layout struct {
	lead  string // between the opening bracket or a comma and a member: a line break and indent, or blanks
	first string // the same before the first member
	last  string // between the last member and the closing bracket
	colon string // between a key and its value
	unit  string // by how much each level is indented; empty if the document is not
}

// compact is the layout of a document that shows none.
var compact = layout{colon: ":"}

// layoutOf reads off how the members of a container stand; outer is the container's around it.
func layoutOf(data []byte, n *Node, outer layout) layout {
	own := layout{colon: outer.colon, unit: outer.unit}
	starts, ends := parts(n)
	if len(starts) == 0 {
		return within(outer)
	}
	count := len(starts)
	own.first = string(data[n.Start+1 : starts[0]])
	own.last = string(data[ends[count-1] : n.End-1])
	if count > 1 {
		own.lead = afterComma(data[ends[count-2]:starts[count-1]])
	}
	if n.Kind == Object {
		m := &n.Members[count-1]
		own.colon = string(data[m.KeyEnd:m.Value.Start])
	}
	if lines := strings.LastIndexByte(own.first, '\n'); lines >= 0 {
		if unit, ok := strings.CutPrefix(own.first[lines+1:], own.last[strings.LastIndexByte(own.last, '\n')+1:]); ok {
			own.unit = unit
		}
	}
	if count == 1 {
		own.lead = own.first
		if !strings.Contains(own.first, "\n") {
			own.lead = own.first + blankAfter(own.colon)
			if n.Kind == Array && own.lead == "" && outer.lead != "" && !strings.Contains(outer.lead, "\n") {
				own.lead = outer.lead
			}
		}
	}
	return own
}

// within is the layout of an empty container inside of one with the layout outer.
func within(outer layout) layout {
	inner := layout{colon: outer.colon, unit: outer.unit}
	if line := strings.LastIndexByte(outer.lead, '\n'); line >= 0 {
		inner.lead = outer.lead + outer.unit
		inner.first, inner.last = inner.lead, outer.lead
		return inner
	}
	inner.lead = outer.lead
	if inner.lead == "" {
		inner.lead = blankAfter(outer.colon)
	}
	return inner
}

// blankAfter guesses what follows a comma in one line by what follows a colon.
func blankAfter(colon string) string {
	if strings.HasSuffix(colon, " ") {
		return " "
	}
	return ""
}

// rootLayout is the layout around the whole document: as if it stood in a container whose
// members begin a line without indent, if the document has lines at all.
func rootLayout(data []byte, root *Node) layout {
	outer := compact
	own := layoutOf(data, root, compact)
	if line := strings.LastIndexByte(own.first, '\n'); line >= 0 {
		outer.lead, outer.unit = own.first[:line+1], own.first[line+1:]
	} else {
		outer.lead = own.lead
	}
	// The colon is that of the first object that is to be seen.
	for n := root; ; {
		switch {
		case len(n.Members) > 0:
			outer.colon = string(data[n.Members[0].KeyEnd:n.Members[0].Value.Start])
			return outer
		case len(n.Elems) > 0:
			n = &n.Elems[0]
		default:
			return outer
		}
	}
}

// afterComma is the white space after the comma in what stands between two members.
func afterComma(gap []byte) string {
	return string(gap[bytes.IndexByte(gap, ',')+1:])
}

// parts returns where the members or elements of a container start and end.
func parts(n *Node) (starts, ends []int) {
	for i := range n.Members {
		starts = append(starts, n.Members[i].KeyStart)
		ends = append(ends, n.Members[i].Value.End)
	}
	for i := range n.Elems {
		starts = append(starts, n.Elems[i].Start)
		ends = append(ends, n.Elems[i].End)
	}
	return starts, ends
}

// Quote writes a string as JSON, without the escapes that only HTML needs.
func Quote(text string) []byte {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// Unquote returns what the text of a JSON string, with its quotes, stands for.
func Unquote(text []byte) string {
	return string(decode(text, bytes.IndexByte(text, '\\') >= 0))
}

// appendNew writes a value of another document, laid out to stand in a container with the
// layout outer. Numbers, strings and keys keep their spelling.
func appendNew(out []byte, data []byte, n *Node, outer layout) []byte {
	if n.Kind < Array {
		return append(out, data[n.Start:n.End]...)
	}
	brackets := "[]"
	if n.Kind == Object {
		brackets = "{}"
	}
	count := len(n.Members) + len(n.Elems)
	inner := within(outer)
	out = append(out, brackets[0])
	for i := range count {
		switch {
		case i == 0:
			out = append(out, inner.first...)
		default:
			out = append(out, ',')
			out = append(out, inner.lead...)
		}
		if n.Kind == Object {
			m := &n.Members[i]
			out = append(out, data[m.KeyStart:m.KeyEnd]...)
			out = append(out, inner.colon...)
			out = appendNew(out, data, &m.Value, inner)
		} else {
			out = appendNew(out, data, &n.Elems[i], inner)
		}
	}
	if count > 0 {
		out = append(out, inner.last...)
	}
	return append(out, brackets[1])
}
