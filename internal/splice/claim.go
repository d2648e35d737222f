// Maps the members of a document to those of a Go value, by the rules of encoding/json:
// a member belongs to the field with exactly its key, else to the first field whose key
// differs in case only; of several members for one field the last counts.

package splice

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// claim maps a member of old to members of before and after, by index, or -1.
type claim struct {
	before, after int
	overridden    bool // a later member of old has the same field
	drop          bool // it must be removed, or the new value would be lost
}

func (c claim) unknown() bool { return c.before < 0 && c.after < 0 }

// claim maps the members of old, and returns which members of after are in old; nil
// means all.
func (m *merger) claim(old, before, after *Node) (claims []claim, claimed []bool) {
	claims, claimed = take(&m.claims, len(old.Members)), take(&m.claimed, len(after.Members))
	clear(claimed)
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

// fold maps the members whose keys are not exactly in before or after.
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
	// Both have the fields in the order of the type, each without its omitted fields.
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

// override marks the members that later ones override. A later member that is zero and
// not spelled as the field may also belong to another field, which before omits: then
// it cannot take the new value. It is dropped, so that the member with the field's
// spelling can.
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

// isZero reports whether encoding/json may omit a value as empty.
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

// foldKey maps all keys that differ in case only to one spelling, as encoding/json
// does.
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
