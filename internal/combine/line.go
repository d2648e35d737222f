// Package combine decides how concurrent updates of one document become batches: which function
// runs next and on which state, when a batch is closed and published, when a caller may leave, and
// which answer each caller gets.
//
// It is a pure state machine, without goroutines, locks, channels, clocks and files. Events go in,
// and orders come out, which package store carries out. The rules, in short:
//
//   - One list has all callers that are not answered, in the order of their arrival. A batch is
//     the callers at its head whose functions have returned. No caller changes its place.
//   - A caller leaves when its context ends, except from the order to run its function until the
//     end of that attempt. During the wait for the lock, which alone can be long, it may leave
//     all the same: then the whole batch is forgotten.
//   - The functions of a batch that was published, or may have been, do not run again.
//
// A line is at one step at a time, which is the pending order:
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
//	 │          │ a built caller leaves:            Wait ──► Publish or Confirm ──► Settle
//	 │          └──────────────────────────────────── ┘                              │
//	 │            the batch is forgotten                                             ▼
//	 └── Pause ◄── conflict in Stage, Publish or Confirm:              the batch is answered
//	               the remaining callers run again
//
// If the lock came first, the second Lock is left out. A batch that changes nothing is
// confirmed under the lock too: the version that it has read may be about to be withdrawn, or
// not be durable yet. If the batch was read under the lock it is only settled, unless one of
// its callers came late.
//
// A failure of these steps is the answer to a batch of one. The callers of a larger batch run
// again, each as a batch of its own. After the end of an attempt the next one begins at Idle
// with the callers in line.
//
// This file has the line and the steps of an attempt, caller.go the life of a caller, and
// answer.go the answers.
package combine

import "slices"

// Step is the pending order of a line.
type Step uint8

const (
	Idle    Step = iota // no order, or the line waits for the first caller's cut function
	Lock                // take the lock if it is free, before reading or after staging
	Wait                // wait for the lock
	Read                // read the document
	Run                 // run a caller's function
	Stage               // stage the result of the batch
	Publish             // replace the document by what is staged, under the lock
	Confirm             // the batch changes nothing: verify the version, under the lock
	Settle              // make durable what is published, confirmed, or was read under the lock
	Pause               // back off after a conflict
)

// Outcome is the outcome of an order.
type Outcome uint8

const (
	OK         Outcome = iota
	Busy               // Lock: another process or handle holds the lock
	Conflict           // not applied: the document no longer has the version that was read
	Failed             // not applied
	NotDurable         // applied, but a power cut may undo it
	Unknown            // applied or not, or may still be applied later
)

// Report is the result of any step but Run and Pause.
type Report[S any] struct {
	Outcome Outcome
	Err     error
	State   S     // Read: the document
	Now     int64 // the time, on the clock of Caller.GiveUpAt
}

// Orders are the consequences of an event. They are carried out in the order of the fields.
type Orders[S any] struct {
	// Answered are the callers that have their Answer, linked by Next, in the order of their
	// arrival.
	Answered *Caller[S]
	// Close ends the attempt: release the lock and what is staged.
	Close bool
	// Forget releases what is staged. Wait is pending, and stays so.
	Forget bool
	// Do is the next step. Done reports its end, or Alarm that of a Pause. Idle and Run
	// mean that there is no step.
	Do Step
	// Run is the caller whose function runs next. Returned reports its result.
	Run *Caller[S]
	// State is the state to run the function on, or the state to stage.
	State S
	// Alarm is set if other callers wait for this function: Alarm must be reported when the
	// functions of this batch have run for as long as a batch may take.
	Alarm bool
	// Begins is set if Do begins an attempt, and Escalated if that takes the lock first
	// because earlier ones have lost.
	Begins, Escalated bool
	// Again is set if callers that have lost run again.
	Again bool

	last *Caller[S] // of Answered
}

// Rules are the rules that all lines of an engine share.
type Rules[S any] struct {
	// Same reports whether two states are equal, so that there is nothing to publish. A
	// state that must be published again, though no function changes it, is not equal to
	// itself.
	Same func(a, b S) bool
	// Together reports whether callers of two groups may share a batch.
	Together func(a, b any) bool
	// Unique reports whether changes that cancel out are published all the same, because the
	// versions of equal states differ.
	Unique func(s S) bool
	// Most is the largest number of callers in a batch.
	Most int
	// Eager is the number of attempts in a row that must find the lock free, after a
	// conflict, until an attempt begins without the lock again.
	Eager int
}

// Line has the callers of one document. It handles one event at a time.
type Line[S any] struct {
	Rules[S]

	step   Step
	list   []*Caller[S] // the callers that are not answered, in the order of their arrival
	eager  int          // number of the next attempts that take the lock first
	locked bool         // the attempt holds the lock
	under  bool         // the document was read under the lock
	closed bool         // no other function begins in this attempt

	// The attempt that is under way.
	lead  *Caller[S] // the caller for whom it began, nil if that one has left
	group any        // the group of its callers
	alone bool       // it is a batch of one
	built int        // number of callers at the head of the list that are built
	puts  int        // number of these that have changed the state
	read  S          // the state that was read
	last  S          // the state that the last function has returned
	// publishes is set if last must be published, and not only confirmed.
	publishes bool
}

// Busy reports whether a caller that arrives has to wait for others.
func (l *Line[S]) Busy() bool { return l.step != Idle || len(l.list) > 0 }

// Callers returns the callers that are not answered, in the order of their arrival. The slice is
// valid until the next event.
func (l *Line[S]) Callers() []*Caller[S] { return l.list }

// Built returns the callers that are built, likewise.
func (l *Line[S]) Built() []*Caller[S] { return l.list[:l.built] }

// Step returns the pending order.
func (l *Line[S]) Step() Step { return l.step }

// begin begins an attempt for the callers in line.
func (l *Line[S]) begin(o *Orders[S]) {
	l.step = Idle
	if len(l.list) == 0 || l.list[0].state == cut {
		return // the first caller's function was cut; the next batch begins with it
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

// lockFirst reports whether the attempt takes the lock before it reads the document: the first
// caller has lost often enough, or others have lost recently.
func (l *Line[S]) lockFirst(head *Caller[S]) bool {
	return head.LockAfter >= 0 && (head.runs >= head.LockAfter || l.eager > 0)
}

func (l *Line[S]) do(o *Orders[S], step Step) { l.step, o.Do = step, step }

// doRead orders a read of the document. A caller that arrives later is late: the result of the read
// may be older than its call.
func (l *Line[S]) doRead(o *Orders[S]) {
	for _, c := range l.list {
		c.late = false
	}
	l.closed, l.under = false, l.locked
	l.do(o, Read)
}

// end ends an attempt, forgets its state and orders the release of what it holds.
func (l *Line[S]) end(o *Orders[S]) {
	var none S
	l.locked, l.under, l.closed, l.alone = false, false, false, false
	l.lead, l.group, l.read, l.last = nil, nil, none, none
	l.built, l.puts, l.publishes = 0, 0, false
	o.Close = true
}

// Done reports the result of the pending order.
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

// lockDone handles the result of Lock or Wait. The request for the lock is never withdrawn: the
// callers that are in line when it succeeds inherit the lock.
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
	case l.built > 0: // no built caller has left
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

// next orders the next function of the batch to run, or closes the batch.
func (l *Line[S]) next(o *Orders[S]) {
	if l.built < len(l.list) && l.mayJoin(l.list[l.built]) {
		c := l.list[l.built]
		if l.built == 0 {
			l.lead = c // the callers before it have left
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
	case l.built == 0: // there are no callers, or all have left
		l.end(o)
		l.begin(o)
	case l.allEnded(): // all callers would leave
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

// decide orders the next step towards publishing or confirming the batch under the lock.
func (l *Line[S]) decide(o *Orders[S]) {
	switch {
	case !l.locked:
		l.do(o, Lock)
	case l.publishes:
		l.do(o, Publish)
	case l.under && !l.anyLate():
		l.do(o, Settle) // no publish was under way at the time of the read
	default:
		l.do(o, Confirm)
	}
}

// anyLate reports whether a built caller arrived after the read was ordered: the result of the read
// may be older than its call.
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

// Alarm reports that the functions of a batch have run for as long as a batch may take, or that a
// pause is over. At any other time it does nothing.
//
// Alarm closes a batch. It cuts the function that runs, unless that is the first one: the batch is
// published without it.
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
