// The events of a world: callers come, return and leave, alarms ring, and a foreign program
// writes and locks. The steps of the engine are in world_engine_test.go.

package combine

// event is an event, with the caller or the result.
type event struct {
	what what
	who  uint8 // the member's number; arrives: the kind
	how  uint8 // returns: the result; acts: the way; reports: the time
}

type what uint8

const (
	arrives what = iota
	returns
	ends
	tires
	alarm
	acts    // the engine's step has its effect
	reports // the engine reports its step
	foreignWrites
	foreignLocks
	foreignUnlocks
)

func (e event) code() uint16 { return uint16(e.what)<<8 | uint16(e.who)<<4 | uint16(e.how) }

func eventOf(code uint16) event {
	return event{what(code >> 8), uint8(code >> 4 & 15), uint8(code & 15)}
}

// events appends the events that can happen now. The first benign one is the benign event.
func (w *world) events(all []event) []event {
	add := func(e what, who int, how uint8) { all = append(all, event{e, uint8(who), how}) }
	if w.done {
		add(reports, 0, 0)
		if w.came == Conflict && w.anyGivesUp() {
			add(reports, 0, 1)
		}
	} else if w.out != Idle && w.out != Pause {
		w.ways(func(way uint8) { add(acts, 0, way) })
	}
	for i := range w.n {
		m := &w.member[i]
		if !m.out {
			continue
		}
		gone := m.ended // its context ended before its function began
		for _, r := range m.kindOf(w).returns {
			if r == panics {
				gone = true
			} else if m.state == running {
				add(returns, i, uint8(r))
			}
		}
		if m.state == cut {
			add(returns, i, uint8(plus))
		}
		if gone {
			add(returns, i, uint8(panics))
		}
	}
	if w.holder == theirs {
		add(foreignUnlocks, 0, 0)
	}
	if w.line.step == Pause || w.line.step == Run && (w.line.built > 0 || !w.line.closed) {
		add(alarm, 0, 0)
	}
	for i := range w.n {
		m := &w.member[i]
		if !m.kindOf(w).patient && !m.ended {
			add(ends, i, 0)
		}
		if m.kindOf(w).tires && w.line.mayLeave(&m.Caller) {
			add(tires, i, 0)
		}
	}
	w.arrivals(add)
	if w.endless {
		if w.holder == theirs && w.read && w.unchanged() {
			add(foreignWrites, 0, 0)
		}
		if w.holder == free && w.out != Wait {
			add(foreignLocks, 0, 0)
		}
		return all
	}
	if w.writes > 0 {
		add(foreignWrites, 0, 0)
	}
	if w.holder == free && w.holds > 0 {
		add(foreignLocks, 0, 0)
	}
	return all
}

func (w *world) arrivals(add func(e what, who int, how uint8)) {
	if !w.endless {
		if w.arrived < len(w.slots) {
			for _, k := range w.slots[w.arrived] {
				add(arrives, k, 0)
			}
		}
		return
	}
	here := [members]bool{w.arrived > 0}
	for i := range w.n {
		here[w.member[i].kind] = true
	}
	for k := range w.kinds {
		if !here[k] {
			add(arrives, k, 0)
		}
	}
}

// benign returns the index of the event that happens if no caller comes, no step fails, and a
// foreign program only unlocks; -1 if there is none.
func (w *world) benign(all []event) int {
	for i, e := range all {
		switch e.what {
		case acts, reports, foreignUnlocks:
			return i
		case returns:
			if w.member[e.who].kindOf(w).returns[0] == panics || result(e.how) != panics {
				return i
			}
		case alarm:
			if w.line.step == Pause {
				return i
			}
		}
	}
	return -1
}

func (w *world) anyGivesUp() bool {
	for i := range w.line.built {
		if w.member[i].GiveUpAt != 0 {
			return true
		}
	}
	return false
}

// unchanged reports whether the document has the version that was read.
func (w *world) unchanged() bool {
	if w.unique {
		return !w.moved
	}
	return w.doc == w.base
}

// changes records that the document has changed, or only its version.
func (w *world) changes() {
	w.moved = w.read
	w.look()
}

// look records the callers in line while the document has the version that was read.
func (w *world) look() {
	for i := range w.n {
		m := &w.member[i]
		m.present = m.present || w.read && w.unchanged()
	}
}

// apply makes an event happen, and checks the rules.
func (w *world) apply(e event) {
	w.ev = e
	w.builtWas = w.line.built
	switch m := &w.member[e.who&3]; e.what {
	case arrives:
		m = &w.member[w.n]
		*m = member{}
		w.become(m, e.who)
		w.n++
		if !w.endless || e.who == 0 {
			w.arrived++
		}
		w.look()
		w.carryOut(w.line.Arrive(&m.Caller))
	case returns:
		w.returned(int(e.who), result(e.how))
	case ends:
		leaves := m.state == waiting || m.state == built && w.line.step == Wait
		w.carryOut(w.line.End(&m.Caller, ended[e.who]))
		if m.gone != leaves {
			w.fail("whose context ends leaves: %v, want %v", m.gone, leaves)
		}
	case tires:
		w.carryOut(w.line.Tire(&m.Caller, tired[e.who]))
	case alarm:
		w.alarm()
	case acts:
		w.act(e.how)
		if w.done && w.atOnce() {
			w.report()
		}
	case reports:
		w.now = int64(e.how)
		w.report()
	case foreignWrites:
		switch w.writes--; {
		case w.endless:
			w.writes = 0
			w.doc += 7
		case w.writes%2 == w.setup.writes%2:
			w.doc--
		default:
			w.doc++
		}
		w.changes()
	case foreignLocks:
		if w.holds--; w.endless {
			w.holds = 0
		}
		w.holder = theirs
	case foreignUnlocks:
		w.holder = free
	}
	w.settled()
}

func (w *world) alarm() {
	if w.line.step == Pause {
		w.out = Idle
	}
	w.long = w.line.step == Run
	w.quiet = w.isQuiet()
	w.carryOut(w.line.Alarm())
	if w.line.step == Run && w.line.built > 0 {
		w.fail("an earlier caller waits for a later one")
	}
}

func (w *world) returned(i int, how result) {
	m := &w.member[i]
	counts := w.line.Stands(&m.Caller)
	m.out = false
	m.has, m.made, m.changed, m.refused = counts && how != panics, m.saw, false, how == refuse
	var r Result[buffer]
	switch how {
	case plus, plusOver:
		m.made++
	case minus:
		m.made--
	}
	switch how {
	case plus, plusOver, minus, same:
		m.changed = true
		state := buffer{m.made, firstOwner + int8(i)}
		r = Result[buffer]{Kind: Put, State: state, Over: how == plusOver}
	case refuse:
		r = Result[buffer]{Kind: Refuse, Err: refusal[i]}
	case panics:
		r = Result[buffer]{Kind: Gone}
	}
	if !counts {
		r.State.value = 99 // no caller may see it
		w.reset(m)
	}
	w.long = w.long || counts && r.Over
	w.quiet = w.isQuiet()
	o := w.line.Returned(&m.Caller, r)
	m.gone = how == panics // by itself
	w.carryOut(o)
}

// reset forgets the result of a function.
func (w *world) reset(m *member) {
	m.has, m.changed, m.refused, m.saw, m.made = false, false, false, 0, 0
}
