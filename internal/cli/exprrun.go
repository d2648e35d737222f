// Runs of expressions: where one runs, and what ends it.

package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

const (
	// smallDocument is one that it is no matter to decode twice.
	smallDocument = 1 << 20
	// enoughMemory is more than an expression on small documents ever needs.
	enoughMemory = 1 << 30
	// grace is given to a run to end by itself.
	grace = 50 * time.Millisecond
)

// errLong is that a run does not keep its bounds.
var errLong = errors.New("it takes more than is known to do no harm")

// apply computes the new content from the old, nil if there is none, and writes it into
// the old so that only what differs changes.
func (p *program) apply(ctx context.Context, old []byte, flags *commonFlags) ([]byte, error) {
	text, err := p.run(ctx, old, flags)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return append(text, '\n'), nil
	}
	text, err = splice.Merge(old, text, flags.limits())
	if err != nil {
		return nil, &runtimeError{err}
	}
	return text, nil
}

// run runs the program where it can do no harm: in this process if it can nest values only so
// deep, else in another one. What loops is tried here first, since most of it ends soon.
func (p *program) run(ctx context.Context, old []byte, flags *commonFlags) ([]byte, error) {
	if p.left.Load() {
		return nil, &runtimeError{errors.New("it still runs for the file before and cannot be " +
			"ended; run the command once more for this one")}
	}
	if !p.reach.far && (!p.reach.loops || len(old) <= smallDocument) {
		most := bounds{steps: -1, size: float64(smallDocument + 4*len(old))}
		if p.reach.loops {
			most.steps = mostLevels / (1 + p.reach.suffixes)
		}
		text, err := p.here(ctx, old, flags, most)
		if err != errLong {
			return text, err
		}
	}
	return p.elsewhere(ctx, old, flags)
}

// bounds are those of a run that is to go on elsewhere if it does not keep them.
type bounds struct {
	steps int     // instructions; -1 is without bound
	size  float64 // of a value, in bytes
}

var unbounded = bounds{-1, math.Inf(1)}

// here runs it in this process, within bounds.
func (p *program) here(
	ctx context.Context, old []byte, flags *commonFlags, most bounds,
) ([]byte, error) {
	var input any
	if old != nil {
		var err error
		if input, err = decode(old, flags.limits()); err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
	}
	result, err := p.one(ctx, input, memoryFor(len(old)), most)
	if err != nil {
		return nil, err
	}
	return encodeResult(result, flags.sizeLimit())
}

// memoryFor is what an expression may hold. Decoded, a document takes some ten times its size,
// and the expression may hold it twice.
func memoryFor(document int) uint64 { return enoughMemory + 64*uint64(document) }

// one runs the program, which must have exactly one result, in so many bytes of memory. A run
// looks at its context between two instructions only, and one of them can take hours: then it is
// left behind.
func (p *program) one(ctx context.Context, input any, memory uint64, most bounds) (any, error) {
	ctx, stop := withMemory(ctx, memory)
	defer stop()
	type outcome struct {
		result any
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		result, err := p.single(newCounted(ctx, most), input)
		ended <- outcome{result, err}
	}()
	select {
	case o := <-ended:
		return o.result, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-ended:
		return o.result, o.err
	case <-time.After(grace):
		p.left.Store(true)
		return nil, endOf(ctx)
	}
}

// single is the one result of the program.
func (p *program) single(ctx *counted, input any) (any, error) {
	p.current = ctx
	results := p.code.RunWithContext(ctx, input, p.values...)
	result, ok := results.Next()
	if !ok {
		return nil, &runtimeError{errors.New("it has no result, so there is no new content; " +
			"to delete the document, use delete")}
	}
	if err := failure(ctx, result); err != nil {
		return nil, err
	}
	if more, ok := results.Next(); ok {
		if err := failure(ctx, more); err != nil {
			return nil, err
		}
		return nil, &runtimeError{errors.New("it has more than one result; " +
			"put them into one array by [ ]")}
	}
	return result, nil
}

// failure is the error that a result is, if it is one.
func failure(ctx context.Context, result any) error {
	err, failed := result.(error)
	if !failed {
		return nil
	}
	if ctx.Err() != nil {
		return endOf(ctx)
	}
	return &runtimeError{err}
}

// endOf is the error of a run that its context has ended.
func endOf(ctx context.Context) error {
	var tooMuch *runtimeError // of withMemory
	if errors.As(context.Cause(ctx), &tooMuch) {
		return tooMuch
	}
	return ctx.Err()
}

// counted is a context that ends after so many looks at it, of which gojq takes one before each
// instruction, or when a guard has seen a value that is too large. An error of a guard could be
// caught by try. It is for one goroutine.
type counted struct {
	context.Context
	done, over <-chan struct{}
	left       int // negative: without bound
	size       float64
}

func newCounted(ctx context.Context, most bounds) *counted {
	over := make(chan struct{})
	close(over)
	return &counted{ctx, ctx.Done(), over, most.steps, most.size}
}

// see is told the size of a value.
func (c *counted) see(size float64) {
	if size > c.size && c.size < math.Inf(1) {
		c.left = 0
	}
}

func (c *counted) Done() <-chan struct{} {
	switch {
	case c.left > 0:
		c.left--
	case c.left == 0:
		return c.over
	}
	return c.done
}

func (c *counted) Err() error {
	if c.left == 0 {
		return errLong
	}
	return c.Context.Err()
}

// withMemory returns a context that ends when the process holds more memory than that: def f:
// [f]; f would take all that the machine has. The garbage collector is told too, so that what it
// can free does not count.
func withMemory(ctx context.Context, most uint64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	before := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(before, int64(most)))
	go func() {
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if live, held := memory(); live > most || held > most+most/4 {
				cancel(tooMuch(most))
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		debug.SetMemoryLimit(before)
	}
}

func tooMuch(memory uint64) error {
	return &runtimeError{fmt.Errorf("it holds more than %d MiB of memory", memory>>20)}
}

// memory is how much the last garbage collection left, and how much the process has of the system.
func memory() (live, held uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	var values [3]uint64
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			values[i] = s.Value.Uint64()
		}
	}
	return values[0], values[1] - min(values[1], values[2])
}
