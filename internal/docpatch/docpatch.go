// Package docpatch applies JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902) to a
// document. Bytes that the patch does not change stay as they are. This file has the
// merge patch.
package docpatch

import (
	"fmt"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// Merge applies a JSON Merge Patch. An empty doc is an absent document, and counts as
// null.
func Merge(doc, patch []byte, lim splice.Limits) ([]byte, error) {
	change, err := splice.Parse(patch, lim)
	if err != nil {
		return nil, fmt.Errorf("the patch is not JSON: %w", err)
	}
	absent := len(doc) == 0
	if absent {
		doc = []byte("null")
	}
	target, err := splice.Parse(doc, lim)
	if err != nil {
		return nil, err
	}
	merged := merge(nil, doc, target, patch, change)
	if absent {
		return append(merged, '\n'), nil
	}
	return splice.MergeSpelled(doc, merged, splice.AsGiven, lim)
}

// merge appends the result of RFC 7396's MergePatch(target, patch); target may be nil.
func merge(out, doc []byte, target *splice.Node, patch []byte, change *splice.Node) []byte {
	if change.Kind != splice.Object {
		return append(out, patch[change.Start:change.End]...)
	}
	out = append(out, '{')
	first := true
	member := func(key string) {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(out, splice.Quote(key)...), ':')
	}
	changes, ours := index(change), map[string]int{}
	if target != nil && target.Kind == splice.Object {
		ours = index(target)
		for i := range target.Members {
			m := &target.Members[i]
			if _, changed := changes[m.Key]; changed || ours[m.Key] != i {
				continue
			}
			member(m.Key)
			out = append(out, doc[m.Value.Start:m.Value.End]...)
		}
	}
	for i := range change.Members {
		m := &change.Members[i]
		if changes[m.Key] != i || m.Value.Kind == splice.Null {
			continue
		}
		member(m.Key)
		var at *splice.Node
		if old, ok := ours[m.Key]; ok {
			at = &target.Members[old].Value
		}
		out = merge(out, doc, at, patch, &m.Value)
	}
	return append(out, '}')
}

// index maps the keys of an object to its members. Of duplicates the last counts.
func index(n *splice.Node) map[string]int {
	byKey := make(map[string]int, len(n.Members))
	for i := range n.Members {
		byKey[n.Members[i].Key] = i
	}
	return byKey
}
