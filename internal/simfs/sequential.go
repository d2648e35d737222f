// Runs one process alone, from beginning to end.

package simfs

import (
	"fmt"
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Sequentially runs the code of a process in this world from beginning to end, and
// calls before, if not nil, before each of its operations. Its runnable threads take
// turns, one operation each.
func (w *World) Sequentially(
	name string, run func(files fsys.FS) error, before func() error,
) error {
	p := w.Go(name, run)
	defer func() {
		if p.state == running {
			p.kill()
		}
		w.processes = slices.DeleteFunc(w.processes, func(q *Process) bool { return q == p })
		w.letters = slices.DeleteFunc(w.letters, func(l letter) bool { return l == p.letter })
	}()
	last := w.threads[len(w.threads)-1]
	last.advance(0)
	for p.state == running {
		t, choice := p.after(last)
		if t == nil {
			return fmt.Errorf("%s waits for ever to %s", last.name, last.next())
		}
		if before != nil {
			if err := before(); err != nil {
				return fmt.Errorf("%s, before %s: %w", t.name, t.next(), err)
			}
		}
		last = t
		t.advance(choice)
		if w.violation != nil {
			return w.violation
		}
	}
	return p.err
}

// after returns the thread whose turn comes after last, and its first choice; an alarm
// only if no other thread can continue.
func (p *Process) after(last *thread) (next *thread, choice int) {
	best := -1
	for _, t := range p.world.threads {
		if t.process != p {
			continue
		}
		can := t.choices()
		if len(can) == 0 {
			continue
		}
		order := 2
		switch {
		case t.alarm:
			order = 0
		case t.id <= last.id:
			order = 1
		}
		if order > best {
			best, next, choice = order, t, slices.Index(t.letters, can[0])
		}
	}
	return next, choice
}
