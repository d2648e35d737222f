// Recognizes arrays whose elements have stayed in their places, as after most changes.
// Their alignment then needs no search (align.go).

package splice

import "bytes"

// inOrder pairs the elements from start to end with those at the same places, if the
// search would do the same, and reports whether it did. That is so if one member has at
// each place the same value before and after, and at no two places the same: no element
// is then equal to one at another place, and no other member pairs more. The member is
// the id or, if there are no ids, any other. The pairs after end do not move either,
// unless they begin with an element equal to the one before end.
func (a *aligner) inOrder(start, end int) bool {
	before, after := a.merger.before, a.merger.after
	if end-start < 2 || before.repeats() || after.repeats() ||
		end < len(a.before) && a.twins(end-1, end) {
		return false
	}
	key := before.tellingKey(a.before[start:end])
	if key == "" {
		return false
	}
	var last []byte
	ascending := true
	for i := start; i < end; i++ {
		was, is := before.tells(&a.before[i], key), after.tells(&a.after[i], key)
		if was.Kind == Null || is.Kind == Null || !a.same(&was, &is) {
			return false
		}
		text := before.raw(&was)
		ascending, last = ascending && ascends(last, text), text
	}
	if !ascending && !before.distinct(a.before[start:end], key) {
		return false
	}
	for i := start; i < end; i++ {
		a.pair(i, i)
	}
	return true
}

// ascends reports whether the text of a number or string is longer than the last one, or
// as long and later in the order of bytes, and has no other spelling. If that is so for
// each of a list, they are different.
func ascends(last, text []byte) bool {
	if text[0] == '"' && bytes.IndexByte(text, '\\') >= 0 ||
		text[0] != '"' && bytes.ContainsAny(text, "-.eE") {
		return false
	}
	return len(last) < len(text) || len(last) == len(text) && bytes.Compare(last, text) < 0
}

// distinct reports whether the values of the telling member differ in all objects.
func (d *document) distinct(of []Node, key string) bool {
	values := newDigests(len(of))
	for i := range of {
		value := d.tells(&of[i], key)
		if value.Kind == Null || !values.add(d.digest(&value)) {
			return false
		}
	}
	return true
}

// tellingKey guesses from the first few of objects the key of the member that
// distinguishes them: the id or, if there is none, the first with different values.
func (d *document) tellingKey(of []Node) string {
	var keys []string
	d.eachMember(&of[0], func(key string, _ Node) bool {
		if isID(key) {
			keys = []string{key}
			return false
		}
		keys = append(keys, key)
		return len(keys) < maxKeys
	})
	few := of[:min(len(of), 16)]
	for _, key := range keys {
		if d.distinct(few, key) {
			return key
		}
	}
	return ""
}

// tells returns the value of the member with a key, or null if it cannot distinguish
// the object from others, or another member is the id.
func (d *document) tells(n *Node, key string) (value Node) {
	ofID, place := isID(key), 0
	d.eachMember(n, func(k string, v Node) bool {
		switch place++; {
		case k == key && (v.Kind == Number || v.Kind == String) && place <= maxKeys:
			value = v
			return !ofID
		case k == key || isID(k):
			value = Node{}
			return false
		}
		return true
	})
	return value
}

// eachMember calls f with the members of an object, until it returns false. It builds
// no nodes. Of a value that is no object it calls f with nothing.
func (d *document) eachMember(n *Node, f func(key string, value Node) bool) {
	if n.Kind != Object {
		return
	}
	if !n.unread {
		for i := range n.Members {
			if m := &n.Members[i]; !f(m.Key, m.Value) {
				return
			}
		}
		return
	}
	var value Node
	s := d.rescan(n.Start + 1)
	s.tree.levels = 0
	s.space()
	for done := s.data[s.pos] == '}'; !done; {
		key := keyText{start: s.pos}
		escaped, _ := s.str() // no errors: it was scanned before
		key.end = s.pos
		key.text = decode(s.data[key.start:key.end], escaped)
		s.space()
		s.pos++ // the colon
		s.space()
		_ = s.value(&value)
		if !f(s.key(key), value) {
			return
		}
		done, _ = s.next('}')
	}
}

// digests is a set of digests, with open addressing: a power of two of places, of which
// at least half are 0.
type digests []uint64

func newDigests(most int) digests {
	size := 2
	for size < 2*most {
		size *= 2
	}
	return make(digests, size)
}

// add adds a digest, and reports whether it was not in the set. Digests are not 0.
func (set digests) add(digest uint64) bool {
	mask := uint64(len(set) - 1)
	for at := digest & mask; ; at = (at + 1) & mask {
		switch set[at] {
		case 0:
			set[at] = digest
			return true
		case digest:
			return false
		}
	}
}
