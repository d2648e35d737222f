// Many callers in one process: combining.
//
// Goroutines that update one document through one handle need not each publish a version. A batch passes the document's
// content along like a baton: each caller runs its function, on its own goroutine, on what the one before has made of it; the last
// content is published and made durable, once, and then all are told. Others see the whole batch at one instant, in which its
// updates come one after the other, in the order in which the callers came.
//
// An error or a panic of a function takes only its caller out. If the version is not published because somebody was faster, all
// functions run again. A caller whose context ends leaves; if others have built on what it did, they build anew. It waits
// only where its change is just being published, until that is done or given up.
//
// The states in between are never published. A caller gets a version for its own state that no document ever has
// (driver.Combiner): with that of the whole batch, to compare and swap from its own state would wipe out what came after.

package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/driver"
)

// A batch takes no more callers when it has so many, or when their functions have run for so long.
const (
	mostCalls    = 256
	longestBatch = time.Millisecond
)

// batch is updates that become one version: of one caller, who does it by itself, or of several.
type batch struct {
	line     *line
	doc      *Doc            // all of them have its options
	combiner driver.Combiner // nil for one caller by itself
	over     bool            // the next ones are under way

	// Guarded by lines.mu.
	calls  []*call // in their order
	phase  phase
	anew   bool               // one whose function has run has left
	cancel context.CancelFunc // ends the try; nil for one caller by itself
}

type phase int

const (
	building   phase = iota // reading, and running functions
	publishing              // who leaves now may leave its change behind
	published
)

// conduct is the goroutine of a batch that callers were in line for. It ends when they have been told, or have all left.
func (b *batch) conduct() { b.run(context.Background()) }

// outcome is what came of a try.
type outcome int

const (
	told  outcome = iota // every caller has been told what came of its update
	again                // somebody has left: the others are to be done anew
	lost                 // a conflict
)

// try is one try; the error is that of a conflict.
func (b *batch) try(ctx context.Context, lock bool) (outcome, error) {
	a, err := b.doc.attempt(ctx, lock)
	if err != nil {
		return b.failed(ctx, err), nil
	}
	defer a.Close()
	b.doc.db.stats.reads.Add(1)
	b.noteWait(a, lock)
	var made states
	for {
		made = b.build(a)
		if made.same(a) {
			return b.unchanged(made, a), nil
		}
		if b.commit() {
			break
		}
	}
	var version Version
	if made.last.exists {
		version, err = a.Swap(ctx, made.last.data)
	} else {
		err = a.Delete(ctx)
	}
	switch {
	case errors.Is(err, ErrConflict):
		b.reset()
		return lost, err
	case err != nil:
		return b.failed(ctx, err), nil
	}
	b.doc.db.stats.writes.Add(1)
	b.publish()
	err = a.Settle()
	b.tell(made, version, err)
	return told, nil
}

// unchanged tells those whose updates leave the document as it was read. Who came after that has to see what is there now.
func (b *batch) unchanged(made states, a driver.Attempt) outcome {
	if slices.ContainsFunc(b.calls, func(c *call) bool { return c.late }) {
		b.reset()
		return again
	}
	b.tell(made, a.Version(), nil)
	return told
}

// states are what the functions of a batch make of a document, one after the other.
type states struct {
	versions []Version // of those that have been built upon
	last     docState
}

// same reports whether the document is to stay as it was read.
func (s *states) same(a driver.Attempt) bool {
	return len(s.versions) == 0 || s.last.exists == !a.Version().IsAbsent() && bytes.Equal(s.last.data, a.Data())
}

// build runs the functions, and takes more callers while there are any. Those that depend on nothing but what was read are
// told, if they were there before.
func (b *batch) build(a driver.Attempt) states {
	s := states{last: docState{data: a.Data(), exists: !a.Version().IsAbsent()}}
	start := time.Now()
	for i := 0; i < len(b.calls) || b.grow(time.Since(start)); {
		c := b.calls[i]
		r := b.ask(c, s.last)
		if r.err == nil && !r.gone && r.change.kind != keep {
			version := a.Version()
			if len(s.versions) > 0 {
				version = b.superseded(s.last)
			}
			s.versions = append(s.versions, version)
			s.last = docState{data: r.change.data, exists: r.change.kind == put, checked: true}
		}
		c.at, c.err = len(s.versions), r.err
		switch {
		case r.gone:
			b.drop(i)
		case c.at == 0 && !c.late:
			b.line.of.mu.Lock()
			b.answer(c, a.Version(), r.err)
			b.line.of.mu.Unlock()
			b.drop(i)
		default:
			i++
		}
	}
	return s
}

// superseded is the version of a state that is built upon and not published.
func (b *batch) superseded(s docState) Version {
	if b.combiner == nil || !s.exists {
		return Absent
	}
	return b.combiner.Superseded(s.data)
}

// ask has a caller run its function.
func (b *batch) ask(c *call, old docState) (r reply) {
	if b.combiner == nil {
		r.change, r.err = c.function(old)
		return r
	}
	b.line.of.mu.Lock()
	gone := c.state == left
	if !gone {
		c.state = asked
		c.orders <- order{kind: toRun, old: old}
	}
	b.line.of.mu.Unlock()
	if gone {
		return reply{gone: true}
	}
	return <-c.replies
}

// grow takes the next caller in line, if that may be part of this batch.
func (b *batch) grow(elapsed time.Duration) bool {
	l := b.line
	if b.combiner == nil || len(b.calls) >= mostCalls || elapsed > max(longestBatch, l.of.longest) {
		return false
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if len(l.calls) == 0 || *l.calls[0].doc.opts != *b.doc.opts {
		return false
	}
	c := l.calls[0]
	c.batch, c.late = b, true
	b.calls = append(b.calls, c)
	l.calls = l.calls[1:]
	return true
}

func (b *batch) drop(i int) {
	b.line.of.mu.Lock()
	defer b.line.of.mu.Unlock()
	b.calls = slices.Delete(b.calls, i, i+1)
}

// commit reports whether what was built can be published: nobody has left who took part.
func (b *batch) commit() bool {
	b.line.of.mu.Lock()
	defer b.line.of.mu.Unlock()
	if b.anew {
		b.restart()
		return false
	}
	b.phase = publishing
	return true
}

// withdraw takes out a caller whose context has ended. It reports false if its change may be published nevertheless, or is. The
// caller holds lines.mu.
func (b *batch) withdraw(c *call) bool {
	switch {
	case c.state == answered || b.phase == published:
		return false
	case b.phase == publishing:
		c.state = leaving
		b.cancel()
		return false
	case c.state == applied:
		b.anew = true
	}
	c.state = left
	if b.cancel != nil && !slices.ContainsFunc(b.calls, func(c *call) bool { return c.state != left }) {
		b.cancel()
	}
	return true
}

// reset makes the batch ready for another try, without those who want to leave.
func (b *batch) reset() {
	b.line.of.mu.Lock()
	defer b.line.of.mu.Unlock()
	b.restart()
}

// restart is reset for one who holds lines.mu.
func (b *batch) restart() {
	b.phase, b.anew = building, false
	b.calls = slices.DeleteFunc(b.calls, func(c *call) bool {
		if c.state == leaving {
			b.answer(c, Absent, context.Cause(c.ctx))
		}
		return c.state >= left
	})
	for _, c := range b.calls {
		c.state = waiting
	}
}

// failed deals with an error that is no conflict. It is that of all callers, unless it comes of one having left.
func (b *batch) failed(ctx context.Context, err error) outcome {
	b.reset()
	if b.combiner != nil && ctx.Err() != nil {
		if len(b.calls) == 0 {
			return told
		}
		return again
	}
	b.line.of.mu.Lock()
	defer b.line.of.mu.Unlock()
	for _, c := range b.calls {
		b.answer(c, Absent, err)
	}
	return told
}

// publish notes that others can build on what is published. Where nobody else is about, whoever comes need not wait until this is durable. Where
// others are, all wait, and then become durable at once: to go on with half of them costs each half a commit.
func (b *batch) publish() {
	l := b.line
	l.of.mu.Lock()
	b.phase = published
	alone := len(b.calls) == 1 && len(l.calls) == 0 && l.crowd <= 1
	l.of.mu.Unlock()
	if alone {
		b.handOver()
	}
}

// handOver lets those in line go on, once.
func (b *batch) handOver() {
	l := b.line
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if b.over {
		return
	}
	b.over = true
	l.crowd = max(len(b.calls), l.crowd/2)
	l.begin()
}

// tell tells all callers what came of their updates. Those that have more to do come back at once, and so are in the next batch.
func (b *batch) tell(made states, version Version, err error) {
	b.line.of.mu.Lock()
	defer b.line.of.mu.Unlock()
	for _, c := range b.calls {
		switch {
		case c.err != nil:
			b.answer(c, Absent, c.err)
		case c.at < len(made.versions):
			b.answer(c, made.versions[c.at], err)
		default:
			b.answer(c, version, err)
		}
	}
	if b.combiner != nil {
		b.line.yield()
	}
}

// answer tells one caller. Whoever calls it holds lines.mu.
func (b *batch) answer(c *call, version Version, err error) {
	if err == nil {
		b.doc.db.stats.updates.Add(1)
	}
	err = c.error(err)
	if b.combiner == nil {
		c.version, c.err = version, err
		return
	}
	c.state = answered
	c.orders <- order{kind: toReturn, version: version, err: err}
}
