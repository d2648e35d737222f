// The wait for a lock in the kernel, which nothing can interrupt.

package store

import (
	"context"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// A kernelWait is a goroutine that blocks in the kernel for a lock. A caller whose
// context ends leaves it behind, for the next caller to join. If no caller has joined
// when it gets the lock, it releases the lock at once and ends. So at most one
// goroutine is left behind for a document, however many callers give up.
type kernelWait struct {
	done chan struct{} // closed when the wait ends, with the lock or an error

	mu     sync.Mutex
	joined bool
	over   bool // the goroutine ended
	file   fsys.File
	err    error
}

func (t *lockTable) startWait(lock *docLock, file fsys.File, spin time.Duration) *kernelWait {
	w := &kernelWait{done: make(chan struct{}), joined: true}
	t.mu.Lock()
	lock.users++ // keeps lock in the table, so that other callers find this wait
	t.mu.Unlock()
	go func() {
		defer t.leave(lock)
		err := file.Lock(spin)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
		if err != nil || !w.joined {
			file.Close()
		} else {
			w.file = file
		}
		w.err = err
		close(w.done)
	}()
	return w
}

// join waits for the lock, or for the end of the context. It returns no file and no
// error if the lock was released before a caller joined; over reports that w has ended.
func (w *kernelWait) join(ctx context.Context) (file fsys.File, over bool, err error) {
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
		return nil, false, context.Cause(ctx)
	}
	return w.file, true, w.err
}
