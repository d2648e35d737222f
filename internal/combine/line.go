// Package combine decides how callers that update one document at once become batches:
// which function runs next and on what, when a batch is closed and published, who may
// leave when, and what each caller is answered.
//
// It is a pure state machine, without goroutines, locks, channels, clocks and files:
// events go in, orders come out. Package store carries the orders out. The rules, in
// short:
//
//   - There is one list, of all callers not yet answered, in the order in which they
//     came. A batch is the callers at its head whose functions have returned. Nobody
//     changes place.
//   - A caller leaves when its context ends, but not from when its function is asked to
//     run until that try is over. The wait for the lock, which alone can be long, is
//     excepted: who leaves then has all that is built forgotten.
//   - What has been published, or may have been, does not run again.
//
// A line is at one step at a time, which is the order that is out:
//
//	        a caller comes
//	Idle ────────────────────► Read ──► Run ◄─┐ one function after the other
//	 │                          ▲        │ └──┘
//	 │ the lock comes first     │ had    │
//	 ├───────► Lock ────────────┤        ├── something to publish ──► Stage ─┐
//	 │          │ busy          │        │                                   │
//	 │          ▼               │        └─────────────► Lock ◄──────────────┘
//	 │         Wait ────────────┘                 busy │  │ had
//	 │          ▲                                      ▼  ▼
//	 │          │ one who is built leaves:          Wait ──► Publish or Confirm ──► Settle
//	 │          └──────────────────────────────────── ┘                              │
//	 │            what is built is forgotten                                         ▼
//	 └── Pause ◄── conflict in Stage, Publish or Confirm:              the batch is answered
//	               who is still there runs again
//
// Where the lock came first, the second Lock is left out. A batch that changes nothing
// is confirmed under the lock too: what it has read may be a version that is about to be
// taken back, or that nobody has made durable yet. Where it was read under the lock it is
// only settled, unless somebody came late.
//
// A failure in these is told to a batch of one; the callers of a larger one run again,
// each as a batch of its own. Whatever ends a try, the next one begins at Idle with
// those who are in line.
//
// This file has the line and how a try goes through its steps; caller.go has a caller
// and how it comes, runs and leaves; answer.go what callers are told.
package combine

import "slices"

// Step is where a line is: the order that is out.
type Step uint8

const (
	Idle    Step = iota // none, or the first caller's function runs in vain and is waited for
	Lock                // take the lock if it is free, before reading or with what is staged
	Wait                // wait for it
	Read                // read the document
	Run                 // run a caller's function
	Stage               // make ready what is built
	Publish             // put it in the document's place, under the lock
	Confirm             // nothing is to be changed: look, under the lock, whether it is as it was read
	Settle              // make durable what is published, confirmed, or was read under the lock
	Pause               // wait for a while after a conflict
)

// Outcome is what came of an order.
type Outcome uint8

const (
	OK         Outcome = iota
	Busy               // Lock: somebody else has it
	Conflict           // not applied: the document is no longer what was read
	Failed             // not applied
	NotDurable         // applied, but may be undone by a power cut
	Unknown            // applied or not, or yet to be
)

// Report is what came of any step but Run and Pause.
type Report[S any] struct {
	Outcome Outcome
	Err     error
	State   S     // Read: the document
	Now     int64 // the time, on the clock of Caller.GiveUpAt
}

// Orders are what an event leads to, to be carried out in this order.
type Orders[S any] struct {
	// Answered are the callers that have their Answer, linked by Next, in the order in
	// which they came.
	Answered *Caller[S]
	// Close: the try is over. What it holds is to be released: the lock, and what is
	// staged.
	Close bool
	// Forget: what is staged is to be released. Wait is out, and stays so.
	Forget bool
	// Do is the step to carry out, and then to report by Done; for Pause by Alarm. Idle
	// and Run are none.
	Do Step
	// Run is the caller whose function is to be run, and then to be reported by Returned.
	Run *Caller[S]
	// State is what the function is to be run on, or what is to be staged.
	State S
	// Alarm: others wait for this function. Alarm is to be reported when the functions
	// of this batch have run for as long as a batch may take.
	Alarm bool
	// Begins: Do begins a try. Escalated: it takes the lock first because earlier ones
	// were in vain.
	Begins, Escalated bool
	// Again: callers that have lost run again.
	Again bool

	last *Caller[S] // of Answered
}

// Rules are what the lines of an engine have in common.
type Rules[S any] struct {
	// Same reports whether two states are equal, so that nothing is to be published. One
	// that is to be published anew, though nobody changes it, is not even equal to
	// itself.
	Same func(a, b S) bool
	// Together reports whether callers of two groups may share a batch.
	Together func(a, b any) bool
	// Unique reports whether changes that end in the state as it was are published all
	// the same, because versions of equal states differ.
	Unique func(s S) bool
	// Most is how many callers a batch may have.
	Most int
	// Eager is for how many tries in a row that find the lock free a conflict is
	// remembered, and the lock taken first.
	Eager int
}

// Line is the callers of one document. One event at a time.
type Line[S any] struct {
	Rules[S]

	step   Step
	list   []*Caller[S] // all that are not answered, in the order in which they came
	eager  int          // how many of the next tries take the lock first
	locked bool         // the lock is had
	under  bool         // the document was read under it
	closed bool         // no other function begins in this try

	// Of the try that is under way.
	lead  *Caller[S] // for whom it was begun, nil if that one is gone
	group any        // whose options it has
	alone bool       // it is a batch of one
	built int        // how many at the head of the list are built
	puts  int        // how many of them have changed the state
	read  S          // as the document was read
	last  S          // as the last of them has made it
	// publishes: that is to be published, and not only confirmed.
	publishes bool
}

// Busy reports whether a caller that arrives has to wait for others.
func (l *Line[S]) Busy() bool { return l.step != Idle || len(l.list) > 0 }

// Callers returns those that are not answered, in the order in which they came. It is
// valid until the next event.
func (l *Line[S]) Callers() []*Caller[S] { return l.list }

// Built returns those of them that are built, likewise.
func (l *Line[S]) Built() []*Caller[S] { return l.list[:l.built] }

// Step returns where the line is.
func (l *Line[S]) Step() Step { return l.step }

// begin begins a try for those in line.
func (l *Line[S]) begin(o *Orders[S]) {
	l.step = Idle
	if len(l.list) == 0 || l.list[0].state == cut {
		return // who is cut will be back, and is the first of its batch then
	}
	l.lead, l.group = l.list[0], l.list[0].Group
	o.Begins = true
	if l.lockFirst(l.lead) {
		o.Escalated = l.lead.LockAfter > 0
		l.do(o, Lock)
		return
	}
	l.doRead(o)
}

// lockFirst reports whether the lock is taken before the document is read: the head of
// the line has run in vain often enough, or others have lost not long ago.
func (l *Line[S]) lockFirst(head *Caller[S]) bool {
	return head.LockAfter >= 0 && (head.runs >= head.LockAfter || l.eager > 0)
}

func (l *Line[S]) do(o *Orders[S], step Step) { l.step, o.Do = step, step }

// doRead orders the document to be read. Whoever comes from now on may not rely on what
// is found alone.
func (l *Line[S]) doRead(o *Orders[S]) {
	for _, c := range l.list {
		c.late = false
	}
	l.closed, l.under = false, l.locked
	l.do(o, Read)
}

// end ends a try: what it has built is forgotten, and what it holds is to be released.
func (l *Line[S]) end(o *Orders[S]) {
	var none S
	l.locked, l.under, l.closed, l.alone = false, false, false, false
	l.lead, l.group, l.read, l.last = nil, nil, none, none
	l.built, l.puts, l.publishes = 0, 0, false
	o.Close = true
}

// Done reports what came of the order that was out.
func (l *Line[S]) Done(r Report[S]) (o Orders[S]) {
	switch l.step {
	case Lock, Wait:
		l.lockDone(r, &o)
	case Read:
		if r.Outcome != OK {
			l.headFailed(r, &o)
			break
		}
		l.read, l.last = r.State, r.State
		l.next(&o)
	case Stage:
		switch {
		case r.Outcome != OK:
			l.notApplied(r, &o)
		default:
			l.decide(&o)
		}
	case Publish:
		switch r.Outcome {
		case OK:
			l.do(&o, Settle)
		case NotDurable, Unknown:
			l.finish(r, &o)
		default:
			l.notApplied(r, &o)
		}
	case Confirm:
		if r.Outcome == OK {
			l.do(&o, Settle)
		} else {
			l.notApplied(r, &o)
		}
	case Settle:
		l.finish(r, &o)
	}
	return o
}

// lockDone goes on when the lock is had, or has to be waited for. The request for it is
// never withdrawn, whoever leaves: those who are there when it is had inherit it.
func (l *Line[S]) lockDone(r Report[S], o *Orders[S]) {
	waited := l.step == Wait
	switch {
	case r.Outcome == Busy:
		l.do(o, Wait)
		l.leaveEnded(o)
		return
	case r.Outcome != OK:
		l.headFailed(r, o)
		return
	}
	l.locked = true
	switch {
	case l.built > 0: // nobody of them has left
		l.decide(o)
		return
	case l.eager > 0 && waited:
		l.eager = l.Eager
	case l.eager > 0:
		l.eager--
	}
	if len(l.list) == 0 || l.list[0].state == cut || !l.Together(l.group, l.list[0].Group) {
		l.end(o)
		l.begin(o)
		return
	}
	l.doRead(o)
}

// next has the next function of the batch run, or closes it.
func (l *Line[S]) next(o *Orders[S]) {
	if l.built < len(l.list) && l.mayJoin(l.list[l.built]) {
		c := l.list[l.built]
		if l.built == 0 {
			l.lead = c // those before it have dropped out
			l.alone = c.alone || c.MaxRuns > 0 && c.runs+1 >= c.MaxRuns
		}
		c.state = running
		c.runs++
		l.step = Run
		o.Run, o.State, o.Alarm = c, l.last, l.built > 0
		return
	}
	l.commit(o)
}

// mayJoin reports whether a caller's function may be the next one of this batch.
func (l *Line[S]) mayJoin(c *Caller[S]) bool {
	if c.state == cut || !l.Together(l.group, c.Group) {
		return false
	}
	if l.built == 0 {
		return true
	}
	only := c.alone || c.MaxRuns > 0 && c.runs+1 >= c.MaxRuns
	return !l.closed && !l.alone && !only && l.built < l.Most
}

// commit publishes what is built, if there is anything to publish.
func (l *Line[S]) commit(o *Orders[S]) {
	switch {
	case l.built == 0: // nobody is there, or all have dropped out
		l.end(o)
		l.begin(o)
	case l.allEnded(): // nobody wants it any more
		l.forget(o)
		l.end(o)
		l.begin(o)
	case l.puts > 0 && l.Unique(l.last) || !l.Same(l.last, l.read):
		l.publishes = true
		o.State = l.last
		l.do(o, Stage)
	default:
		l.decide(o)
	}
}

// decide has what is built, and staged if need be, published or confirmed, under the
// lock.
func (l *Line[S]) decide(o *Orders[S]) {
	switch {
	case !l.locked:
		l.do(o, Lock)
	case l.publishes:
		l.do(o, Publish)
	case l.under && !l.anyLate():
		l.do(o, Settle) // nobody was in the midst of a publish when it was read
	default:
		l.do(o, Confirm)
	}
}

// anyLate reports whether one who is built came after the read was ordered: what was
// read may be older than its call.
func (l *Line[S]) anyLate() bool {
	return slices.ContainsFunc(l.list[:l.built], func(c *Caller[S]) bool { return c.late })
}

func (l *Line[S]) allEnded() bool {
	for _, c := range l.list[:l.built] {
		if !c.ended {
			return false
		}
	}
	return true
}

// Alarm reports that the functions of a batch have run for long, or that a pause is
// over. At any other time it does nothing.
//
// A batch is closed here. The function that runs is cut, unless it is the first: the
// others are published without it.
func (l *Line[S]) Alarm() (o Orders[S]) {
	switch l.step {
	case Run:
		l.closed = true
		if l.built > 0 {
			l.list[l.built].state = cut
			l.commit(&o)
		}
	case Pause:
		l.begin(&o)
	}
	return o
}
