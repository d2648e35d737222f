// Builds the nodes of a document, with few allocations, and only as deep as needed.

package splice

import (
	"bytes"
	"math"
	"slices"
)

// source is a document's text. Each Check allocates one: it has 48 bytes.
type source struct {
	data []byte
	text *string // a copy of data, made if needed; keys without escapes are substrings of it
	// lossy: decode strings as encoding/json does, with U+FFFD for half of a surrogate
	// pair. halves: a key has one, so that different keys may decode to the same text.
	lossy, halves bool
	names         map[string]string // of a large document: interned keys, instead of text
}

// key returns a key as a string.
func (s *source) key(k keyText) string {
	if len(k.text) != k.end-k.start-2 {
		key := k.text
		if s.lossy && HasHalf(key) {
			s.halves, key = true, lossy(key)
		}
		return string(key)
	}
	if s.names != nil {
		name, ok := s.names[string(k.text)]
		if !ok {
			name = string(k.text)
			if len(s.names) < maxNames {
				s.names[name] = name
			}
		}
		return name
	}
	if s.text == nil {
		text := string(s.data)
		s.text = &text
	}
	return (*s.text)[k.start+1 : k.end-1]
}

// tree collects the parts of the open containers, the inner ones' after the outer
// ones', and moves them to their store when a container is closed. The parts of a
// container are left out, and it is marked unread, if it ends before from, begins after
// until, or is deeper than the given number of levels.
type tree struct {
	members     []Member
	elems       []Node
	memberStore []Member
	elemStore   []Node
	from, until int
	levels      int // that may still be opened
}

// expect makes room for so many elements.
func (t *tree) expect(elems int) {
	if len(t.elems) == 0 && cap(t.elems) < elems {
		t.elems = make([]Node, 0, elems)
	}
}

// close gives a closed container its parts, which begin at members and elems.
func (t *tree) close(n *Node, parts bool, members, elems int) {
	switch {
	case !parts || n.End <= t.from:
		n.unread = true
	case n.Kind == Object:
		n.Members = keep(&t.memberStore, t.members[members:])
	case elems == 0 && len(t.elems) > manyElems:
		n.Elems, t.elems = slices.Clip(t.elems), nil // a copy would double the memory
	default:
		n.Elems = keep(&t.elemStore, t.elems[elems:])
	}
	t.members, t.elems = t.members[:members], t.elems[:elems]
}

// manyElems is the number of elements from which an array does not share its store.
const manyElems = 1 << 10

// push is append that always doubles the capacity, since the slices here are large.
func push[T any](to []T, one T) []T {
	if len(to) == cap(to) {
		to = append(make([]T, 0, max(2*cap(to), 8)), to...)
	}
	return append(to, one)
}

// keep copies the parts of a container to the store.
func keep[T any](store *[]T, parts []T) []T {
	if len(parts) == 0 {
		return nil
	}
	kept := take(store, len(parts))
	copy(kept, parts)
	return kept
}

// take takes n places of the store, which have old content, and begins a new store when
// that is full.
func take[T any](store *[]T, n int) []T {
	first := len(*store)
	if cap(*store)-first < n {
		*store, first = make([]T, 0, max(n, min(2*cap(*store), 1024), 8)), 0
	}
	*store = (*store)[:first+n]
	return (*store)[first : first+n : first+n]
}

// rewind gives back what has been taken from a store since it was before.
func rewind[T any](store *[]T, before []T) {
	length := 0 // of another store than before: all of it has been taken since
	if cap(before) > 0 && &(*store)[:1][0] == &before[:1][0] {
		length = len(before)
	}
	*store = (*store)[:length]
}

// Parse checks a document as Check does, and returns its nodes.
func Parse(data []byte, lim Limits) (*Node, error) {
	t, err := parse(data, lim, everything)
	if err != nil {
		return nil, err
	}
	return t.root, nil
}

// document is a text and its nodes.
type document struct {
	source
	root       *Node
	duplicates bool     // duplicate keys are allowed
	large      bool     // see largeBytes
	passes     int64    // bytes that may still be read or compared once more
	lasting    int      // the number of containers read again whose parts are not dropped
	again      *scanner // for reading parts again
	hash       *hasher
}

// scope says which nodes of a document are built.
type scope struct {
	from, until int  // containers outside are left unread, see tree
	large       int  // from this size, only one level is built
	lossy       bool // see source
}

var everything = scope{until: math.MaxInt, large: math.MaxInt}

const (
	// largeBytes is the size from which only the nodes in use are built, and dropped
	// after use: all nodes take many times the size of the document.
	largeBytes = 1 << 20
	// fewPasses bounds how often a document is read again for that, or compared. With
	// deep nesting it could be once a level.
	fewPasses = 32
	// maxNames is the number of its keys that are interned.
	maxNames = 1 << 12
)

func parse(data []byte, lim Limits, sc scope) (*document, error) {
	d := &document{
		source: source{data: data, lossy: sc.lossy},
		root:   &Node{}, duplicates: lim.AllowDuplicateKeys,
	}
	s := scanner{source: &d.source, lim: lim, left: lim.depth()}
	s.tree = tree{from: sc.from, until: sc.until, levels: math.MaxInt}
	if len(data) >= sc.large {
		s.tree.levels = 1
		if root := bytes.TrimLeft(data, " \t\r\n"); len(root) > 0 && root[0] == '[' {
			s.tree.levels = 0 // count its elements first
		}
		d.large, d.passes = true, fewPasses*int64(len(data))
		d.names = map[string]string{}
	}
	if err := s.document(d.root); err != nil {
		return nil, err
	}
	return d, nil
}

// repeats reports whether an object may have duplicate keys after decoding. The last
// one counts.
func (d *document) repeats() bool { return d.duplicates || d.halves }

// opened says whether to drop the parts of a container after use, and how the stores
// were before.
type opened struct {
	drop    bool
	members []Member
	elems   []Node
	lasting int
}

// open builds the parts of an unread container: defer d.forget(n, d.open(n)). Nothing
// may use the parts after that.
func (d *document) open(n *Node) opened {
	if !n.unread {
		return opened{}
	}
	return d.read(n)
}

// rescan returns a scanner at a place of the document.
func (d *document) rescan(at int) *scanner {
	if d.again == nil {
		lim := Limits{AllowDuplicateKeys: true}
		d.again = &scanner{source: &d.source, lim: lim, left: largestDepth}
		d.again.tree.until = math.MaxInt
	}
	d.again.pos, d.again.tree.levels = at, math.MaxInt
	return d.again
}

func (d *document) read(n *Node) opened {
	s := d.rescan(n.Start)
	o := opened{d.large, s.tree.memberStore, s.tree.elemStore, d.lasting}
	if o.drop && n.End-n.Start > fewBytes {
		if o.drop = d.pass(n); o.drop {
			s.tree.levels = 1
		}
	}
	if !o.drop {
		d.lasting++
	}
	digest, count := n.digest, n.count
	s.tree.expect(int(count))
	_ = s.value(n) // no error: it was scanned before
	n.digest, n.count = digest, count
	return o
}

// forget drops the parts of a container if they are not to stay.
func (d *document) forget(n *Node, o opened) {
	if !o.drop {
		return
	}
	n.Members, n.Elems, n.unread = nil, nil, true
	if d.lasting == o.lasting {
		rewind(&d.again.tree.memberStore, o.members)
		rewind(&d.again.tree.elemStore, o.elems)
	}
}

// lone is a copy of a node that stays valid when the container around it is forgotten.
func (o opened) lone(n *Node) Node {
	if o.drop && n.Kind >= Array {
		return Node{Kind: n.Kind, Start: n.Start, End: n.End, unread: true, digest: n.digest}
	}
	return *n
}

// pass reports whether a container of a large document may be read once more.
func (d *document) pass(n *Node) bool {
	size := int64(n.End - n.Start)
	if size > d.passes {
		return false
	}
	d.passes -= size
	return true
}

func (d *document) raw(n *Node) []byte { return d.data[n.Start:n.End] }

// string decodes a string.
func (d *document) string(n *Node) []byte {
	text := d.raw(n)
	if bytes.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	decoded := decode(text, true)
	if d.lossy {
		decoded = lossy(decoded)
	}
	return decoded
}

// finder finds members of an open object by key. It is fast for lookups in about their
// order.
type finder struct {
	members []Member
	next    int
	byKey   map[string]int
	last    bool // duplicates are possible and the last counts, so the next is not enough
}

// fewMembers is the number of members up to which the search is linear.
const fewMembers = 8

func (d *document) finder(n *Node) finder {
	return finder{members: n.Members, last: d.repeats()}
}

// find returns the index of the member with a key, or -1 if there is none.
func (f *finder) find(key string) int {
	if f.next < len(f.members) && !f.last && f.members[f.next].Key == key {
		f.next++
		return f.next - 1
	}
	if len(f.members) <= fewMembers {
		for i := len(f.members) - 1; i >= 0; i-- {
			if f.members[i].Key == key {
				f.next = i + 1
				return i
			}
		}
		return -1
	}
	if f.byKey == nil {
		f.byKey = make(map[string]int, len(f.members))
		for i := range f.members {
			f.byKey[f.members[i].Key] = i
		}
	}
	if i, ok := f.byKey[key]; ok {
		f.next = i + 1
		return i
	}
	return -1
}
