// Threads of a process: coroutines that share its memory and files, and die with it.
//
// One thread runs at a time, from before one operation to before the next, and its code
// in between takes no time. So threads observe each other only where they stop: at a
// file-system operation that is not quiet, and at Block.
//
// States are distinguished by what each thread has seen, and by the order of the steps
// that other threads of the process can observe: those that begin or end at a Block,
// locks, random numbers, Note and Sync. What a thread learns from the file system alone
// stays private until then.

package simfs

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
)

// thread is a thread of a process.
type thread struct {
	process *Process
	name    string
	id      uint64   // in its process
	letters []letter // its names in traces; one for each of several choices
	alarm   bool     // it may begin at any moment, or never
	apart   bool     // others observe only that it has ended
	seen    uint64   // a hash of all that its behaviour can depend on
	op, on  string   // its next operation, and the last element of the name that it is on
	wants   *inode   // the inode whose lock that operation waits for, or nil
	shares  bool     // that lock is a shared one
	// takes is the name that it takes from a document, which must be closed; else
	// empty.
	takes  string
	ready  []func() bool // conditions; it waits for one of them, if there are any
	chosen int           // the condition that was chosen
	memory bool          // the operation is on memory that threads share
	atOnce bool          // the next operation happens together with the last one
	rank   float64       // priority in a sample
	yield  func(struct{}) bool
	resume func() (struct{}, bool)
	stop   func()
}

// next describes the next operation.
func (t *thread) next() string {
	if t.on == "" {
		return t.op
	}
	return t.op + " " + t.on
}

// thread makes a thread. It runs when it is chosen.
func (p *Process) thread(name string, alarm bool, run func()) *thread {
	w := p.world
	t := &thread{process: p, name: name, id: p.made, alarm: alarm, op: "begin", memory: true}
	p.made++
	w.name(t)
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			// The panic of a killed thread is ignored.
			if r := recover(); r != nil && p.state != dead {
				p.fails(fmt.Errorf("%s: panic: %v\n%s", name, r, debug.Stack()))
			}
		}()
		deepen()
		run()
	})
	w.threads = append(w.threads, t)
	return t
}

// deepen grows the stack at once: to double it several times takes a tenth of an exploration.
//
//go:noinline
func deepen() {
	var room [24 << 10]byte
	runtime.KeepAlive(&room)
}

// Spawn starts another thread, which does its first step when it is chosen. Only a
// thread of this process may call it.
func (p *Process) Spawn(name string, run func()) {
	if p.state == running {
		p.thread(p.Name+"/"+name, false, run)
	}
}

// SpawnApart is Spawn for a thread whose only effect on others is to unblock them,
// once.
func (p *Process) SpawnApart(name string, run func()) {
	if p.state == running {
		p.thread(p.Name+"/"+name, false, run).apart = true
	}
}

// Alarm is Spawn for a thread that may begin at any moment, or never, as long as
// another thread can continue or all others have ended. After stop it does not begin.
func (p *Process) Alarm(name string, run func()) (stop func()) {
	if p.state != running {
		return func() {}
	}
	t := p.thread(p.Name+"/"+name, true, run)
	return func() {
		if t.alarm && p.state == running {
			t.alarm = false // its letters will be reused
			t.end()
		}
	}
}

// Block stops the thread until one of ready is true and the explorer chooses it, and
// returns its index. If several are true, all are explored. Without any, the thread can
// continue at any later moment. The functions may depend only on state that threads of
// this process change.
func (p *Process) Block(what string, ready ...func() bool) int {
	if p.state != running {
		panic(errDead)
	}
	t := p.current
	t.op, t.on, t.wants, t.ready, t.atOnce = what, "", nil, ready, false
	for len(t.letters) < len(ready) {
		p.world.name(t)
	}
	p.sync()
	t.memory = true
	t.stand()
	t.ready = nil
	return t.chosen
}

// Sync must be called in a step in which a thread reads or writes shared memory, unless
// it calls Block, a lock, Random or Note.
func (p *Process) Sync() { p.sync() }

// stand stops a thread until it is chosen.
func (t *thread) stand() {
	if !t.yield(struct{}{}) {
		panic(errDead)
	}
}

// advance does the thread's next operation and runs up to the one after it.
func (t *thread) advance(choice int) {
	p := t.process
	t.chosen, t.alarm = choice, false
	p.current = t
	if t.memory {
		t.memory = false
		t.sees([]byte(t.next()), uint64(choice))
		p.sync()
	}
	_, more := t.resume()
	p.current = nil
	if !more {
		t.end()
	}
}

// sees records what a thread has learned.
func (t *thread) sees(what []byte, more ...uint64) {
	var buf [128]byte
	b := append(binary.LittleEndian.AppendUint64(buf[:0], t.seen), what...)
	for _, n := range more {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	t.seen = maphash.Bytes(processSeed, b)
}

// sync records that the running thread depends on the earlier steps of other threads of
// its process, and their later steps on it. Each step that reads or writes shared
// memory must call it once. Steps that it does not order have the same effect in either
// order, apart from the file system.
func (p *Process) sync() {
	if t := p.current; t != nil && p.made > 1 && !t.apart {
		t.sees(nil, p.seen, t.id)
		p.seen = t.seen
	}
}

// end ends a thread, and its process if no other thread but alarms remains.
func (t *thread) end() {
	p, w := t.process, t.process.world
	w.threads = slices.DeleteFunc(w.threads, func(u *thread) bool { return u == t })
	w.letters = slices.DeleteFunc(w.letters, func(l letter) bool {
		return l != p.letter && slices.Contains(t.letters, l)
	})
	t.stop()
	if !t.apart {
		b := binary.LittleEndian.AppendUint64(nil, p.seen)
		p.seen = maphash.Bytes(processSeed, binary.LittleEndian.AppendUint64(b, t.seen))
	}
	goesOn := func(u *thread) bool { return u.process == p && !u.alarm }
	if p.state == running && !slices.ContainsFunc(w.threads, goesOn) {
		p.state = done
		p.endThreads()
	}
}

func (p *Process) endThreads() {
	for _, t := range slices.Clone(p.world.threads) {
		if t.process == p {
			t.end()
		}
	}
}

// choices are the letters of the thread's possible next steps.
func (t *thread) choices() (can []letter) {
	switch {
	case t.wants != nil && !t.wants.locked[t.process.Mount].free(t.shares):
		return nil
	case t.takes != "" && t.process.world.isOpen(t.takes):
		return nil
	case len(t.ready) == 0:
		return t.letters[:1]
	}
	for i, ready := range t.ready {
		if ready() {
			can = append(can, t.letters[i])
		}
	}
	return can
}

// name gives a thread an unused letter.
func (w *World) name(t *thread) {
	l := letter(0)
	for slices.Contains(w.letters, l) {
		l++
	}
	w.letters, t.letters = append(w.letters, l), append(t.letters, l)
}
