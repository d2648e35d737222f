// The life of a caller: it arrives, its function runs, it leaves or is answered.
//
//	             its function is asked to run
//	arrives ──► waiting ──────────────────────► running ──── returns ───► built ──► answered
//	             │ ▲ ▲                             │ the batch is closed    │
//	             │ │ └────── returns ◄──── cut ◄───┘                        │
//	             │ └──────────────── the try was in vain ───────────────────┘
//	             └─ its context ends: answered
//
// A caller whose context ends while it is running, cut or built is answered when that state is
// over. The answer is the result of the attempt or, if there is none, the error of the context.

package combine

import "slices"

// Caller is one call. Its owner sets the first group of fields before Arrive, and reads Answer
// when the caller is answered.
type Caller[S any] struct {
	Owner     any   // data of the owner
	Group     any   // callers share a batch if Rules.Together allows it for their groups
	LockAfter int   // number of lost runs after which the lock comes first; negative: never
	MaxRuns   int   // largest number of runs of its function; 0: no limit
	GiveUpAt  int64 // time, as in Report.Now, after which it does not run again; 0: never

	Answer Answer
	Next   *Caller[S] // in Orders.Answered

	state     callerState
	runs      int   // number of runs that have begun
	conflicts int   // number of these that ended in a conflict
	ended     bool  // its context has ended
	cause     error // the error of its context
	late      bool  // it arrived after the read was ordered
	alone     bool  // it is a batch of its own
	at        int   // built: the number of changes in its state
	refusal   error // built: the error of its function
}

type callerState uint8

const (
	waiting callerState = iota
	running
	cut // running, and the result of its function will be dropped
	built
	answered // the end of its context has no effect any more
)

// Result is the result of a function.
type Result[S any] struct {
	Kind  ResultKind
	State S     // Put
	Err   error // Refuse
	// Over is set if the functions of this batch have run for as long as a batch may take, so
	// that no other function begins.
	Over bool
}

// ResultKind is the wish of a function.
type ResultKind uint8

const (
	Keep   ResultKind = iota // keep the state
	Put                      // replace the state by State
	Refuse                   // keep the state and answer with Err
	Gone                     // the function did not return; its caller gets no answer
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

// Stands reports whether the order to run a caller's function still stands: the batch waits for the
// function.
func (l *Line[S]) Stands(c *Caller[S]) bool { return c.state == running }

// Returned reports the result of a caller's function.
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
			// The document had the state that the function saw while the caller was in line,
			// whatever the result of this attempt is.
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

// cutReturned puts a caller back in line whose function was cut.
func (l *Line[S]) cutReturned(c *Caller[S], r Result[S], o *Orders[S]) {
	c.state = waiting
	switch {
	case r.Kind == Gone:
		l.remove(c)
	case c.ended:
		l.leave(c, o)
	}
	if l.step == Idle { // the line was waiting for this function
		l.begin(o)
	}
}

// End reports that the context of a caller has ended, and the cause. Like Tire, it has no effect on
// a caller that is answered, and may be called again.
func (l *Line[S]) End(c *Caller[S], cause error) (o Orders[S]) {
	c.ended, c.cause = true, cause
	if l.mayLeave(c) {
		l.leave(c, &o)
	}
	return o
}

// Tire reports that a caller's limit for waiting for a lock has passed. It has no effect on a
// caller that does not wait.
func (l *Line[S]) Tire(c *Caller[S], cause error) (o Orders[S]) {
	if l.mayLeave(c) {
		c.cause = cause
		l.leave(c, &o)
	}
	return o
}

// mayLeave reports whether a caller may leave. It may not from the order to run its function until
// the end of the attempt, except while the line waits for the lock.
func (l *Line[S]) mayLeave(c *Caller[S]) bool {
	return c.state == waiting || c.state == built && l.step == Wait
}

// leave answers a caller that leaves. If it is built, the whole batch is forgotten, since other
// functions may have used its result, or it theirs. The request for the lock stands.
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

// leaveEnded answers callers that are built and whose contexts ended before they might leave.
func (l *Line[S]) leaveEnded(o *Orders[S]) {
	for _, c := range l.list[:l.built] {
		if c.ended {
			l.leave(c, o) // after this no caller is built
			return
		}
	}
}

// forget puts the callers that are built back in line: their runs are lost. Callers whose contexts
// have ended leave.
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
