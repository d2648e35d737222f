// When two values are equal: numbers by what they are worth, exactly; strings by
// what they stand for; objects whatever the order of their members.

package splice

import (
	"bytes"
	"hash/maphash"
	"math/big"
	"strconv"
)

// text is a document with its values' digests.
type text struct {
	data       []byte
	root       *Node
	duplicates bool // objects may have a key twice
}

// parse parses, and computes a digest of each value, so that values that differ are told apart
// without going through them again at each level.
func parse(data []byte, lim Limits, seed maphash.Seed) (*text, error) {
	root, err := Parse(data, lim)
	if err != nil {
		return nil, err
	}
	t := &text{data, root, lim.AllowDuplicateKeys}
	t.digest(root, seed)
	return t, nil
}

func (t *text) raw(n *Node) []byte { return t.data[n.Start:n.End] }

// str decodes a string value.
func (t *text) str(n *Node) []byte {
	raw := t.raw(n)
	return decode(raw, bytes.IndexByte(raw, '\\') >= 0)
}

// digest sets the digest of a value and of all in it. Equal values have equal ones.
func (t *text) digest(n *Node, seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_ = h.WriteByte(byte(n.Kind))
	switch n.Kind {
	case Number:
		_, _ = h.WriteString(canonical(t.raw(n)))
	case String:
		_, _ = h.Write(t.str(n))
	case Array:
		for i := range n.Elems {
			maphash.WriteComparable(&h, t.digest(&n.Elems[i], seed))
		}
	case Object:
		// The order does not count: a sum. Nor do members that a later one overrides.
		var sum uint64
		var overridden map[int]bool
		if t.duplicates {
			overridden = n.overridden()
		}
		for i := range n.Members {
			m := &n.Members[i]
			value := t.digest(&m.Value, seed)
			if !overridden[i] {
				sum += maphash.Comparable(seed, struct {
					key   string
					value uint64
				}{m.Key, value})
			}
		}
		maphash.WriteComparable(&h, sum)
	}
	n.digest = h.Sum64()
	return n.digest
}

// overridden marks the members after which the same key comes again.
func (n *Node) overridden() map[int]bool {
	var marked map[int]bool
	last := make(map[string]int, len(n.Members))
	for i := range n.Members {
		if before, ok := last[n.Members[i].Key]; ok {
			if marked == nil {
				marked = map[int]bool{}
			}
			marked[before] = true
		}
		last[n.Members[i].Key] = i
	}
	return marked
}

// equal reports whether two values are equal. That two digests are equal is not believed.
func equal(a *text, n *Node, b *text, m *Node) bool {
	if n.digest != m.digest || n.Kind != m.Kind {
		return false
	}
	if bytes.Equal(a.raw(n), b.raw(m)) {
		return true
	}
	switch n.Kind {
	case Number:
		return canonical(a.raw(n)) == canonical(b.raw(m))
	case String:
		return bytes.Equal(a.str(n), b.str(m))
	case Array:
		if len(n.Elems) != len(m.Elems) {
			return false
		}
		for i := range n.Elems {
			if !equal(a, &n.Elems[i], b, &m.Elems[i]) {
				return false
			}
		}
	case Object:
		ours, theirs := index(n), index(m)
		if len(ours) != len(theirs) {
			return false
		}
		for key, i := range ours {
			j, ok := theirs[key]
			if !ok || !equal(a, &n.Members[i].Value, b, &m.Members[j].Value) {
				return false
			}
		}
	}
	return true
}

// index finds the members of an object by key, of several the last.
func index(n *Node) map[string]int {
	byKey := make(map[string]int, len(n.Members))
	for i := range n.Members {
		byKey[n.Members[i].Key] = i
	}
	return byKey
}

// canonical is one spelling for all spellings of a number: its digits from the first that
// is not 0 to the last, and the power of ten that the last one counts. However large
// that is, it is not multiplied out.
func canonical(number []byte) string {
	sign := ""
	if number[0] == '-' {
		sign, number = "-", number[1:]
	}
	exponent := ""
	if e := bytes.IndexAny(number, "eE"); e >= 0 {
		number, exponent = number[:e], string(number[e+1:])
	}
	whole, fraction, _ := bytes.Cut(number, []byte("."))
	digits := append(bytes.Clone(whole), fraction...)
	digits = bytes.TrimLeft(digits, "0")
	if len(digits) == 0 {
		return "0" // -0 is 0, as in arithmetic
	}
	trimmed := bytes.TrimRight(digits, "0")
	shift := int64(len(digits)-len(trimmed)) - int64(len(fraction))
	var power string
	switch {
	case len(exponent) <= 18:
		e, _ := strconv.ParseInt(exponent, 10, 64) // empty is 0
		power = strconv.FormatInt(e+shift, 10)
	case len(exponent) > 1000:
		// Not worth the arithmetic: it is equal to its own spelling only.
		return sign + string(digits) + "E" + exponent + string(strconv.AppendInt(nil, shift, 10))
	default:
		e, _ := new(big.Int).SetString(exponent, 10)
		power = e.Add(e, big.NewInt(shift)).String()
	}
	return sign + string(trimmed) + "e" + power
}

// Equal reports whether two documents have equal values.
func Equal(a, b []byte, lim Limits) (bool, error) {
	seed := maphash.MakeSeed()
	x, err := parse(a, lim, seed)
	if err != nil {
		return false, err
	}
	y, err := parse(b, lim, seed)
	if err != nil {
		return false, err
	}
	return equal(x, x.root, y, y.root), nil
}
