// The threads of a process: coroutines that share its memory and its files, and die with
// it.
//
// One runs at a time, from before one operation to before the next, and what it does in
// between takes no time. So threads notice each other only where they stop: at an
// operation on the file system that is not quiet, and at Block.
//
// States are told apart by what each thread has seen, and in which order they did what
// others of the process can notice: what begins or ends at a Block, locks, random
// numbers, Note and Sync. What a thread learns from the file system alone is its own
// until then.

package simfs

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"iter"
	"runtime/debug"
	"slices"
)

// thread is a thread of a process.
type thread struct {
	process *Process
	name    string
	id      uint64   // in its process
	letters []letter // what traces call it; each further one is for another of several choices
	alarm   bool     // it may begin at any moment, and need not
	apart   bool     // others notice of it only that it has ended
	seen    uint64   // a hash of all that what it does can depend on
	next    string   // the operation that it is about to do
	wants   *inode   // whose lock that operation waits for, else nil
	// takes is the name that it takes from a document, which has to be closed; else empty.
	takes  string
	ready  []func() bool // one of which it waits for, if there are any
	chosen int           // which of them it was
	memory bool          // the operation is on what threads share
	atOnce bool          // the next operation happens together with the last one
	rank   float64       // in a sample
	yield  func(struct{}) bool
	resume func() (struct{}, bool)
	stop   func()
}

// thread makes a thread. It runs when it is chosen.
func (p *Process) thread(name string, alarm bool, run func()) *thread {
	w := p.world
	t := &thread{process: p, name: name, id: p.made, alarm: alarm, next: "begin", memory: true}
	p.made++
	w.name(t)
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			// Of one that is killed it does not matter what it makes of that.
			if r := recover(); r != nil && p.state != dead {
				p.fails(fmt.Errorf("%s: panic: %v\n%s", name, r, debug.Stack()))
			}
		}()
		run()
	})
	w.threads = append(w.threads, t)
	return t
}

// Spawn starts another thread, which does its first step when it is chosen. Only a
// thread of this process may call it.
func (p *Process) Spawn(name string, run func()) {
	if p.state == running {
		p.thread(p.Name+"/"+name, false, run)
	}
}

// SpawnApart is as Spawn, for what does nothing that others notice but as what they are
// blocked by, and only once.
func (p *Process) SpawnApart(name string, run func()) {
	if p.state == running {
		p.thread(p.Name+"/"+name, false, run).apart = true
	}
}

// Alarm is as Spawn, for what may begin at any moment, and may as well not begin as long
// as another thread can go on or all others have ended. Stop makes sure that it does not
// begin any more.
func (p *Process) Alarm(name string, run func()) (stop func()) {
	if p.state != running {
		return func() {}
	}
	t := p.thread(p.Name+"/"+name, true, run)
	return func() {
		if t.alarm && p.state == running {
			t.alarm = false // its letters are another's soon
			t.end()
		}
	}
}

// Block stops the thread until it is chosen, which it can be when one of ready is true,
// and returns which. If several are, that is chosen too. If none are given it may go on
// at once, when others have. The functions may look at nothing but what threads of this
// process change.
func (p *Process) Block(what string, ready ...func() bool) int {
	if p.state != running {
		panic(errDead)
	}
	t := p.current
	t.next, t.wants, t.ready, t.atOnce = what, nil, ready, false
	for len(t.letters) < len(ready) {
		p.world.name(t)
	}
	p.sync()
	t.memory = true
	t.stand()
	t.ready = nil
	return t.chosen
}

// Sync has to be called in a step that is none of Block, a lock, Random or Note and in
// which a thread reads or writes what others do.
func (p *Process) Sync() { p.sync() }

// stand stops a thread until it is chosen.
func (t *thread) stand() {
	if !t.yield(struct{}{}) {
		panic(errDead)
	}
}

// advance does the thread's next operation and goes on to the one after it.
func (t *thread) advance(choice int) {
	p := t.process
	t.chosen, t.alarm = choice, false
	p.current = t
	if t.memory {
		t.memory = false
		t.sees([]byte(t.next), uint64(choice))
		p.sync()
	}
	_, more := t.resume()
	p.current = nil
	if !more {
		t.end()
	}
}

// sees notes what a thread has come to know.
func (t *thread) sees(what []byte, more ...uint64) {
	var buf [128]byte
	b := append(binary.LittleEndian.AppendUint64(buf[:0], t.seen), what...)
	for _, n := range more {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	t.seen = maphash.Bytes(processSeed, b)
}

// sync notes that what the running thread does depends on what others of its process
// have done before, and theirs on what it has. Each step that reads or writes what
// threads share has to call it once. What is not ordered by it is the same in either
// order, but for what the file system tells.
func (p *Process) sync() {
	if t := p.current; t != nil && p.made > 1 && !t.apart {
		t.sees(nil, p.seen, t.id)
		p.seen = t.seen
	}
}

// end is the end of a thread, and of its process if no other has begun or has to.
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

// choices are the letters of a thread for what it can do now.
func (t *thread) choices() (can []letter) {
	switch {
	case t.wants != nil && *t.wants.locked.by(t.process.Mount) != nil:
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

// name gives a thread a letter that no other has.
func (w *World) name(t *thread) {
	l := letter(0)
	for slices.Contains(w.letters, l) {
		l++
	}
	w.letters, t.letters = append(w.letters, l), append(t.letters, l)
}
