// The expression of --print, over the document before and after an update. It runs
// before the update is published, so that an update whose print fails is not made.

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/itchyny/gojq"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// pairNames are the variables of such an expression. Its input, ., is the new document.
var pairNames = [...]string{"$old", "$new"}

// compilePrint compiles an expression of --print, with the arguments of the update's own.
func compilePrint(ctx context.Context, text string, task exprTask) (*program, error) {
	for _, name := range pairNames {
		if slices.Contains(task.Names, name) {
			return nil, usage("--arg %s: the expression of --print already has %s", name[1:], name)
		}
	}
	if err := checkLength(text); err != nil {
		return nil, ofPrint(err)
	}
	if err := checkExpression(text); err != nil {
		return nil, err
	}
	task.Text, task.Pair = []byte(text), true
	p, err := compile(ctx, task)
	return p, ofPrint(err)
}

// ofPrint marks an error as one of --print.
func ofPrint(err error) error {
	switch e := err.(type) {
	case *compileError:
		return &compileError{fmt.Errorf("--print: %w", e.err)}
	case *runtimeError:
		return &runtimeError{fmt.Errorf("--print: %w", e.err)}
	}
	return err
}

// print computes the output for an update.
func (p *program) print(ctx context.Context, old, new []byte) ([]byte, error) {
	text, err := p.run(ctx, packPair(old, new))
	return text, ofPrint(err)
}

// packPair joins two documents: a line with the size of the first (-1 if it is absent),
// then both.
func packPair(old, new []byte) []byte {
	size := len(old)
	if old == nil {
		size = -1
	}
	return slices.Concat(strconv.AppendInt(nil, int64(size), 10), []byte("\n"), old, new)
}

func unpackPair(packed []byte) (old, new []byte, err error) {
	line, rest, _ := bytes.Cut(packed, []byte("\n"))
	size, err := strconv.Atoi(string(line))
	switch {
	case err != nil || size > len(rest):
		return nil, nil, errors.New("there are no two documents to print from")
	case size < 0:
		return nil, rest, nil
	}
	return rest[:size], rest[size:], nil
}

// runPair runs an expression over two documents.
func (e *expression) runPair(ctx context.Context, packed []byte) ([]byte, error) {
	old, new, err := unpackPair(packed)
	if err != nil {
		return nil, err
	}
	halves, err := checkHalves(string(e.Text), append([][]byte{old, new}, e.Values...)...)
	if err != nil {
		return nil, &runtimeError{err}
	}
	if e.order != nil {
		e.order = newKeyOrder()
	}
	var values [len(pairNames)]any
	for i, document := range [...][]byte{old, new} {
		if document == nil {
			continue
		}
		lim := splice.Limits{AllowDuplicateKeys: e.Duplicates}
		r, err := newReader(document, lim)
		if err != nil {
			return nil, invalid(err)
		}
		r.order = e.order
		values[i] = r.value()
	}
	with := *e
	with.values = append(slices.Clone(e.values), values[:]...)
	result, err := with.one(ctx, values[1], memoryFor(len(packed)))
	if err != nil {
		return nil, err
	}
	return encodeResult(result, e.limit(), 0, halves, nil)
}

// isLook reports whether a query of --print only looks up keys and indexes. It then
// needs no process of its own.
func (e *expression) isLook(q *gojq.Query) bool {
	t := q.Term
	if t == nil || q.Meta != nil || len(q.Imports)+len(q.FuncDefs)+len(q.Patterns) > 0 {
		return false
	}
	switch t.Type {
	case gojq.TermTypeIdentity:
	case gojq.TermTypeIndex:
		if !e.isKey(t.Index) && !isAt(t.Index) {
			return false
		}
	case gojq.TermTypeFunc:
		if len(t.Func.Args) > 0 || !slices.Contains(pairNames[:], t.Func.Name) {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(t.SuffixList, func(s *gojq.Suffix) bool {
		return s.Iter || s.Optional || s.Index == nil || !e.isKey(s.Index) && !isAt(s.Index)
	})
}

// isAt reports whether an index is a number.
func isAt(index *gojq.Index) bool {
	return !index.IsSlice && index.End == nil && index.Start != nil && isNumber(index.Start.Term)
}
