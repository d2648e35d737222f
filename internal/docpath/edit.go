// Reading and editing by path.

package docpath

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// find follows the steps as far as values exist. It returns the last value and the
// number of steps taken.
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

// toward translates steps for splice. last is the meaning of -1: for an edit that adds
// an element it is Nowhere, the place after the last one.
func toward(steps []step, last int) []splice.Step {
	way := make([]splice.Step, len(steps))
	for i, s := range steps {
		way[i] = splice.Step{Key: s.key, Index: splice.Nowhere}
		if at, ok := s.index(); ok {
			way[i].Index = at
			if at == -1 {
				way[i].Index = last
			}
		}
	}
	return way
}

// pinned replaces -1 by the index of the last element where there is one: an edit of an
// existing element would otherwise append, as set does for -1.
func pinned(found *splice.Located, steps []step) []step {
	steps = slices.Clone(steps)
	for i := range len(found.Nodes) - 1 {
		if at, ok := steps[i].index(); ok && at == -1 && found.Nodes[i].Kind == splice.Array {
			steps[i].key = strconv.Itoa(found.Counts[i] - 1)
		}
	}
	return steps
}

// Get returns the text of the value at a path, or the answer to a query. On an array,
// -1 is the last element. The path up to the first query component has the meaning that
// it has for an edit; gjson answers the rest.
func Get(doc []byte, path string, lim splice.Limits) (raw []byte, found bool, err error) {
	steps, query, err := parse(path)
	if err != nil || len(doc) == 0 {
		return nil, false, err
	}
	l, err := splice.Locate(doc, toward(steps, splice.Last), lim)
	if err != nil {
		return nil, false, err
	}
	if len(l.Nodes) <= len(steps) {
		return nil, false, nil
	}
	n := l.End()
	if raw = doc[n.Start:n.End]; query != "" {
		return ask(raw, path, query, lim)
	}
	return raw, true, nil
}

// Set puts a value at a path. An existing value keeps its order and layout; spelling
// selects the spelling of equal parts. Missing objects on the way are created, and
// missing arrays for the index 0 or -1; null counts as missing. On an array, its length
// or -1 appends. An empty doc is an absent document.
func Set(
	doc []byte, path string, raw []byte, spelling splice.Spelling, lim splice.Limits,
) ([]byte, error) {
	steps, err := parseEdit(path)
	if err != nil {
		return nil, err
	}
	if err := splice.Check(raw, lim); err != nil {
		return nil, fmt.Errorf("the value is not JSON: %w", err)
	}
	return set(doc, path, steps, bytes.TrimSpace(raw), spelling, lim)
}

func set(
	doc []byte, path string, steps []step, raw []byte, spelling splice.Spelling, lim splice.Limits,
) ([]byte, error) {
	edited, text, err := put(doc, path, steps, raw, spelling, lim)
	if err != nil {
		return nil, err
	}
	return checked(path, edited, text, lim)
}

// checked checks the depth of a document into which a container was put: each alone may
// be within the limit, and the two together beyond it.
func checked(path string, edited, text []byte, lim splice.Limits) ([]byte, error) {
	if text[0] != '[' && text[0] != '{' {
		return edited, nil
	}
	if err := splice.Check(edited, lim); err != nil {
		return nil, fmt.Errorf("path %q: the edited document would be invalid: %w", path, err)
	}
	return edited, nil
}

// put returns the edited document and the text that was inserted.
func put(
	doc []byte, path string, steps []step, raw []byte, spelling splice.Spelling, lim splice.Limits,
) (edited, text []byte, err error) {
	if len(doc) == 0 {
		text, err = wrap(path, steps, raw)
		return append(text, '\n'), text, err
	}
	l, err := splice.Locate(doc, toward(steps, splice.Nowhere), lim)
	if err != nil {
		return nil, nil, err
	}
	n, taken := l.End(), len(l.Nodes)-1
	edit := splice.NewEditor(doc, l.Root)
	if taken == len(steps) {
		edited, err = edit.Replace(n, raw, spelling, lim)
		return edited, raw, err
	}
	switch n.Kind {
	case splice.Object:
		if text, err = wrap(path, steps[taken+1:], raw); err == nil {
			edited, err = edit.AppendMember(n, steps[taken].key, text, lim)
		}
	case splice.Array:
		i, ok := steps[taken].index()
		if !ok {
			return nil, nil, &Error{path, fmt.Sprintf(
				"%s is an array, which takes an index, not %q",
				upTo(steps, taken), steps[taken].key)}
		}
		if count := l.Counts[taken]; i > count {
			return nil, nil, &Error{path, fmt.Sprintf("%s has %d elements; use -1 to append one",
				upTo(steps, taken), count)}
		}
		if text, err = wrap(path, steps[taken+1:], raw); err == nil {
			edited, err = edit.InsertElem(n, len(n.Elems), text, lim)
		}
	case splice.Null:
		if text, err = wrap(path, steps[taken:], raw); err == nil {
			edited, err = edit.Replace(n, text, spelling, lim)
		}
	default:
		err = fmt.Errorf("path %q: %s is %v, which has no members; set that to an object first",
			path, upTo(steps, taken), n.Kind)
	}
	return edited, text, err
}

// wrap puts the value into new containers for the given steps.
func wrap(path string, steps []step, raw []byte) ([]byte, error) {
	open, end := []byte{}, []byte{}
	for _, s := range steps {
		if i, ok := s.index(); ok {
			if i > 0 {
				return nil, &Error{path, fmt.Sprintf("there is no array for the index %s yet; "+
					"begin it with 0, or write :%s for a key", s.key, s.key)}
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

// Append appends a value to the array at a path. The array is created if the value is
// missing or null. In the path, as in that of Add, -1 is the last element if there is
// one.
func Append(doc []byte, path string, raw []byte, lim splice.Limits) ([]byte, error) {
	steps, err := parseEdit(path)
	if err != nil {
		return nil, err
	}
	if err := splice.Check(raw, lim); err != nil {
		return nil, fmt.Errorf("the value is not JSON: %w", err)
	}
	raw = bytes.TrimSpace(raw)
	list := append(append([]byte{'['}, raw...), ']')
	if len(doc) == 0 {
		return set(doc, path, steps, list, splice.AsGiven, lim)
	}
	l, err := splice.Locate(doc, toward(steps, splice.Last), lim)
	if err != nil {
		return nil, err
	}
	switch n := l.End(); {
	case len(l.Nodes) <= len(steps) || n.Kind == splice.Null:
		steps = pinned(l, steps)
		return set(doc, path, steps, list, splice.AsGiven, lim)
	case n.Kind != splice.Array:
		return nil, fmt.Errorf("path %q: cannot append to %v", path, n.Kind)
	default:
		edited, err := splice.NewEditor(doc, l.Root).InsertElem(n, len(n.Elems), raw, lim)
		if err != nil {
			return nil, err
		}
		return checked(path, edited, raw, lim)
	}
}

// Delete removes the value at a path, and reports whether there was one. On an array,
// -1 is the last element.
func Delete(doc []byte, path string, lim splice.Limits) (edited []byte, found bool, err error) {
	steps, err := parseEdit(path)
	if err != nil {
		return nil, false, err
	}
	if len(steps) == 0 {
		return nil, false, &Error{path, "the whole document cannot be removed by path; delete it"}
	}
	edited = doc
	if len(doc) == 0 {
		return doc, false, nil
	}
	for {
		l, err := splice.Locate(edited, toward(steps, splice.Last), lim)
		if err != nil {
			return nil, false, err
		}
		if len(l.Nodes) <= len(steps) {
			return edited, found, nil
		}
		parent := l.Nodes[len(steps)-1]
		edited, found = splice.NewEditor(edited, l.Root).RemovePart(parent, l.Part()), true
		if parent.Kind == splice.Array || !lim.AllowDuplicateKeys {
			return edited, true, nil
		}
		// Remove all duplicates of the key, where they are allowed.
	}
}
