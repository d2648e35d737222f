// Several documents as one value, on which an expression works.

package cli

import (
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// join makes one value of several documents: an object with the names, or an array.
// Absent ones are null.
func join(contents [][]byte, names []string) []byte {
	brackets := "[]"
	if names != nil {
		brackets = "{}"
	}
	joined := []byte{brackets[0]}
	for i, data := range contents {
		if i > 0 {
			joined = append(joined, ',')
		}
		if names != nil {
			joined = append(append(joined, quote(names[i])...), ':')
		}
		if data == nil {
			data = []byte("null")
		}
		joined = append(joined, data...)
	}
	return append(joined, brackets[1])
}

// split takes the result of an expression over join apart again.
func split(result []byte, documents int, names []string) ([][]byte, error) {
	wrong := func(format string, args ...any) error {
		return &runtimeError{fmt.Errorf(format, args...)}
	}
	value := gjson.ParseBytes(result)
	switch {
	case names == nil && !value.IsArray():
		return nil, wrong("the result is no array of %d documents: %s", documents, clipped(result))
	case names != nil && !value.IsObject():
		return nil, wrong("the result is no object with the members %q: %s", names,
			clipped(result))
	}
	found := map[string][]byte{}
	var parts [][]byte
	value.ForEach(func(key, part gjson.Result) bool {
		if names != nil {
			found[splice.Unquote([]byte(key.Raw))] = []byte(part.Raw)
		}
		parts = append(parts, []byte(part.Raw))
		return true
	})
	if names != nil {
		parts = nil
		for _, name := range names {
			part, ok := found[name]
			if !ok {
				return nil, wrong("the result has no member %q; a document is deleted by an "+
					"operation delete", name)
			}
			parts = append(parts, part)
			delete(found, name)
		}
		for name := range found {
			return nil, wrong("the result has a member %q, which is the name of no document", name)
		}
	}
	if len(parts) != documents {
		return nil, wrong("the result has %d elements for %d documents", len(parts), documents)
	}
	return parts, nil
}

// fromResult is the new document of a result for an absent one: for null it stays absent, as
// it was given to the expression.
func fromResult(old, result []byte) []byte {
	if old == nil && (result == nil || string(result) == "null") {
		return nil
	}
	return line(result)
}
