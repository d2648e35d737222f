// The answers to callers, and which functions run again.

package combine

import "slices"

// Answer is the result of a call.
type Answer struct {
	// Version selects the version to return: that of the state that the caller's function
	// made or saw.
	Version Version
	Err     error
	// Lost is the number of runs that ended in a conflict. It is set for a call that was
	// neither applied nor refused.
	Lost int
	// Runs is the number of runs of its function.
	Runs int
}

// Version names a version.
type Version uint8

const (
	None    Version = iota // no version: the call has failed
	AsRead                 // the version that was read
	Own                    // the version of the caller's own state, which others have changed
	AsFound                // the version of the document at the end of the batch
)

// answer answers a caller that is no longer in the list.
func (o *Orders[S]) answer(c *Caller[S], a Answer) {
	a.Runs = c.runs
	c.Answer, c.Next, c.state = a, nil, answered
	if o.last == nil {
		o.Answered = c
	} else {
		o.last.Next = c
	}
	o.last = c
}

// finish answers all callers of a batch that was published, or changed nothing, or has an unknown
// outcome.
func (l *Line[S]) finish(r Report[S], o *Orders[S]) {
	for _, c := range l.list[:l.built] {
		o.answer(c, l.final(c, r))
	}
	l.list = slices.Delete(l.list, 0, l.built)
	l.end(o)
	l.begin(o)
}

// final returns the answer to a caller when its batch is finished.
func (l *Line[S]) final(c *Caller[S], r Report[S]) Answer {
	found := c.at == 0 // the caller saw, or kept, what was read
	switch {
	case c.refusal != nil && (found && !c.late || r.Outcome != Unknown):
		return Answer{Err: c.refusal}
	case r.Outcome == Unknown:
		return Answer{Err: r.Err}
	case found && l.puts > 0:
		return Answer{Version: AsRead, Err: r.Err}
	case c.at < l.puts:
		return Answer{Version: Own, Err: r.Err}
	}
	return Answer{Version: AsFound, Err: r.Err}
}

// notApplied handles a batch that was not published.
func (l *Line[S]) notApplied(r Report[S], o *Orders[S]) {
	if r.Outcome == Conflict {
		l.lost(r, o)
		return
	}
	if l.built == 1 {
		c := l.list[0]
		l.remove(c)
		o.answer(c, Answer{Err: r.Err, Lost: c.conflicts})
	} else {
		// Any of them may have caused the failure. Each runs again as a batch of its own, and
		// gets the result of that.
		for _, c := range l.list[:l.built] {
			c.alone = true
		}
		l.forget(o)
	}
	l.end(o)
	l.begin(o)
}

// lost handles a conflict.
func (l *Line[S]) lost(r Report[S], o *Orders[S]) {
	under := l.under
	if head := l.list[0]; head.LockAfter > 0 && head.runs >= head.LockAfter {
		l.eager = l.Eager
	}
	for i := 0; i < l.built; {
		c, err := l.list[i], r.Err
		c.conflicts++
		switch {
		case c.ended:
			err = c.cause
		case c.MaxRuns > 0 && c.runs >= c.MaxRuns || c.GiveUpAt != 0 && r.Now >= c.GiveUpAt:
		default:
			i++
			continue
		}
		l.remove(c)
		l.built--
		o.answer(c, Answer{Err: err, Lost: c.conflicts})
	}
	l.forget(o)
	l.end(o)
	o.Again = len(l.list) > 0 && l.list[0].conflicts > 0
	if o.Again && (under || !l.lockFirst(l.list[0])) {
		l.do(o, Pause)
		return
	}
	l.begin(o) // if the lock comes first, the wait for it is the pause
}

// headFailed handles a failed read or lock. It is the answer to the first caller; the others try
// for themselves.
func (l *Line[S]) headFailed(r Report[S], o *Orders[S]) {
	if head := l.lead; head != nil { // the caller for whom this was ordered is still in line
		if head.state == built {
			l.built--
		}
		l.remove(head)
		o.answer(head, Answer{Err: r.Err, Lost: head.conflicts})
	}
	l.forget(o)
	l.end(o)
	l.begin(o)
}
