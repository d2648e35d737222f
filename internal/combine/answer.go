// What callers are told, and who runs again.

package combine

import "slices"

// Answer is what came of a call.
type Answer struct {
	// Version says which version is the caller's: that of the state that its function
	// made or saw.
	Version Version
	Err     error
	// Lost is how many of its runs ended in a conflict, of a call that was not applied
	// and not refused.
	Lost int
	// Runs is how often its function ran.
	Runs int
}

// Version names a version.
type Version uint8

const (
	None    Version = iota // of nothing: the call has failed
	AsRead                 // that of the document as it was read
	Own                    // that of the caller's own state, on which others have built
	AsFound                // that of the document as the batch leaves it
)

// answer answers a caller, which is not in the list any longer.
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

// finish answers all callers of a batch: it is published, or nothing was to be
// published, or nobody knows.
func (l *Line[S]) finish(r Report[S], o *Orders[S]) {
	for _, c := range l.list[:l.built] {
		o.answer(c, l.final(c, r))
	}
	l.list = slices.Delete(l.list, 0, l.built)
	l.end(o)
	l.begin(o)
}

// final is what a caller is told when its batch is finished.
func (l *Line[S]) final(c *Caller[S], r Report[S]) Answer {
	found := c.at == 0 // it saw, or kept, what was read
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

// notApplied deals with a batch that was not published.
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
		// Which of them it is due to is not known: each is told what comes of its own.
		for _, c := range l.list[:l.built] {
			c.alone = true
		}
		l.forget(o)
	}
	l.end(o)
	l.begin(o)
}

// lost deals with a conflict.
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
	l.begin(o) // the wait for the lock, if it comes first, is pause enough
}

// headFailed deals with a document that could not be read, or a lock that could not be
// had. Those who are not the first find out for themselves.
func (l *Line[S]) headFailed(r Report[S], o *Orders[S]) {
	if head := l.lead; head != nil { // it was there when this was ordered, and still is
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
