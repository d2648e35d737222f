// One caller: it joins the line, runs its function when it is ordered to, and leaves
// when its context ends.

package store

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/jsonstore/jsonstore/internal/combine"
)

// call is an update that one goroutine waits for.
type call struct {
	combine.Caller[docState]
	line   *line
	doc    *Doc
	ctx    context.Context
	decide decision
	frame  frame
	start  time.Duration // since lines.epoch

	orders   chan orderKind // from other goroutines
	patience *time.Timer    // for LockWait; nil if there is no limit
	waits    bool           // patience is running; guarded by line.mu
	lost     []error        // its conflicts, for the log; guarded by line.mu
	pause    *backoff.ExponentialBackOff

	order    order    // with toRun
	asked    bool     // toRun has been ordered, or received
	answered bool     // toReturn, likewise
	made     docState // the state that its function made or saw
	refused  error    // its function's error, if the document is to be confirmed first
	version  Version  // with toReturn
}

type orderKind int

const (
	toRun    orderKind = iota // run the function as order says, and report its result
	toReturn                  // Answer and version are set
)

// order says how to run a function.
type order struct {
	state docState
	// shared: the state belongs to another caller. It is valid while the batch waits
	// for this function.
	shared  bool
	version Version   // the version that was read
	started time.Time // start of the first function of this batch
	// blind is what was read without a look for an intent, from the file at path; else nil.
	blind *loaded
	path  string
}

// fill fills in what the try has read, but for started. The caller holds line.mu: as soon as
// it is released, an alarm may close the batch without this function, and go on with the try.
func (r *order) fill(o orders, t *try) {
	*r = order{state: o.State, shared: o.Alarm, version: t.read}
	if a := t.onFile; a != nil && a.blind && a.held == nil {
		r.blind, r.path = a.current, a.path
	}
}

// docState is a state of a document, published or not.
type docState struct {
	data    []byte
	exists  bool
	checked bool // an update made and checked it
	doubted bool // a flush of it failed: it must be published again
	owned   bool // data is a copy that the function may change
	// whole is set when data, as it was read from a file, is found to be valid. It may be
	// nil.
	whole *atomic.Bool
}

// equal reports whether s equals read, so that there is nothing to publish.
func (s docState) equal(read docState) bool {
	return s.exists == read.exists && !read.doubted && bytes.Equal(s.data, read.data)
}

// A decision returns the new state of the document. It may be called more than once,
// and may change the bytes that it gets.
type decision func(old docState) (docState, error)

func callOf(c *combine.Caller[docState]) *call { return c.Owner.(*call) }

// combined does an update, alone or in a batch.
func (d *Doc) combined(ctx context.Context, decide decision) (Version, error) {
	l := d.db.lines.enter(d.key)
	defer l.leave()
	c := l.newCall(ctx, d, decide)
	if c.patience != nil {
		defer c.patience.Stop()
	}
	if err := c.arrive(); err != nil {
		return Absent, err
	}
	c.obey()
	c.log()
	version, err := c.outcome()
	l.of.free(c) // not after a panic: other goroutines may still hold c
	return version, err
}

func (l *line) newCall(ctx context.Context, d *Doc, decide decision) *call {
	c, ok := l.of.calls.Get().(*call)
	if !ok {
		c = &call{orders: make(chan orderKind, 1)}
	}
	c.line, c.doc, c.ctx, c.decide = l, d, ctx, decide
	c.start = time.Since(l.of.epoch) // half the cost of time.Now, which reads two clocks
	c.Owner, c.Group = c, d.group()
	retry := d.opts.Retry
	c.MaxRuns, c.LockAfter = retry.MaxTries, retry.EscalateAfter
	if d.opts.Locking {
		c.LockAfter = 0
	}
	if retry.MaxElapsed > 0 {
		c.GiveUpAt = int64(c.start + retry.MaxElapsed)
	}
	if d.opts.LockWait > 0 {
		c.patience, c.waits = time.NewTimer(d.opts.LockWait), true
	}
	return c
}

// arrive puts the caller in line, and carries out the first orders.
func (c *call) arrive() error {
	busy := false
	w := c.line.event(func(m *machine) orders {
		if busy = c.doc.opts.LockWait < 0 && m.Busy(); busy {
			return orders{}
		}
		return m.Arrive(&c.Caller)
	})
	if busy {
		return errLockBusy
	}
	c.line.carry(w, c)
	return nil
}

// free returns an answered call to the pool. No other goroutine holds it any longer.
func (t *lines) free(c *call) {
	*c = call{orders: c.orders}
	t.calls.Put(c)
}

// obey carries out orders until the caller is answered.
func (c *call) obey() {
	ended := c.ctx.Done()
	var tired <-chan time.Time
	if c.patience != nil {
		tired = c.patience.C
	}
	for !c.answered {
		if c.asked {
			c.asked = false
			c.run()
			continue
		}
		told, over := c.orders, ended
		if c.line.of.threads != nil {
			told, over = c.simulated(ended)
		}
		select {
		case what := <-told:
			c.asked, c.answered = what == toRun, what == toReturn
		case <-over:
			ended = nil
			c.end()
		case <-tired:
			c.line.carry(c.line.event(func(m *machine) orders {
				c.waits = false
				return m.Tire(&c.Caller, errLockWait(c.doc.opts.LockWait))
			}), c)
		}
	}
}

// simulated waits in a simulation. It returns the one of the two channels that is
// ready; the other is nil.
func (c *call) simulated(ended <-chan struct{}) (chan orderKind, <-chan struct{}) {
	told := func() bool { return len(c.orders) > 0 }
	switch {
	case ended == nil:
		c.line.block(told)
	case c.line.block(told, func() bool { return c.ctx.Err() != nil }) == 1:
		return nil, ended
	}
	return c.orders, nil
}

// end reports the end of the context to the line.
func (c *call) end() {
	cause := context.Cause(c.ctx)
	c.line.carry(c.line.event(func(m *machine) orders { return m.End(&c.Caller, cause) }), c)
}

// mayLeave reports whether the caller has a context or a LockWait that can end.
func (c *call) mayLeave() bool { return c.ctx.Done() != nil || c.patience != nil }

// run runs the function and reports its result. A panic is reported too, and then
// continues.
func (c *call) run() {
	l, returned := c.line, false
	c.refused = nil
	defer func() {
		if !returned {
			w := l.returned(c, combine.Result[docState]{Kind: combine.Gone})
			l.of.spawn(func() { l.carry(w, nil) })
		}
	}()
	var r combine.Result[docState]
	if old, ok := c.take(); ok {
		r = c.judge(c.function(old))
	}
	returned = true
	if c.ctx.Err() != nil {
		c.end() // first: a result that no caller waits for is not published
	}
	l.carry(l.returned(c, r), c)
}

// function runs the function. Until it returns, frames records this goroutine.
func (c *call) function(old docState) (docState, error) {
	if err := c.doc.isExpected(c.order.version); err != nil {
		return docState{}, err
	}
	c.frame.push(c.doc)
	defer c.frame.pop()
	return c.decide(old)
}

// judge turns the function's return values into a result.
func (c *call) judge(made docState, err error) combine.Result[docState] {
	switch {
	case err != nil:
		return c.refuse(err)
	case c.keeps(made):
		return combine.Result[docState]{Kind: combine.Keep, State: made}
	}
	if made.exists {
		if err := c.doc.checkNew(made.data); err != nil {
			return c.refuse(err)
		}
		made.checked = true
	}
	return combine.Result[docState]{Kind: combine.Put, State: made}
}

// refuse returns the result for a function, or an expectation, that refuses the document
// with err. The file
// may have been read while a committed transaction was about to replace it. What is
// published is verified under the lock, which no transaction has then; a refusal is not.
// So the document is looked at again. If it may have changed, this counts as a result that
// keeps it: then the lock is taken, and the version that was refused is confirmed, or it
// is a conflict. Where no transaction ever was, the version that was read is what counts.
func (c *call) refuse(err error) combine.Result[docState] {
	if read := c.order.blind; read != nil {
		// The try may have ended if the batch does not wait for this function. Then the
		// result is dropped, and all that was closed is the file.
		same, lookErr := c.doc.drv.files.isStill(c.order.path, read)
		if (!same || lookErr != nil) && !c.doc.drv.files.neverInTransaction(c.order.path) {
			c.refused = err
			return combine.Result[docState]{Kind: combine.Keep, State: c.order.state}
		}
	}
	return combine.Result[docState]{Kind: combine.Refuse, Err: err}
}

// keeps reports whether the function returned the state that it was run on.
func (c *call) keeps(made docState) bool {
	old := c.order.state
	if made.exists != old.exists || len(made.data) != len(old.data) {
		return false
	}
	if c.order.shared {
		c.line.mu.Lock()
		defer c.line.mu.Unlock()
		if !c.line.machine.Stands(&c.Caller) {
			return true // its result is dropped
		}
	}
	return bytes.Equal(made.data, old.data)
}

// take returns the state to run the function on. The bytes of another caller are
// copied, since that caller may change them as soon as it is answered. It reports false
// if the batch no longer waits for this function.
func (c *call) take() (docState, bool) {
	old := c.order.state
	if !c.order.shared {
		return old, true
	}
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	if !c.line.machine.Stands(&c.Caller) {
		return docState{}, false
	}
	old.data = bytes.Clone(old.data)
	old.owned = true
	return old, true
}

// returned reports a function's result to the line.
func (l *line) returned(c *call, r combine.Result[docState]) work {
	c.made = r.State
	l.gather(1)
	r.Over = r.Kind != combine.Gone && time.Since(c.order.started) >= l.of.longest
	return l.event(func(m *machine) orders { return m.Returned(&c.Caller, r) })
}

// tell delivers the answer to a caller.
func (c *call) tell(t *try, self *call) {
	switch c.Answer.Version {
	case combine.AsRead:
		c.version = t.read
	case combine.AsFound:
		c.version = t.found
	}
	if c == self {
		c.answered = true
		return
	}
	c.orders <- toReturn
}

// outcome returns the result of the call.
func (c *call) outcome() (Version, error) {
	a := c.Answer
	if a.Version == combine.Own && c.made.exists {
		// On the caller's own goroutine, while it owns the bytes.
		c.version = c.doc.drv.combiner.Superseded(c.made.data)
	}
	switch {
	case c.refused != nil && (a.Err == nil || errors.Is(a.Err, ErrNotDurable)):
		return Absent, c.refused
	case a.Err == nil:
		c.doc.db.stats.updates.Add(1)
	case a.Lost > 0 && (errors.Is(a.Err, ErrConflict) || c.hasEnded(a.Err)):
		return c.version, c.conflicted(a)
	}
	return c.version, a.Err
}

// hasEnded reports whether the call's context has ended and err is its error.
func (c *call) hasEnded(err error) bool {
	return c.ctx.Err() != nil && errors.Is(err, context.Cause(c.ctx))
}

// rest and await stop and start the LockWait timer. The caller holds line.mu.
func (c *call) rest() {
	if c.patience != nil {
		c.patience.Stop()
		c.waits = false
	}
}

func (c *call) await() {
	if c.patience != nil && !c.waits {
		c.patience.Reset(c.doc.opts.LockWait)
		c.waits = true
	}
}

// maxLogged is the largest number of conflicts that one call logs.
const maxLogged = 100

// noteConflict keeps a conflict for the log. The caller holds line.mu.
func (c *call) noteConflict(err error) {
	if len(c.lost) < maxLogged {
		c.lost = append(c.lost, err)
	}
}

// log logs the conflicts. No other caller waits for this goroutine then, so the log
// handler may do anything, even update this document.
func (c *call) log() {
	logger := c.doc.opts.Logger
	for i, err := range c.lost {
		logger.Debug("conflict", "document", c.doc.name, "try", i+1, "err", err)
	}
	if stats := c.doc.db.stats; stats.manyRetries() {
		logger.Warn("more than one update in ten is tried again: other programs change "+
			"the document "+
			"at once, perhaps without its lock; consider GuardForeign or Locking, or fewer "+
			"and larger "+
			"updates", "document", c.doc.name, "stats", stats.stats().String())
	}
}
