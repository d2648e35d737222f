// The function keys_unsorted, which in jq returns the keys of an object in their order.
// gojq's objects have no order, so the order is recorded when the document is read.

package cli

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

const unsortedKeys = "keys_unsorted"

// keyOrder records the order of the keys in the document's objects.
type keyOrder struct {
	objects map[uintptr]keyedObject
	rank    map[string]int // a key's first place in the document
}

// keyedObject keeps the object alive, so that no other object gets its address.
type keyedObject struct {
	members map[string]any
	keys    []string
}

func newKeyOrder() *keyOrder {
	return &keyOrder{map[uintptr]keyedObject{}, map[string]int{}}
}

func address(members map[string]any) uintptr { return reflect.ValueOf(members).Pointer() }

func (o *keyOrder) add(members map[string]any, keys []string) {
	o.objects[address(members)] = keyedObject{members, keys}
	for _, key := range keys {
		if _, ok := o.rank[key]; !ok {
			o.rank[key] = len(o.rank)
		}
	}
}

// unsorted is the function. The keys of an object that the expression made or changed
// are in the order of their first place in the document, and new keys come last.
func (o *keyOrder) unsorted(value any) any {
	members, ok := value.(map[string]any)
	if !ok {
		elems, ok := value.([]any)
		if !ok {
			return fmt.Errorf("keys_unsorted cannot be applied to: %s", gojq.Preview(value))
		}
		keys := make([]any, len(elems))
		for i := range keys {
			keys[i] = i
		}
		return keys
	}
	keys := o.objects[address(members)].keys
	if len(keys) != len(members) {
		keys = nil
		for key := range members {
			keys = append(keys, key)
		}
		rank := func(key string) int {
			if at, ok := o.rank[key]; ok {
				return at
			}
			return len(o.rank)
		}
		slices.SortFunc(keys, func(a, b string) int {
			return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
		})
	}
	list := make([]any, len(keys))
	for i, key := range keys {
		list[i] = key
	}
	return list
}
