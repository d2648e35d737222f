// The world around a line: a document, its lock, a foreign program, and callers. This file has
// its state and the encoding of that, world_events_test.go and world_engine_test.go the events,
// and world_checks_test.go the rules.

package combine

import "errors"

// buffer is a state as a line handles it.
type buffer struct {
	value int8
	owner int8 // the owner of its memory: nobody, engine, or firstOwner plus the member's number
}

const (
	nobody int8 = iota // there is no owner
	engine
	firstOwner
)

// result is what a function does.
type result uint8

const (
	plus     result = iota // puts one more than it saw
	minus                  // puts one less
	same                   // puts what it saw
	keep                   // keeps it
	refuse                 // returns an error
	panics                 // does not return
	plusOver               // plus, and the batch has run for long enough
)

// kind has the properties of callers of one kind.
type kind struct {
	name      string
	group     int
	lockAfter int
	maxRuns   int
	giveUp    bool // it gives up after a conflict if time has passed
	patient   bool // its context never ends
	tires     bool // it has a LockWait
	large     bool // what it puts cannot be staged
	returns   []result
}

// setup is a world and what may happen in it.
type setup struct {
	name    string
	kinds   []kind
	slots   [][]int // the first caller that arrives is of one of the kinds slots[0], and so on
	endless bool    // at most one caller of each kind at once, again and again; kinds[0] comes once
	writes  int     // number of writes of the foreign program without the lock
	holds   int     // number of times that the foreign program takes the lock
	faults  int     // number of steps that fail
	split   bool    // a step's effect and its report are two events, also where that is no matter
	unique  bool
	anew    bool // what nobody changes is published all the same
	eager   int
	most    int
	graph   bool // its edges are kept, to show that nothing goes on for ever
	size    int
}

// fate is the fate of a caller's change, or of the state that it saw.
type fate uint8

const (
	open    fate = iota // nothing yet
	certain             // it is so: published, or confirmed
	unknown             // it may be so
)

// member is a caller that is not answered, with what the world knows about it.
type member struct {
	Caller[buffer]
	kind    uint8
	out     bool // its function runs
	tried   bool // and has been asked to, since the document was ordered to be read
	has     bool // and has returned, and that counts:
	saw     int8
	made    int8
	changed bool
	refused bool
	present bool // it was there at an instant at which the document was as it was read
	fate    fate
	gone    bool // answered by this event
}

const members = 4

// holder is the holder of the document's lock.
type holder uint8

const (
	free holder = iota
	ours
	theirs
)

// world is one moment. Values in its bytes are relative to that of the document, so that moments
// which differ by a shift of all values are one.
type world struct {
	*setup
	line Line[buffer]
	list [8]*Caller[buffer]

	member  [members]member // in the order in which they came
	n       int
	arrived int // how many ever; endless: whether kinds[0] has
	writes  int // left
	holds   int // left
	faults  int // left
	holder  holder

	doc    int8
	read   bool // this try has read
	base   int8 // what
	moved  bool // and the version is another one since
	long   bool // the functions of this batch have run for as long as a batch may take
	staged buffer
	out    Step    // the engine's order that is out
	done   bool    // its effect has happened, and its report is to come:
	came   Outcome // that
	tooBig bool    // it failed because of a large one
	// the member that gets the error of a read or a lock: its number plus 1; 0 for none
	head int8

	// Of the event that happens now.
	bad       string // what must not be
	ev        event
	reported  Step    // whose report it is
	outcome   Outcome // and what it says
	wasTooBig bool
	now       int64
	builtWas  int
	quiet     bool // the batch changes nothing, and all of it were there when the document was so
}

var (
	errConflict   = errors.New("conflict")
	errFailed     = errors.New("failed")
	errLarge      = errors.New("too large")
	errNotDurable = errors.New("not durable")
	errUnknown    = errors.New("unknown")

	groups  = [...]any{0, 1}
	refusal = named("refusal")
	ended   = named("context ended")
	tired   = named("tired")
)

// named is an error that differs by its owner.
func named(what string) (errs [members]error) {
	for i := range errs {
		errs[i] = errors.New(what)
	}
	return errs
}

func newWorld(s *setup) *world {
	w := &world{setup: s, writes: s.writes, holds: s.holds, faults: s.faults}
	w.line.Rules = Rules[buffer]{
		Same: func(a, b buffer) bool {
			w.mustBeOwned(a, "compared")
			w.mustBeOwned(b, "compared")
			return a.value == b.value && !s.anew
		},
		Together: func(a, b any) bool { return a == b },
		Unique:   func(buffer) bool { return s.unique },
		Most:     s.most,
		Eager:    s.eager,
	}
	w.line.list = w.list[:0]
	return w
}

// flags packs bits.
func flags(bits ...bool) (b byte) {
	for i, bit := range bits {
		if bit {
			b |= 1 << i
		}
	}
	return b
}

func unpack(b byte, bits ...*bool) {
	for i, bit := range bits {
		*bit = b>>i&1 == 1
	}
}

// encode appends the encoding of w, without the members that are gone.
func (w *world) encode(b []byte) []byte {
	number := [members + 1]byte{} // the new number of each member plus 1; 0 if it is gone
	n := byte(0)
	for i := range w.n {
		if !w.member[i].gone {
			n++
			number[i+1] = n
		}
	}
	buffer := func(s buffer) {
		if s.owner == nobody {
			b = append(b, 0)
			return
		}
		owner := byte(s.owner)
		if s.owner >= firstOwner {
			owner = byte(firstOwner) + number[s.owner-firstOwner+1] - 1
		}
		b = append(b, owner, byte(s.value-w.doc))
	}
	l := &w.line
	lead, group := byte(0), byte(0)
	if l.lead != nil {
		lead = number[w.find(l.lead)+1]
	}
	if l.group != nil {
		group = byte(l.group.(int)) + 1
	}
	b = append(b, n|byte(w.arrived)<<4, byte(w.writes)|byte(w.holds)<<4,
		byte(w.faults)|byte(w.holder)<<4|flags(w.read, w.moved)<<6,
		byte(l.step)|flags(w.done)<<4|byte(w.came)<<5,
		flags(w.tooBig, w.long, l.locked, l.under, l.closed, l.alone)|
			byte(l.eager)<<6,
		byte(l.built)|byte(l.puts)<<4, lead|group<<4, number[w.head]|flags(l.publishes)<<4)
	if w.read {
		b = append(b, byte(w.base-w.doc))
	}
	buffer(w.staged)
	buffer(l.read)
	buffer(l.last)
	for i := range w.n {
		m := &w.member[i]
		if m.gone {
			continue
		}
		at := 0
		if m.state == built {
			at = m.at
		}
		runs := m.kindOf(w).runs(m.runs)
		b = append(b, m.kind|byte(m.state)<<5, byte(runs)|byte(min(m.conflicts, 1))<<4,
			byte(at)|byte(m.fate)<<4,
			flags(m.ended, m.late, m.alone, m.refusal != nil, m.out, m.tried, m.has, m.present),
			flags(m.changed, m.refused))
		if m.has || m.state == running {
			b = append(b, byte(m.saw-w.doc), byte(m.made-w.doc))
		}
	}
	return b
}

func (m *member) kindOf(w *world) *kind { return &w.kinds[m.kind] }

// runs returns a number of runs, limited to what makes a difference.
func (k *kind) runs(n int) int { return min(n, max(k.lockAfter, k.maxRuns, 1)) }

// decode sets w to the encoded state.
func (w *world) decode(b []byte) {
	next := func() byte {
		first := b[0]
		b = b[1:]
		return first
	}
	buffer := func() (s buffer) {
		if s.owner = int8(next()); s.owner != nobody {
			s.value = int8(next())
		}
		return s
	}
	l := &w.line
	w.bad, w.reported, w.outcome, w.wasTooBig, w.now = "", Idle, OK, false, 0
	c := next()
	w.n, w.arrived = int(c&15), int(c>>4)
	c = next()
	w.writes, w.holds = int(c&15), int(c>>4)
	c = next()
	w.faults, w.holder = int(c&15), holder(c>>4&3)
	unpack(c>>6, &w.read, &w.moved)
	c = next()
	l.step, w.came = Step(c&15), Outcome(c>>5)
	unpack(c>>4, &w.done)
	c = next()
	unpack(c, &w.tooBig, &w.long, &l.locked, &l.under, &l.closed, &l.alone)
	l.eager = int(c >> 6)
	c = next()
	l.built, l.puts = int(c&15), int(c>>4)
	c = next()
	l.lead, l.group = nil, nil
	if c&15 != 0 {
		l.lead = &w.member[c&15-1].Caller
	}
	if c>>4 != 0 {
		l.group = groups[c>>4-1]
	}
	c = next()
	w.head = int8(c & 15)
	unpack(c>>4, &l.publishes)
	w.doc, w.base = 0, 0
	if w.read {
		w.base = int8(next())
	}
	w.staged, l.read, l.last = buffer(), buffer(), buffer()
	l.list = w.list[:0]
	for i := range w.n {
		m := &w.member[i]
		*m = member{}
		c = next()
		w.become(m, c&31)
		m.state = callerState(c >> 5)
		c = next()
		m.runs, m.conflicts = int(c&15), int(c>>4)
		c = next()
		m.at, m.fate = int(c&15), fate(c>>4)
		var refuses bool
		unpack(next(), &m.ended, &m.late, &m.alone, &refuses, &m.out, &m.tried, &m.has, &m.present)
		unpack(next(), &m.changed, &m.refused)
		if m.ended {
			m.cause = ended[i]
		}
		if refuses {
			m.refusal = refusal[i]
		}
		if m.has || m.state == running {
			m.saw, m.made = int8(next()), int8(next())
		}
		l.list = append(l.list, &m.Caller)
	}
	w.out = Idle
	if l.step != Idle && l.step != Run {
		w.out = l.step
	}
}

// become makes m a caller of a kind.
func (w *world) become(m *member, of uint8) {
	k := &w.kinds[of]
	m.kind = of
	m.Group, m.LockAfter, m.MaxRuns = groups[k.group], k.lockAfter, k.maxRuns
	if k.giveUp {
		m.GiveUpAt = 1
	}
}

// find returns the number of a caller among the members, or -1.
func (w *world) find(c *Caller[buffer]) int {
	for i := range w.n {
		if c == &w.member[i].Caller {
			return i
		}
	}
	return -1
}
