// A caller: it comes, its function runs, it leaves or is answered.
//
//	             its function is asked to run
//	arrives ──► waiting ──────────────────────► running ──── returns ───► built ──► answered
//	             │ ▲ ▲                             │ the batch is closed    │
//	             │ │ └────── returns ◄──── cut ◄───┘                        │
//	             │ └──────────────── the try was in vain ───────────────────┘
//	             └─ its context ends: answered
//
// A caller whose context ends while it is running, cut or built is answered when that
// is over: with what came of it, or, if that is nothing, with the end of its context.

package combine

import "slices"

// Caller is one call. Its owner sets the upper fields before Arrive, and reads Answer
// when it is answered.
type Caller[S any] struct {
	Owner     any   // whatever the owner wants to find here
	Group     any   // with whom it may share a batch
	LockAfter int   // after so many runs in vain it takes the lock first; negative never
	MaxRuns   int   // how often its function may run; 0 any number
	GiveUpAt  int64 // after which it does not run again, in the time of Report.Now; 0 never

	Answer Answer
	Next   *Caller[S] // in Orders.Answered

	state     callerState
	runs      int   // begun so far
	conflicts int   // of these runs, how many ended in a conflict
	ended     bool  // its context has ended
	cause     error // by which
	late      bool  // it came after the document was ordered to be read
	alone     bool  // it is a batch of its own
	at        int   // built: its state is the one after so many changes
	refusal   error // built: its function's error
}

type callerState uint8

const (
	waiting callerState = iota
	running
	cut // running, and what it returns is thrown away
	built
	answered // whatever else its context does
)

// Result is what a function returned.
type Result[S any] struct {
	Kind  ResultKind
	State S     // Put
	Err   error // Refuse
	// Over: the functions of this batch have run for as long as a batch may take, so
	// that no other begins.
	Over bool
}

// ResultKind says what a function wants.
type ResultKind uint8

const (
	Keep   ResultKind = iota // the state is to stay as it is
	Put                      // it is to become State
	Refuse                   // likewise to stay, and the caller gets Err
	Gone                     // it did not run to its end, and its caller is not to be answered
)

// Arrive puts a caller in line.
func (l *Line[S]) Arrive(c *Caller[S]) (o Orders[S]) {
	c.late = true
	l.list = append(l.list, c)
	if l.step == Idle {
		l.begin(&o)
	}
	return o
}

// Stands reports whether a caller whose function was ordered to run is still to run it:
// the batch waits for it.
func (l *Line[S]) Stands(c *Caller[S]) bool { return c.state == running }

// Returned reports what the function of a caller returned.
func (l *Line[S]) Returned(c *Caller[S], r Result[S]) (o Orders[S]) {
	if c.state == cut {
		l.cutReturned(c, r, &o)
		return o
	}
	c.refusal = nil
	switch r.Kind {
	case Gone:
		l.remove(c)
	case Refuse:
		if l.puts == 0 && !c.late {
			// What it saw is what the document was while it was there, whatever becomes
			// of this try.
			l.remove(c)
			o.answer(c, Answer{Err: r.Err})
			break
		}
		c.refusal = r.Err
		l.build(c)
	case Put:
		l.puts++
		l.last = r.State
		l.build(c)
	default:
		l.build(c)
	}
	l.closed = l.closed || r.Over
	l.next(&o)
	return o
}

func (l *Line[S]) build(c *Caller[S]) {
	c.state, c.at = built, l.puts
	l.built++
}

// cutReturned puts one back in line whose function was cut.
func (l *Line[S]) cutReturned(c *Caller[S], r Result[S], o *Orders[S]) {
	c.state = waiting
	switch {
	case r.Kind == Gone:
		l.remove(c)
	case c.ended:
		l.leave(c, o)
	}
	if l.step == Idle { // it was waited for
		l.begin(o)
	}
}

// End reports that the context of a caller has ended, and by which cause. Like Tire, it
// is nothing if the caller is answered, and may come again.
func (l *Line[S]) End(c *Caller[S], cause error) (o Orders[S]) {
	c.ended, c.cause = true, cause
	if l.mayLeave(c) {
		l.leave(c, &o)
	}
	return o
}

// Tire reports that a caller has waited for as long as it wants to wait for a lock. If
// it does not wait, that is nothing.
func (l *Line[S]) Tire(c *Caller[S], cause error) (o Orders[S]) {
	if l.mayLeave(c) {
		c.cause = cause
		l.leave(c, &o)
	}
	return o
}

// mayLeave: not from when its function is asked to run until the try is over, but for
// the wait for the lock.
func (l *Line[S]) mayLeave(c *Caller[S]) bool {
	return c.state == waiting || c.state == built && l.step == Wait
}

// leave answers one that leaves. If others have built on what it did, or it on what
// they did, all that is forgotten at once; the request for the lock stands.
func (l *Line[S]) leave(c *Caller[S], o *Orders[S]) {
	builder := c.state == built
	l.remove(c)
	o.answer(c, Answer{Err: c.cause, Lost: c.conflicts})
	if builder {
		l.built--
		l.forget(o)
		o.Forget = true
	}
	if l.step == Pause && len(l.list) == 0 {
		l.step = Idle
	}
}

// leaveEnded lets those leave that are built and whose contexts ended before they could.
func (l *Line[S]) leaveEnded(o *Orders[S]) {
	for _, c := range l.list[:l.built] {
		if c.ended {
			l.leave(c, o) // the others are not built any longer
			return
		}
	}
}

// forget puts those that are built back in line: their runs were in vain. Those whose
// contexts have ended leave.
func (l *Line[S]) forget(o *Orders[S]) {
	var none S
	all := slices.Clone(l.list[:l.built])
	l.built, l.puts, l.publishes = 0, 0, false
	l.read, l.last = none, none
	for _, c := range all {
		c.state = waiting
		if c.ended {
			l.leave(c, o)
		}
	}
}

// remove takes a caller out of the list.
func (l *Line[S]) remove(c *Caller[S]) {
	i := slices.Index(l.list, c)
	l.list = slices.Delete(l.list, i, i+1)
	if l.lead == c {
		l.lead = nil
	}
}
