// JSON Patch: a list of operations on locations named by JSON Pointers (RFC 6901).

package docpatch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// ErrTest says that a test operation failed.
var ErrTest = errors.New("a test of the patch failed")

// largestCopies bounds the bytes that the copy operations of one patch add: a few
// copies, each of the result of the one before, double a document each time. A value
// counts at least bytesOfValue, its size in memory, since its text can be one digit.
const (
	largestCopies = 64 << 20
	bytesOfValue  = 64
)

// value is a JSON value that can be changed.
type value struct {
	text  []byte // of a scalar, as it is spelled
	array bool
	keys  []string // of an object, in order, parallel to parts; nil for an array
	parts []*value
}

func (v *value) container() bool { return v.text == nil }

func newValue(doc []byte, n *splice.Node) *value {
	switch n.Kind {
	case splice.Array:
		v := &value{array: true}
		for i := range n.Elems {
			v.parts = append(v.parts, newValue(doc, &n.Elems[i]))
		}
		return v
	case splice.Object:
		v := &value{}
		last := index(n)
		for i := range n.Members {
			if m := &n.Members[i]; last[m.Key] == i {
				v.keys = append(v.keys, m.Key)
				v.parts = append(v.parts, newValue(doc, &m.Value))
			}
		}
		return v
	}
	return &value{text: doc[n.Start:n.End]}
}

func (v *value) append(out []byte) []byte {
	if !v.container() {
		return append(out, v.text...)
	}
	brackets := "{}"
	if v.array {
		brackets = "[]"
	}
	out = append(out, brackets[0])
	for i, part := range v.parts {
		if i > 0 {
			out = append(out, ',')
		}
		if !v.array {
			out = append(append(out, splice.Quote(v.keys[i])...), ':')
		}
		out = part.append(out)
	}
	return append(out, brackets[1])
}

// clone copies a value and subtracts its size from left. If left becomes negative, the
// copy is incomplete.
func (v *value) clone(left *int) *value {
	*left -= bytesOfValue + len(v.text)
	for _, key := range v.keys {
		*left -= len(key)
	}
	if !v.container() || *left < 0 {
		return v // texts never change
	}
	copied := &value{array: v.array, keys: slices.Clone(v.keys)}
	for _, part := range v.parts {
		copied.parts = append(copied.parts, part.clone(left))
	}
	return copied
}

// find returns the index of the part of v that a token names; len(v.parts) is the end
// of an array.
func (v *value) find(token string) (int, error) {
	if !v.container() {
		return 0, fmt.Errorf("a scalar has no %q", token)
	}
	if !v.array {
		if i := slices.Index(v.keys, token); i >= 0 {
			return i, nil
		}
		return -1, nil
	}
	if token == "-" {
		return len(v.parts), nil
	}
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || strconv.Itoa(i) != token || i > len(v.parts) {
		return 0, fmt.Errorf("%q is no index of an array of length %d", token, len(v.parts))
	}
	return i, nil
}

// place is the target of a pointer: part index of parent. The part itself may be
// absent.
type place struct {
	parent *value // nil for the whole document
	index  int
	token  string
}

func (p place) there() bool {
	return p.parent != nil && p.index >= 0 && p.index < len(p.parent.parts)
}

// patcher applies the operations of a patch to a document.
type patcher struct {
	root *value
	left int // bytes that may still be copied
}

// One pass over the text: ~01 becomes ~1, not /.
var (
	unescaped = strings.NewReplacer("~0", "~", "~1", "/")
	noEscapes = strings.NewReplacer("~0", "", "~1", "")
)

// tokens splits a JSON Pointer.
func tokens(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("pointer %q does not begin with /", pointer)
	}
	parts := strings.Split(pointer[1:], "/")
	for i, part := range parts {
		if strings.Contains(noEscapes.Replace(part), "~") {
			return nil, fmt.Errorf("pointer %q has a ~ that is neither ~0 nor ~1", pointer)
		}
		parts[i] = unescaped.Replace(part)
	}
	return parts, nil
}

func (p *patcher) locate(pointer string) (place, error) {
	path, err := tokens(pointer)
	if err != nil || len(path) == 0 {
		return place{}, err
	}
	at := p.root
	for i, token := range path {
		index, err := at.find(token)
		if err != nil {
			return place{}, fmt.Errorf("pointer %q: %w", pointer, err)
		}
		if i == len(path)-1 {
			return place{at, index, token}, nil
		}
		if index < 0 || index >= len(at.parts) {
			return place{}, fmt.Errorf("pointer %q: there is no %q", pointer, token)
		}
		at = at.parts[index]
	}
	return place{}, nil
}

func (p *patcher) get(pointer string) (*value, error) {
	at, err := p.locate(pointer)
	switch {
	case err != nil:
		return nil, err
	case at.parent == nil:
		return p.root, nil
	case !at.there():
		return nil, fmt.Errorf("pointer %q: there is no value", pointer)
	}
	return at.parent.parts[at.index], nil
}

func (p *patcher) add(pointer string, v *value) error {
	at, err := p.locate(pointer)
	switch {
	case err != nil:
		return err
	case at.parent == nil:
		p.root = v
	case at.parent.array:
		at.parent.parts = slices.Insert(at.parent.parts, at.index, v)
	case at.there():
		at.parent.parts[at.index] = v
	default:
		at.parent.keys = append(at.parent.keys, at.token)
		at.parent.parts = append(at.parent.parts, v)
	}
	return nil
}

func (p *patcher) remove(pointer string) (*value, error) {
	removed, err := p.get(pointer)
	if err != nil {
		return nil, err
	}
	at, _ := p.locate(pointer)
	if at.parent == nil {
		return nil, errors.New("the whole document cannot be removed; delete it")
	}
	at.parent.parts = slices.Delete(at.parent.parts, at.index, at.index+1)
	if !at.parent.array {
		at.parent.keys = slices.Delete(at.parent.keys, at.index, at.index+1)
	}
	return removed, nil
}

// operation is an operation of a patch.
type operation struct {
	op, path, from string
	value          *value
}

// parseOperation reads an operation and checks that it has the members it needs.
func parseOperation(patch []byte, n *splice.Node) (o operation, err error) {
	if n.Kind != splice.Object {
		return o, fmt.Errorf("it is %v, not an object", n.Kind)
	}
	text := func(key string) string {
		m := n.Find(key)
		switch {
		case err != nil:
		case m == nil:
			err = fmt.Errorf("it has no %q", key)
		case m.Value.Kind != splice.String:
			err = fmt.Errorf("its %q is %v, not a string", key, m.Value.Kind)
		default:
			return splice.Unquote(patch[m.Value.Start:m.Value.End])
		}
		return ""
	}
	o.op, o.path = text("op"), text("path")
	switch o.op {
	case "add", "replace", "test":
		if m := n.Find("value"); m != nil {
			o.value = newValue(patch, &m.Value)
		} else if err == nil {
			err = errors.New(`it has no "value"`)
		}
	case "move", "copy":
		o.from = text("from")
	case "remove":
	default:
		if err == nil {
			err = fmt.Errorf("there is no operation %q", o.op)
		}
	}
	return o, err
}

func (p *patcher) do(o operation, lim splice.Limits) error {
	switch o.op {
	case "add":
		return p.add(o.path, o.value)
	case "remove":
		_, err := p.remove(o.path)
		return err
	case "replace":
		at, err := p.locate(o.path)
		if err == nil && at.parent != nil {
			if _, err = p.get(o.path); err == nil {
				at.parent.parts[at.index] = o.value
			}
			return err
		}
		p.root = o.value
		return err
	case "move":
		if strings.HasPrefix(o.path, o.from+"/") {
			return fmt.Errorf("%q cannot be moved into itself", o.from)
		}
		if o.path == o.from {
			_, err := p.get(o.from)
			return err
		}
		moved, err := p.remove(o.from)
		if err != nil {
			return err
		}
		return p.add(o.path, moved)
	case "copy":
		source, err := p.get(o.from)
		if err != nil {
			return err
		}
		copied := source.clone(&p.left)
		if p.left < 0 {
			return fmt.Errorf("the copies in the patch add more than %d MiB", largestCopies>>20)
		}
		return p.add(o.path, copied)
	default: // test
		have, err := p.get(o.path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTest, err)
		}
		was, want := have.append(nil), o.value.append(nil)
		same, err := splice.Equal(was, want, lim)
		if err == nil && !same {
			err = fmt.Errorf("%w: the value at %q is %s, not %s",
				ErrTest, o.path, clip(was), clip(want))
		}
		return err
	}
}

// clip shortens a text for a message.
func clip(text []byte) string {
	if len(text) > 60 {
		return string(text[:60]) + "…"
	}
	return string(text)
}

// Check checks that a patch is a JSON Patch: an array of known operations, each with its
// members. Whether it can be applied depends on the document.
func Check(patch []byte, lim splice.Limits) error {
	list, err := parseList(patch, lim)
	if err != nil {
		return err
	}
	for i := range list.Elems {
		o, err := parseOperation(patch, &list.Elems[i])
		for _, pointer := range [...]string{o.path, o.from} {
			if err == nil {
				_, err = tokens(pointer)
			}
		}
		if err != nil {
			return inOperation(i, o, err)
		}
	}
	return nil
}

func parseList(patch []byte, lim splice.Limits) (*splice.Node, error) {
	list, err := splice.Parse(patch, lim)
	if err != nil {
		return nil, fmt.Errorf("the patch is not JSON: %w", err)
	}
	if list.Kind != splice.Array {
		return nil, fmt.Errorf("the patch is %v, not an array of operations", list.Kind)
	}
	return list, nil
}

func inOperation(i int, o operation, err error) error {
	return fmt.Errorf("operation %d (%s) of the patch: %w", i, o.op, err)
}

// Apply applies a JSON Patch, all operations or none. A failed test is ErrTest.
func Apply(doc, patch []byte, lim splice.Limits) ([]byte, error) {
	list, err := parseList(patch, lim)
	if err != nil {
		return nil, err
	}
	root, err := splice.Parse(doc, lim)
	if err != nil {
		return nil, err
	}
	p := patcher{newValue(doc, root), largestCopies}
	for i := range list.Elems {
		o, err := parseOperation(patch, &list.Elems[i])
		if err == nil {
			err = p.do(o, lim)
		}
		if err != nil {
			return nil, inOperation(i, o, err)
		}
	}
	return splice.MergeSpelled(doc, p.root.append(nil), splice.AsGiven, lim)
}
