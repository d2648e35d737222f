// The members that distinguish the objects of an array.

package splice

import "strings"

// telling returns the value of the member with a key if it can distinguish objects, else
// null.
func telling(d *document, n *Node, key string, k int) (value Node) {
	if n.Kind != Object {
		return value
	}
	defer d.forget(n, d.open(n))
	m := (*Member)(nil)
	if k < len(n.Members) && n.Members[k].Key == key {
		m = &n.Members[k]
	} else {
		m = n.Find(key)
	}
	if m != nil && (m.Value.Kind == Number || m.Value.Kind == String) {
		value = m.Value
	}
	return value
}

func isID(key string) bool {
	if len(key) < 2 || len(key) > 4 {
		return false
	}
	for _, id := range []string{"id", "_id", "uuid", "guid"} {
		if strings.EqualFold(key, id) {
			return true
		}
	}
	return false
}

// otherID reports whether two objects have different ids, or only one has an id.
func (a *aligner) otherID(i, j int) bool {
	n, has := a.merger.before.id(&a.before[i])
	m, hasToo := a.merger.after.id(&a.after[j])
	if !has || !hasToo {
		return has != hasToo
	}
	return !a.same(&n, &m)
}

// id returns the id of an object, if it has one.
func (d *document) id(n *Node) (id Node, ok bool) {
	if n.Kind != Object {
		return id, false
	}
	o := d.open(n)
	defer d.forget(n, o)
	for i := range n.Members {
		if isID(n.Members[i].Key) {
			return o.lone(&n.Members[i].Value), true
		}
	}
	return id, false
}
