// Reading and editing by path.

package docpath

import (
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// longestQuery bounds what is handed to gjson: its queries can be nested, and each level
// takes stack.
const longestQuery = 4096

// find goes down the steps as far as there is something: to n, with so many steps taken.
func find(root *splice.Node, steps []step) (n *splice.Node, taken int) {
	n = root
	for i, s := range steps {
		next := child(n, s)
		if next == nil {
			return n, i
		}
		n = next
	}
	return n, len(steps)
}

func child(n *splice.Node, s step) *splice.Node {
	switch n.Kind {
	case splice.Object:
		if m := n.Find(s.key); m != nil {
			return &m.Value
		}
	case splice.Array:
		i, ok := s.index()
		if i == -1 {
			i = len(n.Elems) - 1
		}
		if ok && i >= 0 && i < len(n.Elems) {
			return &n.Elems[i]
		}
	}
	return nil
}

// Get returns the text of the value at a path, or of gjson's answer to a query. On an array, -1 is
// the last element.
func Get(doc []byte, path string, lim splice.Limits) (raw []byte, found bool, err error) {
	steps, query, err := parse(path)
	if err != nil {
		return nil, false, err
	}
	if query {
		if len(path) > longestQuery {
			return nil, false, &Error{path[:40] + "…", fmt.Sprintf("a query may have %d bytes", longestQuery)}
		}
		if err := splice.Check(doc, lim); err != nil {
			return nil, false, err // gjson trusts what it gets
		}
		result := gjson.GetBytes(doc, path)
		return []byte(result.Raw), result.Exists() && result.Raw != "", nil
	}
	root, err := splice.Parse(doc, lim)
	if err != nil {
		return nil, false, err
	}
	n, taken := find(root, steps)
	if taken < len(steps) {
		return nil, false, nil
	}
	return doc[n.Start:n.End], true, nil
}

// Set puts a value at a path. Of a value that is there, what is equal in the new one stays as
// it is. Objects that are missing on the way are made, and null counts as missing; so is an
// array, by the index 0 or -1. On an array, its length or -1 appends. An empty doc is a
// document that is not there.
func Set(doc []byte, path string, raw []byte, lim splice.Limits) ([]byte, error) {
	steps, err := parseEdit(path)
	if err != nil {
		return nil, err
	}
	if err := splice.Check(raw, lim); err != nil {
		return nil, fmt.Errorf("the value is not JSON: %w", err)
	}
	return set(doc, path, steps, raw, lim)
}

func set(doc []byte, path string, steps []step, raw []byte, lim splice.Limits) ([]byte, error) {
	if len(doc) == 0 {
		text, err := wrap(path, steps, raw)
		return append(text, '\n'), err
	}
	root, err := splice.Parse(doc, lim)
	if err != nil {
		return nil, err
	}
	n, taken := root, 0
	for taken < len(steps) {
		// -1 is the place after the last, which is never there yet.
		if i, ok := steps[taken].index(); ok && i == -1 && n.Kind == splice.Array {
			break
		}
		next := child(n, steps[taken])
		if next == nil {
			break
		}
		n = next
		taken++
	}
	edit := splice.NewEditor(doc, root)
	if taken == len(steps) {
		return edit.Replace(n, raw, lim)
	}
	switch n.Kind {
	case splice.Object:
		text, err := wrap(path, steps[taken+1:], raw)
		if err != nil {
			return nil, err
		}
		return edit.AppendMember(n, steps[taken].key, text, lim)
	case splice.Array:
		i, ok := steps[taken].index()
		if !ok {
			return nil, &Error{path, fmt.Sprintf("%s is an array, which takes an index, not %q", upTo(steps, taken), steps[taken].key)}
		}
		if i > len(n.Elems) {
			return nil, &Error{path, fmt.Sprintf("%s has %d elements; use -1 to append one", upTo(steps, taken), len(n.Elems))}
		}
		text, err := wrap(path, steps[taken+1:], raw)
		if err != nil {
			return nil, err
		}
		return edit.InsertElem(n, len(n.Elems), text, lim)
	case splice.Null:
		text, err := wrap(path, steps[taken:], raw)
		if err != nil {
			return nil, err
		}
		return edit.Replace(n, text, lim)
	}
	return nil, fmt.Errorf("path %q: %s is %v, which has no members; set that to an object first", path, upTo(steps, taken), n.Kind)
}

// wrap is the value inside of what the steps lead through when nothing is there.
func wrap(path string, steps []step, raw []byte) ([]byte, error) {
	open, end := []byte{}, []byte{}
	for _, s := range steps {
		if i, ok := s.index(); ok {
			if i > 0 {
				return nil, &Error{path, fmt.Sprintf("there is no array for the index %s yet; begin it by 0, or write :%s for a key",
					s.key, s.key)}
			}
			open, end = append(open, '['), append(end, ']')
			continue
		}
		open = append(open, '{')
		open = append(open, splice.Quote(s.key)...)
		open = append(open, ':')
		end = append(end, '}')
	}
	open = append(open, raw...)
	for i := len(end) - 1; i >= 0; i-- {
		open = append(open, end[i])
	}
	return open, nil
}

// Append puts a value at the end of the array at a path, which is made if nothing, or null, is there.
func Append(doc []byte, path string, raw []byte, lim splice.Limits) ([]byte, error) {
	steps, err := parseEdit(path)
	if err != nil {
		return nil, err
	}
	if err := splice.Check(raw, lim); err != nil {
		return nil, fmt.Errorf("the value is not JSON: %w", err)
	}
	list := append(append([]byte{'['}, raw...), ']')
	if len(doc) == 0 {
		return set(doc, path, steps, list, lim)
	}
	root, err := splice.Parse(doc, lim)
	if err != nil {
		return nil, err
	}
	n, taken := find(root, steps)
	switch {
	case taken < len(steps) || n.Kind == splice.Null:
		return set(doc, path, steps, list, lim)
	case n.Kind != splice.Array:
		return nil, fmt.Errorf("path %q: %v is there, and no array to append to", path, n.Kind)
	}
	return splice.NewEditor(doc, root).InsertElem(n, len(n.Elems), raw, lim)
}

// Delete removes the value at a path; found says whether there was one. On an array, -1 is the
// last element.
func Delete(doc []byte, path string, lim splice.Limits) (edited []byte, found bool, err error) {
	steps, err := parseEdit(path)
	if err != nil {
		return nil, false, err
	}
	if len(steps) == 0 {
		return nil, false, &Error{path, "the whole document cannot be removed by path; delete it"}
	}
	edited = doc
	for {
		root, err := splice.Parse(edited, lim)
		if err != nil {
			return nil, false, err
		}
		parent, taken := find(root, steps[:len(steps)-1])
		last := steps[len(steps)-1]
		if taken < len(steps)-1 || child(parent, last) == nil {
			return edited, found, nil
		}
		edit := splice.NewEditor(edited, root)
		if parent.Kind == splice.Array {
			i, _ := last.index()
			if i == -1 {
				i = len(parent.Elems) - 1
			}
			return edit.RemovePart(parent, i), true, nil
		}
		i := 0
		for parent.Members[i].Key != last.key {
			i++
		}
		edited, found = edit.RemovePart(parent, i), true
		// A key that stands twice, where that is allowed, goes twice.
	}
}
