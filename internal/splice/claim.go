// Which members of a document stand for which members of a Go value, by the rules of
// encoding/json: a member belongs to the field whose key is spelled the same; else to the
// first field whose key differs in case only; and of several members of one field the
// last one counts.

package splice

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// claim says what a member of old is in before and after: an index of a member, or -1.
type claim struct {
	before, after int
	overridden    bool // a later member of old is the same
	drop          bool // it must go if the value is not to be lost
}

func (c claim) unknown() bool { return c.before < 0 && c.after < 0 }

// claims finds what each member of old is, and which ones of after old has; nil if it has
// all.
func (m *merger) claims(old, before, after *Node) (claims []claim, claimed []bool) {
	claims, claimed = make([]claim, len(old.Members)), make([]bool, len(after.Members))
	was, is := m.before.finder(before), m.after.finder(after)
	several, unknown := m.old.repeats(), false
	for i := range claims {
		key := old.Members[i].Key
		c := claim{before: i, after: is.find(key)}
		if m.before != m.old {
			c.before = was.find(key)
		}
		unknown = unknown || c.unknown()
		claims[i] = c
	}
	if unknown && m.before != m.old {
		several = m.fold(claims, old, before, after) || several
	}
	if several {
		m.override(claims, old, before, after)
	}
	left := len(claimed)
	for _, c := range claims {
		if c.after >= 0 && !claimed[c.after] {
			claimed[c.after] = true
			left--
		}
	}
	if left == 0 {
		claimed = nil
	}
	return claims, claimed
}

// fold finds what the members are whose keys nothing in before and after has exactly.
func (m *merger) fold(claims []claim, old, before, after *Node) (found bool) {
	fields := make(map[string]claim, len(before.Members)+len(after.Members))
	was, is := m.before.finder(before), m.after.finder(after)
	for i := range before.Members {
		key := before.Members[i].Key
		folded := foldKey(key)
		if _, ok := fields[folded]; !ok {
			fields[folded] = claim{before: i, after: is.find(key)}
		}
	}
	// Both have the fields in the order of the type, but each without those that it
	// leaves out.
	for i := range after.Members {
		key := after.Members[i].Key
		folded := foldKey(key)
		if first, ok := fields[folded]; !ok || first.after > i {
			fields[folded] = claim{before: was.find(key), after: i}
		}
	}
	for i := range claims {
		if claims[i].unknown() {
			if c, ok := fields[foldKey(old.Members[i].Key)]; ok {
				claims[i], found = c, true
			}
		}
	}
	return found
}

// override marks the members that later ones override. If a later one is not spelled as
// the field and is zero, it may also be another field, which before leaves out: it cannot
// take a new value. Without it, the member that is spelled as the field can.
func (m *merger) override(claims []claim, old, before, after *Node) {
	exact, counts := map[int]bool{}, map[int]bool{}
	spelled := func(i int) bool { return old.Members[i].Key == after.Members[claims[i].after].Key }
	for i, c := range claims {
		if c.after >= 0 && spelled(i) {
			exact[c.after] = true
		}
	}
	for i := len(claims) - 1; i >= 0; i-- {
		c := &claims[i]
		switch {
		case c.after < 0:
		case counts[c.after]:
			c.overridden = true
		case exact[c.after] && !spelled(i) && m.isZero(&old.Members[i].Value) &&
			(c.before < 0 || !m.same(before.value(c.before), after.value(c.after))):
			c.drop = true
		default:
			counts[c.after] = true
		}
	}
}

// isZero reports whether a value is one that encoding/json may leave out.
func (m *merger) isZero(n *Node) bool {
	switch n.Kind {
	case Null, False:
		return true
	case Number:
		value, ok := parseNumber(m.old.raw(n))
		return ok && value.digits == 0
	case String:
		return n.End-n.Start == 2
	case Array, Object:
		defer m.old.forget(n, m.old.open(n))
		return n.parts() == 0
	}
	return false
}

// foldKey is one spelling for all keys that differ in case only, as encoding/json sees
// it.
func foldKey(key string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return r
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, key)
}
