// Guards in an expression: a value that has become large sends the run elsewhere. One instruction
// can make a value of the sum or the product of others, and nothing can stop it while it does: no
// value may become so large here that what one more instruction makes of it takes all memory.

package cli

import (
	"math/big"
	"strconv"

	"github.com/itchyny/gojq"
)

const (
	heldFunc  = "_jsonstore_held"  // sees to the value that is its input
	pairFunc  = "_jsonstore_pair"  // makes two factors an array, sees to their product
	indexFunc = "_jsonstore_index" // sees to an index, since an array is made as long as that
	operand   = "$%operand"        // which no expression can name
)

// growing names the functions that make a value of several times the size of their input.
var growing = set(`add explode flatten format implode join split tojson tostring transpose`)

// guarded are nodes of an expression that get a guard.
type guarded struct {
	queries []*gojq.Query
	terms   []*gojq.Term
	indices []*gojq.Index
}

// see takes note of a node. Nothing is changed yet: what is put in its place has such nodes too.
func (g *guarded) see(node any) {
	switch n := node.(type) {
	case *gojq.Query:
		switch n.Op {
		case gojq.OpAdd, gojq.OpUpdateAdd:
			// What a number is added to is none, or an error.
			if _, ok := number(n.Left); ok {
				return
			}
			if _, ok := number(n.Right); ok {
				return
			}
			g.queries = append(g.queries, n)
		case gojq.OpMul, gojq.OpUpdateMul:
			g.queries = append(g.queries, n)
		}
	case *gojq.Term:
		if n.Type == gojq.TermTypeFormat || n.Type == gojq.TermTypeString && n.Str.Queries != nil ||
			n.Type == gojq.TermTypeFunc && growing[n.Func.Name] {
			g.terms = append(g.terms, n)
		}
	case *gojq.Index:
		if at, ok := number(n.Start); n.Start != nil && !n.IsSlice && (!ok || at > fewElements) {
			g.indices = append(g.indices, n)
		}
	}
}

// number is the number that a query is, if it is one that is written down.
func number(q *gojq.Query) (float64, bool) {
	if q == nil || q.Term == nil {
		return 0, false
	}
	if q.Term.Type != gojq.TermTypeNumber || len(q.Term.SuffixList) > 0 {
		return 0, false
	}
	n, err := strconv.ParseFloat(q.Term.Number, 64)
	return n, err == nil
}

// insert puts the guards in.
func (g *guarded) insert() {
	for _, q := range g.queries {
		guardQuery(q)
	}
	for _, i := range g.indices {
		i.Start = piped(i.Start, indexFunc)
	}
	for _, t := range g.terms {
		inner := *t
		inner.SuffixList = nil
		*t = gojq.Term{
			Type: gojq.TermTypeQuery, Query: held(&gojq.Query{Term: &inner}), SuffixList: t.SuffixList,
		}
	}
}

// guardQuery makes of a + b: a + b | held; of a += b: b as $x | a |= (. + $x | held), as jq
// defines it. A product is seen to before it is made.
func guardQuery(q *gojq.Query) {
	left, right := q.Left, q.Right
	guard := gojq.Query{Meta: q.Meta, Imports: q.Imports, FuncDefs: q.FuncDefs}
	switch q.Op {
	case gojq.OpAdd, gojq.OpMul:
		result := held(operation(q.Op, left, right))
		guard.Left, guard.Op, guard.Right = result.Left, result.Op, result.Right
	default:
		op := gojq.OpAdd
		if q.Op == gojq.OpUpdateMul {
			op = gojq.OpMul
		}
		old := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}}
		result := held(operation(op, old, call(operand)))
		guard.Left, guard.Op, guard.Patterns = right, gojq.OpPipe, []*gojq.Pattern{{Name: operand}}
		guard.Right = &gojq.Query{Left: left, Op: gojq.OpModify, Right: result}
	}
	*q = guard
}

// operation is the operation itself; of a * b: pair(a; b) | .[0] * .[1].
func operation(op gojq.Operator, left, right *gojq.Query) *gojq.Query {
	const few = 16
	l, isLeft := number(left)
	r, isRight := number(right)
	if op == gojq.OpAdd || isLeft && l <= few || isRight && r <= few {
		return &gojq.Query{Left: left, Op: op, Right: right}
	}
	product := &gojq.Query{Left: element("0"), Op: op, Right: element("1")}
	return &gojq.Query{Left: call(pairFunc, left, right), Op: gojq.OpPipe, Right: product}
}

func held(q *gojq.Query) *gojq.Query { return piped(q, heldFunc) }

func piped(q *gojq.Query, name string) *gojq.Query {
	return &gojq.Query{Left: q, Op: gojq.OpPipe, Right: call(name)}
}

func call(name string, args ...*gojq.Query) *gojq.Query {
	f := &gojq.Func{Name: name, Args: args}
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: f}}
}

func element(n string) *gojq.Query {
	start := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNumber, Number: n}}
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIndex, Index: &gojq.Index{Start: start}}}
}

// guards are the functions that they call.
func (p *program) guards() []gojq.CompilerOption {
	return []gojq.CompilerOption{
		gojq.WithFunction(heldFunc, 0, 0, p.held), gojq.WithFunction(pairFunc, 2, 2, p.pair),
		gojq.WithFunction(indexFunc, 0, 0, p.index),
	}
}

func (p *program) held(value any, _ []any) any {
	p.current.see(size(value))
	return value
}

func (p *program) index(value any, _ []any) any {
	if _, ok := value.(string); ok {
		return value
	}
	if at, ok := gojq.ToFloat64(value); ok {
		p.current.see(at * elementSize)
	}
	return value
}

func (p *program) pair(_ any, values []any) any {
	left, right := values[0], values[1]
	for _, v := range [2][2]any{{left, right}, {right, left}} {
		if text, ok := v[0].(string); ok {
			if times, ok := gojq.ToFloat64(v[1]); ok {
				p.current.see(float64(len(text)) * times)
			}
		}
	}
	if p.current.left == 0 {
		return errLong // not to make it
	}
	return []any{left, right}
}

// fewElements are no matter, whatever they are.
const fewElements = 1000

// elementSize is that of an element of an array in bytes.
const elementSize = 16

// size is about what a value takes in bytes, without what its elements take.
func size(value any) float64 {
	switch v := value.(type) {
	case string:
		return float64(len(v))
	case []any:
		return float64(elementSize * len(v))
	case map[string]any:
		return float64(4 * elementSize * len(v))
	case *big.Int:
		return float64(v.BitLen()) * elementSize // to multiply is more work than to copy
	}
	return 0
}
