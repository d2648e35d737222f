// Updates of one document by the goroutines of one handle are combined: the shell
// around package combine.
//
// Package combine decides; this file and the three named below carry out its orders.
// Each event is a short call of the line's state machine under the line's mutex. The
// goroutine that brought the event then carries out the orders that it returns (carry).
// Mostly that is a caller's own goroutine, and its update needs no other. A new
// goroutine carries out an order that would keep a caller from leaving, or that comes
// after its answer. The machine has one order pending at a time, so one goroutine at a
// time does the steps of a try. While a try that has ended is being closed, the next
// one may begin.
//
// call.go has the caller: its context, its function. step.go has the steps on the
// engine. threads.go has the goroutines and clocks of the shell.

package store

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/internal/combine"
)

type (
	machine = combine.Line[docState]
	orders  = combine.Orders[docState]
	report  = combine.Report[docState]
)

// A batch is full when it has maxBatch callers, or when their functions have run for
// longestBatch.
const (
	maxBatch     = 256
	longestBatch = time.Millisecond
)

// eagerFor is the number of tries in a row that must find the lock free, after a
// conflict, until a try is optimistic again.
const eagerFor = 16

// maxLines is the number of lines above which lines without callers are dropped. Their
// state, such as recent conflicts, is lost.
const maxLines = 1000

// lines has the line of each document of a DB.
type lines struct {
	rules   combine.Rules[docState]
	longest time.Duration // longestBatch, except in tests
	threads *threads      // nil, except in simulations
	calls   sync.Pool     // of *call
	epoch   time.Time     // zero of the clock for MaxElapsed

	mu    sync.Mutex
	byKey map[string]*line
}

func newLines(drv *engine) *lines {
	most := 1
	if drv.combiner != nil {
		most = maxBatch
	}
	unique := drv.Caps().UniqueVersions
	return &lines{
		longest: longestBatch,
		epoch:   time.Now(),
		byKey:   map[string]*line{},
		rules: combine.Rules[docState]{
			Same:     docState.equal,
			Together: mayShare,
			Unique:   func(s docState) bool { return unique && s.exists }, // Absent is one version
			Most:     most,
			Eager:    eagerFor,
		},
	}
}

// line has the updates of one document through one handle.
type line struct {
	of    *lines
	key   string
	users int // guarded by lines.mu

	noYield atomic.Int64 // no yield before this time, in nanoseconds since lines.epoch

	mu      sync.Mutex
	machine machine
	try     *try // the try under way, nil if none
	crowd   int  // size of recent batches: a smaller batch at most halves it

	timer *time.Timer
	armed bool // the timer is needed for the batch that is being built
}

// enter returns the line of a document. The caller calls leave when it is done.
func (t *lines) enter(key string) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.byKey[key]
	if l == nil {
		l = &line{of: t, key: key}
		l.machine.Rules = t.rules
		l.timer = time.AfterFunc(time.Hour, l.alarm)
		l.timer.Stop()
		t.byKey[key] = l
	}
	l.users++
	return l
}

func (l *line) leave() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.users--
	if l.users > 0 || len(l.of.byKey) <= maxLines {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// A request for the lock may outlast the callers. Then the line is kept for the
	// callers that inherit the lock.
	if !l.machine.Busy() {
		delete(l.of.byKey, l.key)
	}
}

// work is the consequence of an event.
type work struct {
	orders
	pause   time.Duration // for Pause
	arms    bool          // the alarm is needed from now on
	disarms bool          // it is no longer needed
	try     *try          // the try of the step
	ended   *try          // the try to close first, nil if none
	// forget is the try that releases what it staged, nil if none.
	forget *try
}

// work takes over the orders of an event. The caller holds mu.
func (l *line) work(o orders) work {
	w := work{orders: o, try: l.try}
	if o.Close {
		w.ended, l.try = l.try, nil
		answered := 0
		for c := o.Answered; c != nil; c = c.Next {
			answered++
		}
		l.crowd = max(answered, l.crowd/2)
	}
	if o.Forget {
		w.forget, l.try.forgotten = l.try, make(chan struct{})
	}
	if o.Escalated {
		callOf(l.machine.Callers()[0]).doc.db.stats.escalations.Add(1)
	}
	switch {
	case o.Run != nil:
		l.armed, w.arms = o.Alarm, o.Alarm && !l.armed
	case l.armed && (o.Do != combine.Idle || o.Close):
		l.armed, w.disarms = false, true
	}
	switch {
	case o.Begins:
		l.try = newTry(callOf(l.machine.Callers()[0]))
		w.try = l.try
	case o.Run != nil:
		callOf(o.Run).rest()
		callOf(o.Run).order.fill(o, l.try)
	case o.Do == combine.Pause:
		w.pause = callOf(l.machine.Callers()[0]).nextPause()
	case o.Do == combine.Wait:
		for _, c := range l.machine.Callers() {
			callOf(c).await()
		}
	}
	return w
}

// carry carries out work, and the work that follows from it, until the line waits for
// another goroutine or a timer. Self is the caller whose goroutine this is, nil if
// none.
func (l *line) carry(w work, self *call) {
	for {
		l.finish(w, self)
		switch {
		case w.Run != nil:
			l.ask(w, self)
			return
		case w.Do == combine.Idle:
			return
		case self != nil && (self.answered || w.Do == combine.Wait && self.mayLeave()):
			next := w
			next.Answered, next.ended, next.forget = nil, nil, nil
			l.of.spawn(func() { l.carry(next, nil) })
			return
		case w.Do == combine.Pause && (self == nil || self.mayLeave()):
			l.setTimer(w.pause)
			return
		case w.Do == combine.Pause:
			l.sleep(w.pause)
			w = l.event((*machine).Alarm)
			continue
		case w.Begins:
			l.gather(0)
		}
		if w.Do == combine.Read {
			w.try.awaitForgotten(l)
		}
		w = l.done(w.try.step(w.Do, w.State))
	}
}

// event brings an event to the machine.
func (l *line) event(e func(m *machine) orders) work {
	l.pass()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.work(e(&l.machine))
}

// done reports the result of a step to the machine.
func (l *line) done(r report) work {
	l.pass()
	l.mu.Lock()
	defer l.mu.Unlock()
	stats := l.try.doc.db.stats
	if r.Outcome == combine.Conflict {
		r.Now = int64(time.Since(l.of.epoch))
		stats.conflicts.Add(1)
		for _, c := range l.machine.Built() {
			callOf(c).noteConflict(r.Err)
		}
	}
	o := l.machine.Done(r)
	if o.Again {
		stats.retries.Add(1)
	}
	return l.work(o)
}

// alarm reports that the functions of a batch have run for longestBatch, or that a
// pause is over.
func (l *line) alarm() {
	l.carry(l.event((*machine).Alarm), nil)
}

// finish closes the try that has ended, and then delivers the answers to its callers.
func (l *line) finish(w work, self *call) {
	if w.disarms {
		l.disarm()
	}
	if w.forget != nil {
		w.forget.forget()
	}
	if w.ended != nil {
		w.ended.awaitForgotten(l)
		w.ended.attempt.Close()
	}
	for c := w.Answered; c != nil; {
		next := c.Next // the call may be reused once it is answered
		callOf(c).tell(w.ended, self)
		c = next
	}
}

// disarm stops the timer, unless others need it by now.
func (l *line) disarm() {
	l.pass()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.armed && l.machine.Step() != combine.Pause {
		l.stopTimer()
	}
}

// ask orders a caller to run its function.
func (l *line) ask(w work, self *call) {
	c := callOf(w.Run)
	if w.Alarm {
		c.order.started = w.try.started
		if w.arms {
			l.setTimer(l.of.longest - time.Since(w.try.started))
		}
	} else {
		w.try.started = time.Now()
		c.order.started = w.try.started
	}
	if c == self {
		c.asked = true
		return
	}
	c.orders <- toRun
}

// gather lets callers join that are about to. A caller that was just answered often
// calls again at once. Its goroutine may be runnable but queued behind this one, which
// keeps the processor for all of its short system calls. Without gather, each such
// caller would need a version of its own. So gather yields before a try begins, and
// before the returning function closes a batch, while each yield brings callers and the
// line is shorter than recent batches.
func (l *line) gather(returning int) {
	for before := 0; ; {
		l.mu.Lock()
		there, built := len(l.machine.Callers()), len(l.machine.Built())+returning
		enough := there >= l.crowd || there <= before || there > built && returning > 0
		l.mu.Unlock()
		if enough || !l.yield() {
			return
		}
		before = there
	}
}
