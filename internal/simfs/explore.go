// Exploring: every order in which the operations of a few processes can happen.
//
// A process is a coroutine that stops before each operation on names or locks. A run follows a list of
// choices, which process goes on or dies, and then goes on by itself; at each new state
// the choices that it does not take are put on a list to be tried later. A state that was seen before, by the
// hash of the file system and of all that each process has seen, is not gone on from: since the code is
// deterministic, nothing new can come of it.

package simfs

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Process is a process of a World; it is the file system that its code uses.
type Process struct {
	Name string

	world   *World
	index   int
	state   state
	pending int    // operations done
	next    string // the operation that it is about to do
	wants   *inode // whose lock that operation waits for, else nil
	seen    uint64 // a hash of the results of its operations
	seed    maphash.Seed
	random  uint64
	open    []*file
	yield   func(struct{}) bool
	resume  func() (struct{}, bool)
	stop    func()
	err     error
}

type state int

const (
	running state = iota
	done
	dead
)

var _ fsys.FS = (*Process)(nil)

// Go adds a process. Its code must be deterministic and must not start goroutines.
func (w *World) Go(name string, run func(files fsys.FS) error) *Process {
	p := &Process{Name: name, world: w, index: len(w.processes)}
	p.resume, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		defer func() {
			if r := recover(); r != nil && r != any(errDead) {
				p.err = fmt.Errorf("%s: panic: %v", name, r)
			}
		}()
		err := run(p)
		if p.state == running {
			p.err = err
		}
	})
	w.processes = append(w.processes, p)
	return p
}

// Err is how a process that was not killed ended.
func (p *Process) Err() error { return p.err }

// Done reports whether a process came to its end.
func (p *Process) Done() bool { return p.state == done }

func (p *Process) alive() error {
	if p.state == dead {
		return errDead
	}
	return nil
}

// turn waits until the process may do its next operation; with a lock to wait for, until that is free.
func (p *Process) turn(op, name string, lock *inode) error {
	if p.state == dead {
		return errDead
	}
	p.next, p.wants = op+" "+name, lock
	if p.world.TempAtOnce && strings.HasSuffix(name, ".tmp") {
		return nil
	}
	if !p.yield(struct{}{}) {
		panic(errDead)
	}
	p.pending++
	return nil
}

// saw notes the result of an operation, on which what the process does next can depend.
func (p *Process) saw(err any, results ...any) error {
	p.seen = maphash.String(p.seed, fmt.Sprint(p.seen, p.next, err, results))
	failed, _ := err.(error)
	return failed
}

// advance does the process's next operation and goes on to the one after it.
func (p *Process) advance() {
	if _, more := p.resume(); !more {
		p.state, p.next, p.wants = done, "", nil
	}
}

// kill is SIGKILL: what is open is closed, and nothing more is done.
func (p *Process) kill() {
	for _, f := range slices.Clone(p.open) {
		f.close()
	}
	p.state = dead
	p.stop()
}

// choice is what happens next: a process goes on, or dies.
type choice struct {
	process int
	kill    bool
}

// Explorer tries out all orders.
type Explorer struct {
	Deaths int // how many processes may die
	// Setup makes the world, the same each time, and returns what to check when all have ended.
	Setup func(w *World) (check func() error)

	States, Runs int // what it took
}

// Run returns the first violation that it finds, with the order that leads there.
func (e *Explorer) Run() error {
	seed := maphash.MakeSeed()
	seen := map[uint64]bool{}
	todo := [][]choice{nil}
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

func (e *Explorer) run(prefix []choice, seen map[uint64]bool, seed maphash.Seed) (more [][]choice, err error) {
	e.Runs++
	w := New()
	check := e.Setup(w)
	defer func() {
		for _, p := range w.processes {
			if p.state == running {
				p.kill()
			}
		}
	}()
	for _, p := range w.processes {
		p.seed = seed
		p.advance() // to before its first operation
	}
	path := slices.Clone(prefix)
	var trace []string
	deaths := 0
	violated := func(err error) error {
		return fmt.Errorf("%w\nafter %d operations:\n  %s", err, len(trace), strings.Join(trace, "\n  "))
	}
	for step := 0; ; step++ {
		if w.violation != nil {
			return nil, violated(w.violation)
		}
		if step >= len(prefix) {
			h := w.hash(seed) + uint64(deaths)
			if seen[h] {
				return more, nil
			}
			seen[h] = true
			e.States++
			choices := w.choices(deaths < e.Deaths)
			if len(choices) == 0 {
				if err := w.ended(check); err != nil {
					return nil, violated(err)
				}
				return more, nil
			}
			for _, other := range choices[1:] {
				more = append(more, append(slices.Clone(path), other))
			}
			path = append(path, choices[0])
		}
		c := path[step]
		p := w.processes[c.process]
		if c.kill {
			trace = append(trace, p.Name+" is killed before "+p.next)
			deaths++
			p.kill()
			continue
		}
		trace = append(trace, p.Name+": "+p.next)
		p.advance()
	}
}

func (w *World) choices(mayDie bool) (all []choice) {
	for i, p := range w.processes {
		if p.state == running && (p.wants == nil || p.wants.locked == nil) {
			all = append(all, choice{process: i})
		}
	}
	if mayDie {
		for i, p := range w.processes {
			if p.state == running {
				all = append(all, choice{process: i, kill: true})
			}
		}
	}
	return all
}

// ended checks a world in which nothing more can happen.
func (w *World) ended(check func() error) error {
	for _, p := range w.processes {
		if p.state == running {
			return errors.New("a deadlock: " + p.Name + " waits to " + p.next)
		}
		if p.err != nil {
			return p.err
		}
	}
	return check()
}
