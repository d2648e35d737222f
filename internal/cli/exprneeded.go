// The parts of a document that a plain expression needs. Only these are decoded, which
// is little of a large document.

package cli

import "github.com/itchyny/gojq"

// needed says which parts of a value are needed: only its presence, all of it, or parts
// of some members.
type needed struct {
	all     bool
	members map[string]*needed
}

// untouched is the text of a value that is not needed. It replaces the value in the
// expression's input.
type untouched struct{ text []byte }

// member reads the value of a member.
func (r *reader) member(key string) any {
	whole := r.needed
	if whole == nil || whole.all {
		return r.value()
	}
	part := whole.members[key]
	if part == nil || !part.all && part.members == nil {
		return r.skip()
	}
	r.needed = part
	value := r.value()
	r.needed = whole
	return value
}

// skip skips a value.
func (r *reader) skip() any {
	r.space()
	start := r.pos
	for depth := 0; ; {
		switch r.data[r.pos] {
		case '"':
			r.quoted()
		case '{', '[':
			depth++
			r.pos++
		case '}', ']':
			depth--
			r.pos++
		case ',', ':', ' ', '\t', '\n', '\r':
			r.pos++
			continue
		default:
			for r.pos < len(r.data) && !isEnd(r.data[r.pos]) {
				r.pos++
			}
		}
		if depth == 0 {
			return &untouched{r.data[start:r.pos]}
		}
	}
}

// isEnd reports whether a byte ends a number or a word.
func isEnd(c byte) bool { return c == ',' || c == '}' || c == ']' || c <= ' ' }

// need adds the parts that a plain query needs.
func (e *expression) need(n *needed, q *gojq.Query) {
	switch {
	case q.Term != nil: // del
		n.at(e.keys(q.Term.Func.Args[0]))
	case q.Op == gojq.OpPipe:
		e.need(n, q.Left)
		e.need(n, q.Right)
	case q.Op == gojq.OpAssign:
		n.at(e.keys(q.Left))
	default:
		n.at(e.keys(q.Left)).all = true
	}
}

// at returns the entry for the path of the keys, and makes it if necessary.
func (n *needed) at(keys []string) *needed {
	for _, key := range keys {
		if n.members == nil {
			n.members = map[string]*needed{}
		}
		if n.members[key] == nil {
			n.members[key] = &needed{}
		}
		n = n.members[key]
	}
	return n
}

// keys returns the keys of a plain path.
func (e *expression) keys(path *gojq.Query) []string {
	keys := []string{e.key(path.Term.Index)}
	for _, suffix := range path.Term.SuffixList {
		keys = append(keys, e.key(suffix.Index))
	}
	return keys
}

func (e *expression) key(index *gojq.Index) string {
	switch {
	case index.Start != nil:
		if value, ok := e.variable(index.Start); ok {
			return value.(string)
		}
		return index.Start.Term.Str.Str
	case index.Str != nil:
		return index.Str.Str
	}
	return index.Name
}
