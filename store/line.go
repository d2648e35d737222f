// The goroutines of one handle stand in line for each document: among themselves they need not conflict.
//
// The first one does its update by itself. Those that come meanwhile wait, and when it is done,
// all that are in line by then are done as one batch, if the engine can do that (batch.go), else the next one.

package store

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/driver"
)

// lines has the line of each document that is being updated.
type lines struct {
	mu    sync.Mutex // of all lines, and of the calls and batches in them
	byKey map[string]*line

	longest time.Duration // longestBatch, but in tests
}

// line is the updates of one document through one handle. Its fields are guarded by lines.mu.
type line struct {
	of    *lines
	key   string
	busy  bool    // somebody is at the head of it
	calls []*call // those that wait behind, in their order
	crowd int     // how many calls batches had of late: one that has fewer halves it
	// eager is how many of the next updates begin with the lock because an optimistic one lost not long ago.
	eager int
	// noYield is until when there is no yield.
	noYield time.Time

	running atomic.Int64 // the goroutine whose function is running, else 0; not guarded
}

// mostLines is how many lines are kept for what they know, though nobody stands in them.
const mostLines = 1000

// A yield that took longer than longYield is followed by none for yieldRest times as long.
const (
	longYield = time.Millisecond
	yieldRest = 20
)

// eagerFor is for how many updates in a row that find the lock free at once a conflict is remembered.
const eagerFor = 16

// update does an update when its turn comes. It waits for that as long as lockTable.acquire waits for a lock.
func (t *lines) update(ctx context.Context, d *Doc, decide decision) (Version, error) {
	c := &call{doc: d, ctx: ctx, decide: decide, start: time.Now()}
	leads, err := t.enter(c)
	if err != nil {
		return Absent, err
	}
	if leads {
		return c.lead()
	}
	wait := ctx
	if d.opts.LockWait > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeoutCause(ctx, d.opts.LockWait, errLockWait(d.opts.LockWait))
		defer cancel()
	}
	ended := wait.Done()
	for {
		select {
		case o := <-c.orders:
			switch o.kind {
			case toLead:
				return c.lead()
			case toReturn:
				return o.version, o.err
			}
			wait, ended = ctx, ctx.Done() // its turn has come
			c.run(o.old)
		case <-ended:
			if c.leave() {
				return Absent, c.error(context.Cause(wait))
			}
			ended = nil // the outcome is on its way
		}
	}
}

// enter puts a call in line; leads means that it is the first there.
func (t *lines) enter(c *call) (leads bool, err error) {
	self := currentGoroutine()
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.byKey[c.doc.key]
	if l == nil {
		l = &line{of: t, key: c.doc.key}
		if t.byKey == nil {
			t.byKey = map[string]*line{}
		}
		t.byKey[c.doc.key] = l
	}
	c.line = l
	if l.running.Load() == self {
		return false, errNested
	}
	if l.busy && c.doc.opts.LockWait < 0 {
		return false, errLockBusy
	}
	first := !l.busy
	l.busy = true
	if first && l.crowd > 1 {
		// Others are about to come back, and may stand behind this one for a processor, which it keeps for all of its short system
		// calls. To go without them is not only a commit for one: two that take turns so keep all others out for many milliseconds.
		l.yield()
	}
	if first && len(l.calls) == 0 {
		c.batch = &batch{line: l, doc: c.doc, calls: []*call{c}}
		return true, nil
	}
	c.orders, c.replies = make(chan order, 1), make(chan reply, 1)
	if !first {
		l.calls = append(l.calls, c)
		return false, nil
	}
	l.calls = slices.Insert(l.calls, 0, c)
	l.begin()
	return false, nil
}

// yield lets other goroutines run that are ready. Where all processors are busy that takes long, since who yields is served after all others; so
// only a twentieth of the time is spent on such yields. The caller holds lines.mu, and gives it up meanwhile.
func (l *line) yield() {
	start := time.Now()
	if start.Before(l.noYield) {
		return
	}
	l.of.mu.Unlock()
	runtime.Gosched()
	l.of.mu.Lock()
	if took := time.Since(start); took > longYield {
		l.noYield = start.Add(yieldRest * took)
	}
}

// checkNested refuses a write from the function of an update of the same document: when
// the update holds the lock, the write would wait for it for ever.
func (t *lines) checkNested(key string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.byKey[key]; l != nil && l.running.Load() == currentGoroutine() {
		return errNested
	}
	return nil
}

// begin begins the next update, or batch, of those in line. The caller holds lines.mu.
func (l *line) begin() {
	if len(l.calls) == 0 {
		l.busy = false
		if l.eager == 0 && l.crowd <= 1 || len(l.of.byKey) > mostLines {
			delete(l.of.byKey, l.key)
		}
		return
	}
	first := l.calls[0]
	l.calls = l.calls[1:]
	b := &batch{line: l, doc: first.doc, calls: []*call{first}}
	first.batch = b
	if combiner, ok := first.doc.drv.(driver.Combiner); ok {
		b.combiner = combiner
		go b.conduct()
		return
	}
	first.state = asked
	first.orders <- order{kind: toLead}
}
