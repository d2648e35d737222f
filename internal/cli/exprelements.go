// Expressions that change an array element by element: .list |= map(.n += 1),
// .list[] |= f, .list[].n += 1, map(f). In a large document the elements are decoded,
// changed and encoded one at a time, so that the values of one element are in memory
// instead of those of the whole document, which are some ten times its size.

package cli

import (
	"context"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// largeDocument is the size in bytes from which memory matters.
const largeDocument = 8 << 20

// byElement is an expression that changes an array element by element. One goroutine
// uses it at a time.
type byElement struct {
	path  []splice.Step // to the array
	query *gojq.Query   // its results for an element replace the element
	from  int           // the size of a document from which it is worth it
	code  *gojq.Code    // nil until the first such document
	input *elements     // of the current document
}

// byElement returns the parts of such an expression, nil if it is none.
func (e *expression) byElement(q *gojq.Query) *byElement {
	if q.Meta != nil || len(q.Imports)+len(q.FuncDefs)+len(q.Patterns) > 0 || e.Pair ||
		e.Duplicates || strings.Contains(string(e.Text), unsortedKeys) {
		return nil
	}
	if q.Term != nil { // the document is the array
		return e.mapped(nil, q)
	}
	switch q.Op {
	case gojq.OpModify:
		if e.isPath(q.Left) {
			return e.mapped(e.keys(q.Left), q.Right)
		}
	case gojq.OpAssign, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv,
		gojq.OpUpdateMod, gojq.OpUpdateAlt:
		if !e.isConstant(q.Right) { // it would be computed from the whole document
			return nil
		}
	default:
		return nil
	}
	keys, rest, ok := e.iterated(q.Left)
	if !ok {
		return nil
	}
	if len(rest.SuffixList) == 0 && q.Op == gojq.OpModify {
		return newByElement(keys, call("first", q.Right)) // without a result, it is deleted
	}
	return newByElement(keys, &gojq.Query{Left: &gojq.Query{Term: rest}, Op: q.Op, Right: q.Right})
}

// mapped is map(f) or map_values(f) of the array at a path of keys.
func (e *expression) mapped(keys []string, q *gojq.Query) *byElement {
	t := q.Term
	if t == nil || t.Type != gojq.TermTypeFunc || len(t.Func.Args) != 1 ||
		len(t.SuffixList)+len(q.FuncDefs) > 0 {
		return nil
	}
	switch f := t.Func.Args[0]; t.Func.Name {
	case "map":
		return newByElement(keys, f)
	case "map_values":
		return newByElement(keys, call("first", f))
	}
	return nil
}

// iterated splits a path of keys at its first iteration: .a.b[].c is .a.b and, for each
// element, .c.
func (e *expression) iterated(path *gojq.Query) (keys []string, rest *gojq.Term, ok bool) {
	t := path.Term
	if t == nil || len(path.FuncDefs) > 0 {
		return nil, nil, false
	}
	switch {
	case t.Type == gojq.TermTypeIdentity:
	case t.Type == gojq.TermTypeIndex && e.isKey(t.Index):
		keys = append(keys, e.key(t.Index))
	default:
		return nil, nil, false
	}
	for i, s := range t.SuffixList {
		switch {
		case s.Optional || s.Index != nil && !e.isKey(s.Index):
			return nil, nil, false
		case s.Index != nil && rest == nil:
			keys = append(keys, e.key(s.Index))
		case s.Iter && rest == nil:
			rest = &gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: t.SuffixList[i+1:]}
		}
	}
	return keys, rest, rest != nil
}

func newByElement(keys []string, query *gojq.Query) *byElement {
	b := &byElement{query: query, from: largeDocument}
	for _, key := range keys {
		b.path = append(b.path, splice.Step{Key: key, Index: splice.Nowhere})
	}
	return b
}

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{
		Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}},
	}
}

// compile compiles the query, with a function before it that has the elements as its
// results. The expression cannot call that function: it compiles without it.
func (b *byElement) compile(e *expression) (err error) {
	const name = "_elements"
	in := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeQuery, Query: b.query}}
	each := &gojq.Query{Left: call(name), Op: gojq.OpPipe, Right: in}
	b.code, err = gojq.Compile(each, gojq.WithVariables(e.names),
		gojq.WithIterFunction(name, 0, 0, func(any, []any) gojq.Iter { return b.input }))
	return err
}

// elements are the elements of an array, decoded when they are asked for.
type elements struct {
	r     *reader
	value any    // the last one
	text  []byte // of it, nil once it is among the results
}

// Next returns the next element. gojq asks for it when it has all results for the last
// one.
func (e *elements) Next() (any, bool) {
	if !e.r.next(']') {
		return nil, false
	}
	start := e.r.pos
	e.r.texts.reset()
	e.value = e.r.value()
	e.text = e.r.data[start:e.r.pos]
	return e.value, true
}

// runByElement computes the new content of a large document. If it has no array at the
// path, ok is false.
func (e *expression) runByElement(
	ctx context.Context, old []byte, halves bool,
) (text []byte, ok bool, err error) {
	b := e.each
	if b.code == nil && b.compile(e) != nil {
		return nil, false, nil
	}
	found, err := splice.Locate(old, b.path, splice.Limits{})
	if err != nil {
		return nil, true, invalid(err)
	}
	array := found.End()
	if len(found.Nodes) <= len(b.path) || array.Kind != splice.Array {
		return nil, false, nil
	}
	r := &reader{
		data: old, pos: array.Start + 1,
		halves: halves, keys: map[string]string{}, texts: newTexts(),
	}
	b.input = &elements{r: r}
	text, err = within(ctx, memoryFor(len(old)), func(ctx context.Context) ([]byte, error) {
		out := newEncoder(e.limit(), sizeOfResult(old), halves, r.texts)
		out.depth = len(b.path)
		out.out = append(out.out, old[:array.Start]...)
		err := out.results(b.code.RunWithContext(ctx, nil, e.values...), b.input)
		return append(out.out, old[array.End:]...), err
	})
	return text, true, err
}

// results encodes results as an array. An unchanged element keeps its text.
func (e *encoder) results(results gojq.Iter, from *elements) error {
	if err := e.open('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		result, ok := results.Next()
		if !ok {
			return e.close(']')
		}
		if err, failed := result.(error); failed {
			return &runtimeError{err}
		}
		if !first {
			e.out = append(e.out, ',')
		}
		if from.text != nil && isSame(result, from.value) {
			// No limit is needed: all of these together are no longer than the document.
			e.out, from.text = append(e.out, from.text...), nil
		} else if err := e.value(result); err != nil {
			return err
		}
	}
}

// isSame reports whether two values are the same object, or the same array.
func isSame(a, b any) bool {
	switch v := a.(type) {
	case map[string]any:
		w, ok := b.(map[string]any)
		return ok && address(v) == address(w)
	case []any:
		w, ok := b.([]any)
		return ok && placeOf(v) == placeOf(w)
	}
	return false
}
