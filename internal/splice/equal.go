// Equality of values: numbers by their exact value, strings by their decoded text,
// objects in any order of members.

package splice

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// Equal reports whether two documents have equal values.
func Equal(a, b []byte, lim Limits) (bool, error) {
	w := windowOf(a, b)
	x, err := parse(a, lim, w.of(a, lim))
	if err != nil {
		return false, err
	}
	y, err := parse(b, lim, w.of(b, lim))
	if err != nil {
		return false, err
	}
	return equal(x, x.root, y, y.root), nil
}

// window is where two texts differ: they are equal before from and in the last rest
// bytes.
type window struct{ from, rest int }

// of is the window in one of the two texts.
func (w window) of(data []byte, lim Limits) scope {
	return scope{from: w.from, until: len(data) - w.rest, large: lim.largeFrom()}
}

func windowOf(a, b []byte) (w window) {
	const step = 256
	short := min(len(a), len(b))
	for w.from+step <= short && bytes.Equal(a[w.from:w.from+step], b[w.from:w.from+step]) {
		w.from += step
	}
	for w.from < short && a[w.from] == b[w.from] {
		w.from++
	}
	most := short - w.from
	a, b = a[len(a)-most:], b[len(b)-most:]
	for w.rest+step <= most {
		from, until := most-w.rest-step, most-w.rest
		if !bytes.Equal(a[from:until], b[from:until]) {
			break
		}
		w.rest += step
	}
	for w.rest < most && a[most-1-w.rest] == b[most-1-w.rest] {
		w.rest++
	}
	return w
}

// fewBytes is the length up to which the texts of two containers are compared before
// their parts. Without a bound, deep nesting would compare the same bytes at each
// level.
const fewBytes = 4 << 10

// equal reports whether two values are equal. Equal digests are no proof; the values
// are compared.
func equal(a *document, n *Node, b *document, m *Node) bool {
	if a == b && n == m {
		return true
	}
	if n.Kind != m.Kind || n.digest != 0 && m.digest != 0 && n.digest != m.digest {
		return false
	}
	few := n.Kind < Array || n.End-n.Start <= fewBytes
	if few || n.unread && m.unread && (!a.large || a.pass(n)) {
		if bytes.Equal(a.raw(n), b.raw(m)) {
			return true
		}
	}
	switch n.Kind {
	case Number:
		return equalNumbers(a.raw(n), b.raw(m))
	case String:
		return bytes.Equal(a.string(n), b.string(m))
	case Array:
		defer a.forget(n, a.open(n))
		defer b.forget(m, b.open(m))
		if len(n.Elems) != len(m.Elems) {
			return false
		}
		for i := range n.Elems {
			if !equal(a, &n.Elems[i], b, &m.Elems[i]) {
				return false
			}
		}
	case Object:
		return equalObjects(a, n, b, m)
	}
	return true
}

func equalObjects(a *document, n *Node, b *document, m *Node) bool {
	defer a.forget(n, a.open(n))
	defer b.forget(m, b.open(m))
	ours, theirs := a.finder(n), b.finder(m)
	if !a.repeats() && !b.repeats() && len(n.Members) != len(m.Members) {
		return false
	}
	found := 0
	for i := range n.Members {
		member := &n.Members[i]
		if a.repeats() && ours.find(member.Key) != i {
			continue // a later duplicate counts
		}
		j := theirs.find(member.Key)
		if j < 0 || !equal(a, &member.Value, b, &m.Members[j].Value) {
			return false
		}
		found++
	}
	return found == b.countKeys(m)
}

// countKeys counts the different keys of an object.
func (d *document) countKeys(n *Node) int {
	if !d.repeats() {
		return len(n.Members)
	}
	f := d.finder(n)
	count := 0
	for i := range n.Members {
		if f.find(n.Members[i].Key) == i {
			count++
		}
	}
	return count
}

// hasher computes the digests of one merge. Equal values have equal digests, so that
// arrays are aligned without comparing all pairs of elements.
type hasher struct {
	seed maphash.Seed
	salt uint64
}

func newHasher() *hasher {
	seed := maphash.MakeSeed()
	return &hasher{seed, maphash.String(seed, "salt") | 1}
}

func (h *hasher) mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^h.salt, b^0x9e3779b97f4a7c15)
	return high ^ low + b
}

// key is the digest of a key, the same for a lossy document and another.
func (h *hasher) key(m *Member) uint64 {
	if len(m.Key) != m.KeyEnd-m.KeyStart-2 && HasHalf(m.Key) {
		return maphash.Bytes(h.seed, lossy([]byte(m.Key)))
	}
	return maphash.String(h.seed, m.Key)
}

// digest returns the digest of a value, computed once.
func (d *document) digest(n *Node) uint64 {
	if n.digest != 0 {
		return n.digest
	}
	h := d.hash
	sum := uint64(n.Kind) + 1
	switch n.Kind {
	case Number:
		raw := d.raw(n)
		if value, ok := parseNumber(raw); ok {
			sum = h.mix(h.mix(sum, value.digits), uint64(value.power)<<1|b2u(value.negative))
		} else {
			sum = h.mix(sum, maphash.String(h.seed, canonical(raw)))
		}
	case String:
		text := d.string(n)
		if len(text) != n.End-n.Start-2 {
			text = lossy(text) // one digest, whether the document is lossy or not
		}
		sum = h.mix(sum, maphash.Bytes(h.seed, text))
	case Array:
		defer d.forget(n, d.open(n))
		for i := range n.Elems {
			sum = h.mix(sum, d.digest(&n.Elems[i]))
		}
	case Object:
		// A sum, since the order does not count. Overridden members do not count
		// either.
		defer d.forget(n, d.open(n))
		f := d.finder(n)
		members := uint64(0)
		for i := range n.Members {
			m := &n.Members[i]
			if !d.repeats() || f.find(m.Key) == i {
				members += h.mix(h.key(m), d.digest(&m.Value))
			}
		}
		sum = h.mix(sum, members)
	}
	n.digest = max(sum, 1)
	return n.digest
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
