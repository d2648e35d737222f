// The steps of the engine in a world: each has its effect and reports it, at once or later.

package combine

// The results that a step can have.
const (
	asItIs          uint8 = iota // the result that follows from the state of the world
	seesConflict                 // Stage notices a conflict
	seesConflictNow              // likewise, after some time
	fails
	notDurable
	unknownDone // unknown, and applied
	unknownNot  // unknown, and not applied
)

// ways calls add for each result that the pending step can have now.
func (w *world) ways(add func(uint8)) {
	fault := w.faults > 0
	if w.out != Wait || w.holder == free {
		add(asItIs)
	}
	if w.out == Stage && w.read && !w.unchanged() {
		add(seesConflict)
		if w.anyGivesUp() {
			add(seesConflictNow)
		}
	}
	if fault && w.out == Settle {
		add(notDurable)
	}
	if fault && w.out != Settle {
		add(fails)
	}
	if fault && w.out == Publish && w.unchanged() {
		add(notDurable)
		add(unknownDone)
	}
	if fault && w.out == Publish {
		add(unknownNot) // this hides a conflict too
	}
}

// atOnce reports whether the engine reports a step together with its effect. That loses no
// case: an event between the two could as well have happened before both.
func (w *world) atOnce() bool {
	if w.split {
		return false
	}
	switch w.out {
	case Lock, Wait, Stage, Settle:
		return true
	}
	return w.came == Failed
}

// act is the effect of the engine's step.
func (w *world) act(way uint8) {
	w.done, w.came, w.tooBig = true, OK, false
	if way != asItIs && way != seesConflict && way != seesConflictNow {
		w.faults--
	}
	switch {
	case way == fails:
		w.came = Failed
		if w.out == Publish || w.out == Confirm {
			w.holder = free
		}
		return
	case way == seesConflict, way == seesConflictNow:
		w.came, w.now = Conflict, int64(way-seesConflict)
		return
	}
	switch w.out {
	case Lock, Wait:
		if w.holder != free {
			w.came = Busy
		} else {
			w.holder = ours
		}
	case Read:
		w.read, w.moved, w.base = true, false, w.doc
		w.look()
	case Stage:
		for i := range w.line.built {
			if w.member[i].changed && w.member[i].kindOf(w).large {
				w.came, w.tooBig = Failed, true
			}
		}
	case Publish:
		w.publish(way)
	case Confirm:
		w.holder = free
		if !w.unchanged() {
			w.came = Conflict
		} else {
			w.seal(certain)
			w.read, w.moved, w.base = false, false, 0
		}
	case Settle:
		if way == notDurable {
			w.came = NotDurable
		}
	}
}

func (w *world) publish(way uint8) {
	if w.holder != ours {
		w.fail("published without the lock")
	}
	w.mustBeOwned(w.staged, "published")
	w.holder = free
	w.mustChain()
	switch {
	case way == unknownDone, way == unknownNot:
		w.came = Unknown
		w.seal(unknown)
	case !w.unchanged():
		w.came = Conflict
		return
	case way == notDurable:
		w.came = NotDurable
		w.seal(certain)
	default:
		w.seal(certain)
	}
	if way != unknownNot {
		w.doc = w.staged.value
	}
	w.read, w.moved, w.base = false, false, 0
}

// seal decides the fate of the callers whose functions have returned.
func (w *world) seal(f fate) {
	for i := range w.n {
		if m := &w.member[i]; m.has {
			m.fate = f
		}
	}
}

// report reports the step of the engine.
func (w *world) report() {
	r := Report[buffer]{Outcome: w.came, Now: w.now}
	switch w.came {
	case Conflict:
		r.Err = errConflict
	case Failed:
		r.Err = errFailed
		if w.tooBig {
			r.Err = errLarge
		}
	case NotDurable:
		r.Err = errNotDurable
	case Unknown:
		r.Err = errUnknown
	case OK:
		if w.out == Read {
			r.State = buffer{w.base, engine}
		}
	}
	w.reported = w.out
	w.quiet = w.isQuiet()
	w.outcome, w.wasTooBig = w.came, w.tooBig
	w.out, w.done, w.came, w.tooBig = Idle, false, OK, false
	conflicts := [members]int{}
	for i := range w.n {
		conflicts[i] = w.member[i].conflicts
	}
	w.carryOut(w.line.Done(r))
	w.mustCount(conflicts)
}
