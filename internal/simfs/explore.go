// Exploration of every order in which the operations of a few processes can happen.
//
// A run replays a list of choices (which process continues or dies), and then continues
// on its own. At each new state, the choices that it does not take are queued for later
// runs. A run ends at a state that was seen before, by the hash of the file system and
// of all that each process has seen: the code is deterministic, so that no new state
// can follow.

package simfs

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
)

// Trace is an order of operations: for each, a letter for its thread (a is that of the
// first process), or a capital letter for a process that dies. From the 27th on, a
// letter is followed by digits.
type Trace string

// letter is an event: the next operation of a thread, or, if negative, the death of a
// process.
type letter int

func (l letter) dies() bool { return l < 0 }

// death is the death of the process whose first thread has this letter.
func (l letter) death() letter { return -1 - l }

func (l letter) String() string {
	first := 'a'
	if l.dies() {
		first, l = 'A', l.death()
	}
	text := string(first + rune(l%26))
	if l >= 26 {
		text += strconv.Itoa(int(l / 26))
	}
	return text
}

// next returns the first letter of a trace and the rest.
func (t Trace) next() (l letter, rest Trace, err error) {
	digits := 1
	for digits < len(t) && t[digits] >= '0' && t[digits] <= '9' {
		digits++
	}
	if digits > 1 {
		number, err := strconv.Atoi(string(t[1:digits]))
		if err != nil {
			return 0, "", err
		}
		l = letter(26 * number)
	}
	switch c := t[0]; {
	case c >= 'a' && c <= 'z':
		l += letter(c - 'a')
	case c >= 'A' && c <= 'Z':
		l = (l + letter(c-'A')).death()
	default:
		return 0, "", fmt.Errorf("the trace has %q, which is not a letter", c)
	}
	return l, t[digits:], nil
}

// choice returns the thread of a letter and the choice that it makes, or the process
// that dies.
func (w *World) choice(l letter) (t *thread, choice int, dies *Process, err error) {
	for _, p := range w.processes {
		if l.dies() && p.letter.death() == l && p.state == running {
			return nil, 0, p, nil
		}
	}
	for _, t := range w.threads {
		if choice := slices.Index(t.letters, l); choice >= 0 {
			return t, choice, nil, nil
		}
	}
	return nil, 0, nil, fmt.Errorf("the trace has %v, which is no running thread or process", l)
}

// Setup fills a world, the same each time, and returns the check for when all processes
// have ended.
type Setup func(w *World) (check func() error)

// Violation is an error with the order of operations that leads to it.
type Violation struct {
	Err   error
	Trace Trace
	Steps []string // the trace in words
}

func (v *Violation) Error() string {
	return fmt.Sprintf("%v\ntrace %s: after %d operations:\n  %s",
		v.Err, v.Trace, len(v.Steps), strings.Join(v.Steps, "\n  "))
}

func (v *Violation) Unwrap() error { return v.Err }

// execution is one run of a world.
type execution struct {
	world *World
	check func() error
	trace []byte // a Trace
	steps []step
	died  int
}

// step is a step that was done. It becomes text only if it is part of a violation.
type step struct {
	who, does string
	on        string // may be empty
	choice    int
}

func (s step) String() string {
	text := s.who + ": " + s.does
	if s.on != "" {
		text += " " + s.on
	}
	if s.choice > 0 {
		text += fmt.Sprintf(", choice %d", s.choice)
	}
	return text
}

func start(setup Setup) *execution {
	w := New()
	x := &execution{world: w, check: setup(w)}
	for _, t := range slices.Clone(w.threads) {
		t.advance(0) // up to its first operation
	}
	return x
}

// end kills the processes that still run.
func (x *execution) end() {
	for _, p := range x.world.processes {
		if p.state == running {
			p.kill()
		}
	}
}

// do performs the event of a letter.
func (x *execution) do(l letter) error {
	t, choice, dies, err := x.world.choice(l)
	if err != nil {
		return x.violated(err)
	}
	x.trace = append(x.trace, l.String()...)
	if dies != nil {
		x.steps = append(x.steps, step{who: dies.Name, does: "is killed before " + dies.next()})
		x.died++
		dies.kill()
	} else {
		x.steps = append(x.steps, step{t.name, t.op, t.on, choice})
		t.advance(choice)
	}
	if x.world.violation != nil {
		return x.violated(x.world.violation)
	}
	// At once: the rest may be known from a run in which nothing failed.
	for _, p := range x.world.processes {
		if p.err != nil {
			return x.violated(p.err)
		}
	}
	return nil
}

// next names the next operations of a process's threads.
func (p *Process) next() string {
	var all []string
	for _, t := range p.world.threads {
		if t.process == p && !t.alarm {
			all = append(all, t.next())
		}
	}
	return strings.Join(all, ", ")
}

// follow replays a trace.
func (x *execution) follow(trace Trace) error {
	for len(trace) > 0 {
		l, rest, err := trace.next()
		if err != nil {
			return x.violated(err)
		}
		if err := x.do(l); err != nil {
			return err
		}
		trace = rest
	}
	return nil
}

func (x *execution) violated(err error) error {
	if err == nil {
		return nil
	}
	v := &Violation{Err: err, Trace: Trace(x.trace)}
	for _, s := range x.steps {
		v.Steps = append(v.Steps, s.String())
	}
	return v
}

// choices returns the possible next events: threads, then alarms, then deaths.
func (x *execution) choices(mayDie bool) (letters []letter) {
	for _, alarm := range []bool{false, true} {
		for _, t := range x.world.threads {
			if t.alarm == alarm {
				letters = append(letters, t.choices()...)
			}
		}
	}
	if mayDie {
		for _, p := range x.world.processes {
			if p.state == running {
				letters = append(letters, p.letter.death())
			}
		}
	}
	return letters
}

// ended checks a world without further events.
func (x *execution) ended() error {
	for _, p := range x.world.processes {
		if p.err != nil {
			return x.violated(p.err)
		}
		if p.state == running {
			return x.violated(errors.New("a deadlock: " + p.Name + " waits to " + p.next()))
		}
	}
	return x.violated(x.check())
}

// Explorer explores all orders.
type Explorer struct {
	Deaths int // processes that may die
	Setup  Setup
	// OnState, if not nil, is called in each state, the first one too.
	OnState func(w *World) error

	States, Runs int // counts
}

// Run returns the first violation that it finds, a *Violation.
func (e *Explorer) Run() error {
	seed := maphash.MakeSeed()
	seen := map[uint64]struct{}{}
	todo := []Trace{""}
	for len(todo) > 0 {
		prefix := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		more, err := e.run(prefix, seen, seed)
		if err != nil {
			return err
		}
		todo = append(todo, more...)
	}
	return nil
}

func (e *Explorer) run(
	prefix Trace, seen map[uint64]struct{}, seed maphash.Seed,
) (more []Trace, err error) {
	e.Runs++
	x := start(e.Setup)
	defer x.end()
	if err := x.follow(prefix); err != nil {
		return nil, err
	}
	for {
		h := x.world.hash(seed) + uint64(x.died)
		if e.OnState != nil {
			h ^= x.world.diskHash(seed)
		}
		if _, known := seen[h]; known {
			return more, nil
		}
		seen[h] = struct{}{}
		e.States++
		if e.OnState != nil {
			if err := e.OnState(x.world); err != nil {
				return nil, x.violated(err)
			}
		}
		choices := x.choices(x.died < e.Deaths)
		// If processes can only die, and no thread can continue, that is a deadlock.
		if len(choices) == 0 || choices[0].dies() {
			return more, x.ended()
		}
		for _, other := range slices.Backward(choices[1:]) {
			more = append(more, Trace(x.trace)+Trace(other.String()))
		}
		if err := x.do(choices[0]); err != nil {
			return nil, err
		}
	}
}

// Replay replays a trace, and then always takes the first thread that can continue,
// until none can.
func Replay(setup Setup, trace Trace) error {
	x := start(setup)
	defer x.end()
	if err := x.follow(trace); err != nil {
		return err
	}
	for {
		choices := x.choices(false)
		if len(choices) == 0 {
			return x.ended()
		}
		if err := x.do(choices[0]); err != nil {
			return err
		}
	}
}
