// The lock of a journal: a kernel lock on a file beside it, as documents have
// (store/lock.go). The lock file may be deleted by a program that holds the lock: after
// each locking, the file with the name is compared with the locked file.

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

// spin is how long a wait polls before it sleeps: the lock is held for microseconds.
const spin = 20 * time.Microsecond

// maxLock is the largest size of a lock file of documents or journals.
const maxLock = 2

// lockFile is the lock file of a handle. Only the goroutine that has the turn uses it.
type lockFile struct {
	file fsys.File // open, or nil
	info fsys.Info // which file it is
	wait *lockWait // a wait whose caller left, or nil; it has the file then
}

func (l *lockFile) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// unlock releases the lock, and keeps the file open for the next use.
func (l *lockFile) unlock() {
	if l.file.Unlock() != nil {
		l.close()
	}
}

// acquire takes the lock. It waits until one of the contexts ends, or as long as LockWait
// says. The caller has the turn.
func (j *Journal) acquire(ctx, ending context.Context) error {
	if wait := j.opts.LockWait; wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, fmt.Errorf(
			"%w by another writer for more than %v; wait longer", store.ErrLocked, wait))
		defer cancel()
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		locked, err := j.lockOnce(ctx, ending)
		if err != nil {
			return fmt.Errorf("lock the journal: %w", err)
		}
		if !locked {
			continue // the wait that was joined was just over
		}
		named, err := j.files.Lstat(j.lockPath())
		if err == nil && named.SameFile(j.lock.info) {
			j.live.born = named.Mtime
			return nil
		}
		j.lock.close() // a lock on a removed file excludes no writer
		if ignoreNotExist(err) != nil {
			return err
		}
	}
}

// lockOnce locks the file that has the name now.
func (j *Journal) lockOnce(ctx, ending context.Context) (locked bool, err error) {
	l := &j.lock
	defer func() {
		if err != nil {
			l.close() // it may be locked
		}
	}()
	if l.wait == nil {
		if l.file == nil {
			if err := j.openLock(); err != nil {
				return false, err
			}
		}
		if locked, err := l.file.TryLock(); locked || err != nil {
			return locked, err
		}
		switch {
		case j.opts.LockWait < 0:
			return false, fmt.Errorf("%w by another writer; wait for it, or try again later",
				store.ErrLocked)
		case j.simulated:
			err := l.file.Lock(spin)
			return err == nil, err
		}
		l.wait = startWait(l.file)
		l.file = nil
	}
	file, over, err := l.wait.join(ctx, ending)
	if over {
		l.wait, l.file = nil, file
	}
	return file != nil, err
}

func (j *Journal) openLock() error {
	perm := j.opts.Perm
	if info, err := j.files.Lstat(j.path); err == nil {
		perm = info.Mode.Perm()
	}
	file, err := j.files.Open(j.lockPath(), fsys.OpenLock, fsys.LockMode(perm))
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode.IsRegular() {
		err = errors.New("the lock file is no plain file; remove it")
	}
	if err != nil {
		file.Close()
		return err
	}
	j.lock.file, j.lock.info = file, info
	return nil
}

// touchLock records that the live file is made now. A user who may not set the time of
// the lock file changes its size, which sets it too. If neither works the age of the live
// file is that of the lock file, which only rotates it too soon.
func (j *Journal) touchLock() {
	now := j.files.Now()
	if info := j.lock.info; info.Links != 1 || info.Size > maxLock {
		return // a user may have linked this name to a file of another
	}
	if j.lock.file.SetMtime(now) == nil || j.lock.file.Truncate(0) == nil {
		j.live.born = now
	}
}

// lockWait is a goroutine that blocks in the kernel for the lock. A caller whose context
// ends leaves it behind for the next one. If no caller has joined when it gets the lock, it
// closes the file and ends.
type lockWait struct {
	done chan struct{} // closed when the wait ends

	mu     sync.Mutex
	joined bool
	file   fsys.File // locked, after the wait
	err    error
	over   bool
}

func startWait(file fsys.File) *lockWait {
	w := &lockWait{done: make(chan struct{}), joined: true}
	go func() {
		err := file.Lock(spin)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over, w.err = true, err
		if err != nil || !w.joined {
			file.Close()
		} else {
			w.file = file
		}
		close(w.done)
	}()
	return w
}

// join waits for the lock, or for the end of a context. It returns no file and no error if
// the lock was released before a caller joined; over reports that the wait has ended.
func (w *lockWait) join(ctx, ending context.Context) (file fsys.File, over bool, err error) {
	w.mu.Lock()
	w.joined = true
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-ending.Done():
		err = store.ErrClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined = false
	if !w.over {
		return nil, false, err
	}
	return w.file, true, w.err
}

// isGone reports whether an error says that a file does not exist.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
