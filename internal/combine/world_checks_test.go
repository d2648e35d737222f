// The rules of a world: the answers that a line may give to each caller, and the orders that it
// may give.

package combine

import "fmt"

func (w *world) fail(format string, args ...any) {
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, args...)
	}
}

// mustBeOwned: no function and no step may use a buffer whose owner is answered.
func (w *world) mustBeOwned(s buffer, what string) {
	switch i := int(s.owner - firstOwner); {
	case s.owner == nobody:
		w.fail("a buffer that does not exist is %s", what)
	case s.owner >= firstOwner && (i >= w.n || w.member[i].gone):
		w.fail("the buffer of one who is answered is %s", what)
	}
}

// carryOut carries out orders, except the step of the engine, which is an event of its own.
func (w *world) carryOut(o Orders[buffer]) {
	last := -1
	for c := o.Answered; c != nil; c = c.Next {
		i := w.find(c)
		if i < 0 || w.member[i].gone {
			w.fail("one is answered who was before")
			return
		}
		// a caller whose function is gone does not wait
		if w.ev.what != returns || i != int(w.ev.who) {
			w.must(i > last, "they are answered in another order than they came")
			last = i
		}
		w.told(i, c.Answer)
		w.member[i].gone = true
	}
	if o.Close {
		w.close()
	}
	if o.Forget {
		w.must(w.line.step == Wait, "what is staged is to be forgotten")
		w.staged = buffer{}
	}
	if o.Begins || o.Do == Lock || o.Do == Wait && w.line.built > 0 {
		w.head = int8(w.find(w.line.list[0])) + 1
	}
	if o.Do != Idle {
		w.order(o.Do, o.State)
	}
	if o.Run != nil {
		w.run(o)
	}
}

// close ends an attempt.
func (w *world) close() {
	if w.out != Idle {
		w.fail("a try ends while its step %d is out", w.out)
	}
	if w.holder == ours {
		w.holder = free
	}
	w.staged, w.head = buffer{}, 0
	w.forgetRead()
	for i := range w.n {
		if m := &w.member[i]; !m.gone && m.fate != open {
			w.fail("one whose change is published, or may be, is not told")
		}
	}
}

// forgetRead forgets what was read.
func (w *world) forgetRead() {
	w.read, w.moved, w.base, w.long = false, false, 0, false
	for i := range w.n {
		w.member[i].present, w.member[i].tried = false, false
		if m := &w.member[i]; !m.gone {
			w.reset(m)
		}
	}
}

// order checks the order of a step.
func (w *world) order(do Step, s buffer) {
	if w.out != Idle {
		w.fail("two orders are out: %d and %d", w.out, do)
	}
	w.out = do
	switch do {
	case Lock, Wait:
		if w.holder == ours {
			w.fail("the lock is to be had twice")
		}
	case Read:
		w.forgetRead()
	case Stage:
		w.staged = s
		w.mustBeOwned(w.staged, "staged")
		w.mustChain()
	case Publish:
		if w.holder != ours {
			w.fail("to be published without the lock")
		}
		w.mustBeOwned(w.staged, "to be published")
	case Settle:
		if w.holder == ours { // the document was read under the lock, and must stay locked
			w.must(w.line.under && w.isQuiet(), "what is not confirmed is to be settled")
			w.seal(certain)
			w.holder = free
			w.read, w.moved, w.base = false, false, 0
		}
	case Confirm:
		if w.holder != ours {
			w.fail("to be confirmed without the lock")
		}
		w.mustChain()
		end, changed := w.chain()
		if end != w.base || changed && w.unique {
			w.fail("a change is confirmed, not published")
		}
	}
}

// chain returns the result of the batch, and whether it has a change.
func (w *world) chain() (end int8, changed bool) {
	end = w.base
	for i := range w.n {
		if m := &w.member[i]; m.has {
			end, changed = m.made, changed || m.changed
		}
	}
	return end, changed
}

// mustChain: each function of a batch saw the result of the one before, the first one what was
// read, and the result of the last one is staged.
func (w *world) mustChain() {
	end := w.base
	for i := range w.n {
		m := &w.member[i]
		if !m.has || m.gone && m.refused { // answered at once
			continue
		}
		if m.saw != end || m.gone {
			w.fail("a function saw what is not published before it")
		}
		end = m.made
	}
	if !w.read {
		w.fail("a batch that has read nothing")
	}
	if w.staged.owner != nobody && w.staged.value != end {
		w.fail("not what the last function made is staged")
	}
}

// isQuiet reports whether the batch changes nothing, and all its callers were in line at an
// instant at which the document had the version that was read.
func (w *world) isQuiet() bool {
	for i := range w.n {
		if m := &w.member[i]; m.has && !m.present {
			return false
		}
	}
	end, changed := w.chain()
	return w.read && end == w.base && !(changed && w.unique)
}

// run checks the order to run a function.
func (w *world) run(o Orders[buffer]) {
	i := w.find(o.Run)
	m := &w.member[i]
	k := m.kindOf(w)
	w.mustBeOwned(o.State, "seen by a function")
	end, _ := w.chain()
	others := false // whether others are built
	for j := range w.n {
		other := &w.member[j]
		others = others || other.has && !other.gone
		if other.out && !other.gone && other.state != cut {
			w.fail("two functions run")
		}
		if other.has && !other.gone && w.kinds[other.kind].group != k.group {
			w.fail("two groups in one batch")
		}
	}
	switch {
	case m.gone:
		w.fail("the function of one who is answered runs")
	case m.out:
		w.fail("a function runs twice at once")
	case m.fate != open:
		w.fail("a function runs again, though its change is published or may be")
	case m.tried:
		w.fail("a function runs twice in one try")
	case k.maxRuns > 0 && m.runs > k.maxRuns:
		w.fail("a function runs too often")
	case !w.read || o.State.value != end:
		w.fail("a function sees %d, want %d", o.State.value, end)
	case others && w.long:
		w.fail("a function begins in a batch that has taken long enough")
	case o.Alarm != others:
		w.fail("others wait for a function: %v, and an alarm is asked for: %v", others, o.Alarm)
	case w.out != Idle:
		w.fail("a function runs while the step %d is out", w.out)
	}
	m.out, m.tried, m.saw = true, true, o.State.value
}

// told checks the answer to a caller.
func (w *world) told(i int, a Answer) {
	m := &w.member[i]
	must := func(is bool, what string) {
		if !is {
			w.fail("#%d: %s", i, what)
		}
	}
	first, last := true, true // of the callers that change something
	for j := range w.n {
		if other := &w.member[j]; other.has && other.changed {
			first, last = first && j > i, last && j <= i
		}
	}
	// It saw the document as read, while it was there; or what it saw or made was so at an instant.
	saw := m.has && first && m.present
	is := m.has && (m.fate == certain || saw || m.fate == open && w.quiet)
	lost, version := false, false
	switch k := m.kindOf(w); a.Err {
	case nil:
		version = true
		must(m.fate == certain, "what it is told is not confirmed")
		must(w.reported == Settle, "what it is told is not settled")
		must(!m.refused, "a refusal is told that it went well")
		must(w.outcome == OK, "it is not told that this may be undone")
	case refusal[i]:
		must(is && m.refused, "it refuses what was never so")
	case ended[i]:
		lost = true
		must(m.ended && m.fate == open, "it is told that its context has ended")
	case tired[i]:
		lost = true
		is := w.ev.what == tires && int(w.ev.who) == i
		must(is && m.fate == open, "it is told that it is tired")
	case errConflict:
		lost = true
		over := k.maxRuns > 0 && m.runs >= k.maxRuns || k.giveUp && w.now > 0
		must(a.Lost > 0 && over, "it is told of a conflict, and could go on")
		is := w.outcome == Conflict && m.has
		must(is && m.fate == open, "it is told of no conflict of its own")
	case errFailed, errLarge:
		lost = true
		must(w.outcome == Failed && m.fate == open, "it is told of a failure")
		must(w.wasTooBig == (a.Err == errLarge), "it is told of another failure")
		must(!w.wasTooBig || k.large, "it is told that another's is too large")
		switch w.reported {
		case Lock, Wait, Read:
			must(int(w.head) == i+1, "it is told of the failure of who was the first")
		default:
			must(w.builtWas == 1 && m.has, "it is told of the failure of several")
		}
	case errNotDurable:
		version = true
		must(w.outcome == NotDurable && m.fate == certain, "it is told that it is not durable")
	case errUnknown:
		must(w.outcome == Unknown && m.fate == unknown, "it is told that nobody knows")
		must(!first || m.late || !m.refused, "it is told that nobody knows what it refused")
	default:
		w.fail("it is told another's error: %v", a.Err)
	}
	must((a.Lost > 0) == (lost && m.conflicts > 0), "it is told whether it lost")
	must((a.Version == None) != version, "it is told a version, or none")
	switch a.Version {
	case AsRead:
		must(first, "it is told the version of what was read")
	case Own:
		must(!last && !(first && !m.changed), "it is told the version of its own state")
	case AsFound:
		is := m.changed || !first || w.line.puts == 0
		must(last && is, "it is told the version of the batch")
	}
	must(m.kindOf(w).runs(a.Runs) == m.kindOf(w).runs(m.runs), "it is told how often it ran")
}

func (w *world) must(is bool, what string) {
	if !is {
		w.fail("%s", what)
	}
}

// settled checks what holds between events.
func (w *world) settled() {
	l := &w.line
	if w.out == Pause && l.step != Pause {
		w.out = Idle // nobody waits for its end
	}
	here, runs, alone := 0, 0, false
	for i := range w.n {
		m := &w.member[i]
		if m.gone {
			continue
		}
		if here >= len(l.list) || l.list[here] != &m.Caller {
			w.fail("the list is not of those who are not answered, in the order in which they came")
			return
		}
		if (m.state == built) != (here < l.built) {
			w.fail("not those at the head of the list are built")
		}
		if m.out != (m.state == running || m.state == cut) || m.state == built && !m.has {
			w.fail("a caller is not in the state %d", m.state)
		}
		if m.ended && (m.state == waiting || m.state == built && l.step == Wait) {
			w.fail("one whose context has ended is still there")
		}
		k := m.kindOf(w)
		switch m.state {
		case running:
			runs++
			fallthrough
		case built:
			alone = alone || m.alone || k.maxRuns > 0 && m.runs >= k.maxRuns
			w.mustBeTogether(k)
		default:
			w.reset(m)
		}
		here++
	}
	w.must(here == len(l.list), "the list has some that are answered")
	w.must(runs <= 1 && (runs == 1) == (l.step == Run), "a function runs, and nothing else happens")
	w.must(!alone || l.built+runs == 1, "one that is to be a batch of its own shares one")
	w.must(l.built <= l.Most, "a batch is too large")
	if l.built == 0 && (l.step == Lock || l.step == Wait) {
		w.forgetRead()
	}
	if l.last.owner != nobody {
		w.mustBeOwned(l.last, "kept")
	}
	if w.staged.owner != nobody {
		w.mustBeOwned(w.staged, "kept, staged")
	}
	switch l.step {
	case Idle:
		w.must(w.holder != ours && w.staged.owner == nobody, "the lock is kept")
		w.must(here == 0 || l.list[0].state == cut, "nothing happens, though one waits")
	case Run:
	default:
		w.must(w.out == l.step, "the order that is out is another one")
	}
	w.must(l.Busy() == (here > 0 || l.step != Idle), "it is said to be busy")
}

// mustBeTogether: the callers that are built or run have one group.
func (w *world) mustBeTogether(k *kind) {
	for i := range w.n {
		m := &w.member[i]
		if !m.gone && (m.state == running || m.state == built) && m.kindOf(w).group != k.group {
			w.fail("two groups in one batch")
		}
	}
}

// harmless: a late alarm has no effect, and neither has the limit of the wait of a caller that
// may not leave.
func (w *world) harmless() {
	nothing := func(o Orders[buffer]) {
		w.must(o == (Orders[buffer]{}), "something happens because of nothing")
	}
	if w.line.step != Run && w.line.step != Pause {
		nothing(w.line.Alarm())
	}
	for i := range w.n {
		if m := &w.member[i]; !w.line.mayLeave(&m.Caller) {
			nothing(w.line.Tire(&m.Caller, tired[i]))
		}
	}
}

// mustCount: a conflict counts for each caller of the batch. Before has their counts before it.
func (w *world) mustCount(before [members]int) {
	for i := range w.builtWas {
		m := &w.member[i]
		n := m.conflicts
		if m.gone {
			n = m.Answer.Lost
		}
		w.must(w.outcome != Conflict || n == before[i]+1, "a conflict is not counted")
	}
}
