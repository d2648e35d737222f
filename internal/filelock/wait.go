// The wait for a lock in the kernel, which nothing can interrupt.

package filelock

import (
	"context"
	"sync"
)

// A kernelWait is a goroutine that blocks in the kernel for a lock. A caller whose context
// ends leaves it behind, for the next caller to join that wants the same kind of lock. If no
// caller has joined when it gets the lock, it releases the lock at once and ends. So at most
// one goroutine of each kind is left behind for a lock, however many callers give up.
type kernelWait struct {
	done chan struct{} // closed when the wait ends, with the lock or an error

	mu     sync.Mutex
	joined bool
	over   bool // the goroutine ended
	got    opened
	err    error
}

// waitOf is the place of a wait in Entry.waits.
func waitOf(shared bool) int {
	if shared {
		return 1
	}
	return 0
}

func (t *Table[T]) startWait(entry *Entry[T], f opened, how Request) *kernelWait {
	w := &kernelWait{done: make(chan struct{}), joined: true}
	t.mu.Lock()
	entry.users++ // keeps entry in the table, so that other callers find this wait
	t.mu.Unlock()
	w.start(f, func() error { return t.wait(f.file, entry.Path, &how) },
		func() { t.leave(entry) })
	return w
}

// start begins to wait. It calls ended at the end.
func (w *kernelWait) start(f opened, wait func() error, ended func()) {
	go func() {
		defer ended()
		err := wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
		if err != nil || !w.joined {
			f.file.Close()
		} else {
			w.got = f
		}
		w.err = err
		close(w.done)
	}()
}

// join waits for the lock, or for the end of the context. It returns no file and no error if
// the lock was released before a caller joined; over reports that w has ended.
func (w *kernelWait) join(ctx context.Context) (got opened, over bool, err error) {
	w.mu.Lock()
	w.joined = true
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined = false
	if !w.over {
		return opened{}, false, context.Cause(ctx)
	}
	return w.got, true, w.err
}
