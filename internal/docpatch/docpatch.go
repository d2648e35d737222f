// Package docpatch applies JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902) to a document
// and leaves alone what the patch does not change, to the byte. This file has the merge patch.
package docpatch

import (
	"fmt"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// Merge applies a JSON Merge Patch. An empty doc, one that is not there, is taken as null.
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
	return splice.Merge(doc, merged, lim)
}

// merge writes what RFC 7396 calls MergePatch(target, patch); target may be nil.
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
	if target != nil && target.Kind == splice.Object {
		for i := range target.Members {
			m := &target.Members[i]
			if target.Find(m.Key) != m || change.Find(m.Key) != nil {
				continue
			}
			member(m.Key)
			out = append(out, doc[m.Value.Start:m.Value.End]...)
		}
	} else {
		target = nil
	}
	for i := range change.Members {
		m := &change.Members[i]
		if change.Find(m.Key) != m || m.Value.Kind == splice.Null {
			continue
		}
		member(m.Key)
		var at *splice.Node
		if target != nil {
			if old := target.Find(m.Key); old != nil {
				at = &old.Value
			}
		}
		out = merge(out, doc, at, patch, &m.Value)
	}
	return append(out, '}')
}
