// Exploring: every order in which the operations of a few processes can happen.
//
// A run follows a list of
// choices, which process goes on or dies, and then goes on by itself; at each new state
// the choices that it does not take are put on a list to be tried later. A state that was seen before, by the
// hash of the file system and of all that each process has seen, is not gone on from: since the code is
// deterministic, nothing new can come of it.

package simfs

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// Trace is an order of operations: for each, a letter for the process that does it, a for the
// first one, or a capital letter for a process that dies.
type Trace string

func (w *World) letter(p *Process, dies bool) byte {
	if dies {
		return byte('A' + p.index)
	}
	return byte('a' + p.index)
}

// choice returns the process that a letter stands for.
func (w *World) choice(letter byte) (p *Process, dies bool, err error) {
	index, dies := int(letter)-'a', false
	if letter < 'a' {
		index, dies = int(letter)-'A', true
	}
	if index < 0 || index >= len(w.processes) || w.processes[index].state != running {
		return nil, false, fmt.Errorf("the trace has %q, which is no process that runs", letter)
	}
	return w.processes[index], dies, nil
}

// Setup makes a world, the same each time, and returns what to check when all processes have ended.
type Setup func(w *World) (check func() error)

// Violation is an error with the order of operations that leads to it.
type Violation struct {
	Err   error
	Trace Trace
	Steps []string // the same in words
}

func (v *Violation) Error() string {
	return fmt.Sprintf("%v\ntrace %s: after %d operations:\n  %s", v.Err, v.Trace, len(v.Steps), strings.Join(v.Steps, "\n  "))
}

func (v *Violation) Unwrap() error { return v.Err }

// execution is one run of a world.
type execution struct {
	world *World
	check func() error
	trace []byte
	steps []string
	died  int
}

func start(setup Setup) *execution {
	w := New()
	x := &execution{world: w, check: setup(w)}
	for _, p := range w.processes {
		p.advance() // to before its first operation
	}
	return x
}

// end kills what still runs.
func (x *execution) end() {
	for _, p := range x.world.processes {
		if p.state == running {
			p.kill()
		}
	}
}

// do does what a letter says.
func (x *execution) do(letter byte) error {
	p, dies, err := x.world.choice(letter)
	if err != nil {
		return x.violated(err)
	}
	x.trace = append(x.trace, letter)
	if dies {
		x.steps = append(x.steps, p.Name+" is killed before "+p.next)
		x.died++
		p.kill()
	} else {
		x.steps = append(x.steps, p.Name+": "+p.next)
		p.advance()
	}
	if x.world.violation != nil {
		return x.violated(x.world.violation)
	}
	return nil
}

func (x *execution) violated(err error) error {
	if err == nil {
		return nil
	}
	return &Violation{err, Trace(x.trace), x.steps}
}

// choices returns what can happen next.
func (x *execution) choices(mayDie bool) (letters []byte) {
	for _, p := range x.world.processes {
		if p.state == running && (p.wants == nil || p.wants.locked == nil) {
			letters = append(letters, x.world.letter(p, false))
		}
	}
	if mayDie {
		for _, p := range x.world.processes {
			if p.state == running {
				letters = append(letters, x.world.letter(p, true))
			}
		}
	}
	return letters
}

// ended checks a world in which nothing more can happen.
func (x *execution) ended() error {
	for _, p := range x.world.processes {
		if p.state == running {
			return x.violated(errors.New("a deadlock: " + p.Name + " waits to " + p.next))
		}
		if p.err != nil {
			return x.violated(p.err)
		}
	}
	return x.violated(x.check())
}

// Explorer tries out all orders.
type Explorer struct {
	Deaths int // how many processes may die
	Setup  Setup
	// OnState, if not nil, is called in each state, the first one too.
	OnState func(w *World) error

	States, Runs int // what it took
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

func (e *Explorer) run(prefix Trace, seen map[uint64]struct{}, seed maphash.Seed) (more []Trace, err error) {
	e.Runs++
	x := start(e.Setup)
	defer x.end()
	for i := range prefix {
		if err := x.do(prefix[i]); err != nil {
			return nil, err
		}
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
		// That only processes can die, and none go on, is a deadlock.
		if len(choices) == 0 || choices[0] < 'a' {
			return more, x.ended()
		}
		for _, other := range slices.Backward(choices[1:]) {
			more = append(more, Trace(append(slices.Clone(x.trace), other)))
		}
		if err := x.do(choices[0]); err != nil {
			return nil, err
		}
	}
}

// Replay follows a trace, and then takes the first process that can go on, until nothing can.
func Replay(setup Setup, trace Trace) error {
	x := start(setup)
	defer x.end()
	for i := range trace {
		if err := x.do(trace[i]); err != nil {
			return err
		}
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
