// One caller: it stands in line, runs its function when it is asked to, and leaves when
// its context ends.

package store

import (
	"bytes"
	"context"
	"errors"
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
	start  time.Time

	orders   chan orderKind // from other goroutines
	patience *time.Timer    // for LockWait; nil if that is without limit
	waits    bool           // patience is running; guarded by line.mu
	lost     []error        // its conflicts, for the log; guarded by line.mu
	pause    *backoff.ExponentialBackOff

	order    order    // with toRun
	asked    bool     // toRun, found by this goroutine itself
	answered bool     // toReturn, likewise
	made     docState // what its function made or saw
	version  Version  // with toReturn
}

type orderKind int

const (
	toRun    orderKind = iota // your function, as order says, and report what came of it
	toReturn                  // Answer and version are there
)

// order is how a function is to be run.
type order struct {
	state docState
	// shared: the state is another caller's, valid as long as the batch waits for this one.
	shared  bool
	version Version   // of the document as it was read
	started time.Time // the functions of this batch
}

// docState is a state of a document, which need not have been published.
type docState struct {
	data    []byte
	exists  bool
	checked bool // an update has made it, which has checked it
	doubted bool // a flush of it went wrong: it is to be published anew
	owned   bool // the bytes are a copy for the function that gets them
}

// equal reports whether s need not be published in the place of read.
func (s docState) equal(read docState) bool {
	return s.exists == read.exists && !read.doubted && bytes.Equal(s.data, read.data)
}

// A decision says what is to become of the document. It may be asked more than once,
// and may change what it gets.
type decision func(old docState) (docState, error)

func callOf(c *combine.Caller[docState]) *call { return c.Owner.(*call) }

// combined does an update, alone or together with others.
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
	l.of.free(c) // not if the function panics: others may yet have it
	return version, err
}

func (l *line) newCall(ctx context.Context, d *Doc, decide decision) *call {
	c, ok := l.of.calls.Get().(*call)
	if !ok {
		c = &call{orders: make(chan orderKind, 1)}
	}
	c.line, c.doc, c.ctx, c.decide, c.start = l, d, ctx, decide, time.Now()
	c.Owner, c.Group = c, d.group()
	retry := d.opts.Retry
	c.MaxRuns, c.LockAfter = retry.MaxTries, retry.EscalateAfter
	if d.opts.Locking {
		c.LockAfter = 0
	}
	if retry.MaxElapsed > 0 {
		c.GiveUpAt = int64(c.start.Add(retry.MaxElapsed).Sub(l.of.epoch))
	}
	if d.opts.LockWait > 0 {
		c.patience, c.waits = time.NewTimer(d.opts.LockWait), true
	}
	return c
}

// arrive puts it in line, and does what is to be done first.
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

// free keeps a call that is answered for another one: nobody knows it any longer.
func (t *lines) free(c *call) {
	*c = call{orders: c.orders}
	t.calls.Put(c)
}

// obey does what is ordered until it is answered.
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

// simulated waits in a simulation, and returns the one of two channels that is to be
// received from.
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

// end is the event that its context has ended.
func (c *call) end() {
	cause := context.Cause(c.ctx)
	c.line.carry(c.line.event(func(m *machine) orders { return m.End(&c.Caller, cause) }), c)
}

// mayLeave reports whether it may want to leave.
func (c *call) mayLeave() bool { return c.ctx.Done() != nil || c.patience != nil }

// run runs the function and reports what came of it; also if it panics, which goes on
// after that.
func (c *call) run() {
	l, returned := c.line, false
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
		c.end() // first, since what nobody wants any longer is not published
	}
	l.carry(l.returned(c, r), c)
}

// function runs it, and lets it be known meanwhile that it runs here.
func (c *call) function(old docState) (docState, error) {
	if err := c.doc.isExpected(c.order.version); err != nil {
		return docState{}, err
	}
	c.frame.push(c.doc)
	defer c.frame.pop()
	return c.decide(old)
}

// judge says what the function wants.
func (c *call) judge(made docState, err error) combine.Result[docState] {
	switch {
	case err != nil:
		return combine.Result[docState]{Kind: combine.Refuse, Err: err}
	case c.keeps(made):
		return combine.Result[docState]{Kind: combine.Keep, State: made}
	}
	if made.exists {
		if err := c.doc.checkNew(made.data); err != nil {
			return combine.Result[docState]{Kind: combine.Refuse, Err: err}
		}
		made.checked = true
	}
	return combine.Result[docState]{Kind: combine.Put, State: made}
}

// keeps reports whether the function has made what it was run on.
func (c *call) keeps(made docState) bool {
	old := c.order.state
	if made.exists != old.exists || len(made.data) != len(old.data) {
		return false
	}
	if c.order.shared {
		c.line.mu.Lock()
		defer c.line.mu.Unlock()
		if !c.line.machine.Stands(&c.Caller) {
			return true // what it made is thrown away
		}
	}
	return bytes.Equal(made.data, old.data)
}

// take returns what the function is to be run on. What another caller has made is copied,
// since it is that one's again as soon as it is answered. It reports false if nobody waits
// for this function any longer.
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

// returned is the event that a function has returned.
func (l *line) returned(c *call, r combine.Result[docState]) work {
	c.made = r.State
	l.gather(1)
	r.Over = r.Kind != combine.Gone && time.Since(c.order.started) >= l.of.longest
	return l.event(func(m *machine) orders { return m.Returned(&c.Caller, r) })
}

// tell tells a caller that it is answered.
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

// outcome returns what came of it.
func (c *call) outcome() (Version, error) {
	a := c.Answer
	if a.Version == combine.Own && c.made.exists {
		// On its own goroutine, while the bytes are its own.
		c.version = c.doc.drv.combiner.Superseded(c.made.data)
	}
	switch {
	case a.Err == nil:
		c.doc.db.stats.updates.Add(1)
	case a.Lost > 0 && (errors.Is(a.Err, ErrConflict) || c.hasEnded(a.Err)):
		return c.version, c.conflicted(a)
	}
	return c.version, a.Err
}

// hasEnded reports whether an error is that of its context, which has ended.
func (c *call) hasEnded(err error) bool {
	return c.ctx.Err() != nil && errors.Is(err, context.Cause(c.ctx))
}

// rest and await stop and start the time of LockWait. The caller holds line.mu.
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

// maxLogged is how many conflicts of one call are logged.
const maxLogged = 100

// noteConflict remembers a conflict for the log. The caller holds line.mu.
func (c *call) noteConflict(err error) {
	if len(c.lost) < maxLogged {
		c.lost = append(c.lost, err)
	}
}

// log logs conflicts, when nobody waits for this goroutine: a handler may do as it
// likes, update this document too.
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
