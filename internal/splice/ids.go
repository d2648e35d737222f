// The members that distinguish the objects of an array.

package splice

import "strings"

// telling returns the member with a key if its value can distinguish objects, else nil.
func telling(d *document, n *Node, key string, k int) *Node {
	if n.Kind != Object {
		return nil
	}
	defer d.forget(n, d.open(n))
	m := (*Member)(nil)
	if k < len(n.Members) && n.Members[k].Key == key {
		m = &n.Members[k]
	} else {
		m = n.Find(key)
	}
	if m == nil || m.Value.Kind != Number && m.Value.Kind != String {
		return nil
	}
	return &m.Value
}

func isID(key string) bool {
	for _, id := range []string{"id", "_id", "uuid", "guid"} {
		if strings.EqualFold(key, id) {
			return true
		}
	}
	return false
}

// otherID reports whether two objects have different ids, or only one has an id.
func (a *aligner) otherID(i, j int) bool {
	n, m := a.merger.before.id(&a.before[i]), a.merger.after.id(&a.after[j])
	if n == nil || m == nil {
		return n != m
	}
	return !a.same(n, m)
}

// id returns the id of an object, nil if it has none.
func (d *document) id(n *Node) *Node {
	if n.Kind != Object {
		return nil
	}
	defer d.forget(n, d.open(n))
	for i := range n.Members {
		if isID(n.Members[i].Key) {
			return &n.Members[i].Value
		}
	}
	return nil
}
