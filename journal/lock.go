// The lock of a journal: that of internal/filelock on a file beside it, as documents have.

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

// spin is how long a wait polls before it sleeps: the lock is held for microseconds.
const spin = 20 * time.Microsecond

// maxLock is the largest size of a lock file of documents or journals.
const maxLock = 2

// acquire takes the lock. It waits until one of the contexts ends, or as long as LockWait
// says. The caller has the turn.
func (j *Journal) acquire(ctx, ending context.Context) error {
	wait := j.opts.LockWait
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case j.simulated:
		ctx = context.WithoutCancel(ctx)
	default:
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(ending, func() { cancel(store.ErrClosed) })()
	}
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, fmt.Errorf(
			"%w by another writer for more than %v; wait longer", store.ErrLocked, wait))
		defer cancel()
	}
	err := j.locks.Acquire(ctx, j.lockPath(), &filelock.Request{
		Perm: j.lockPerm(), NoWait: wait < 0, Spin: spin}, &j.lock)
	switch {
	case err == nil:
		j.live.born = j.lock.Named.Mtime
		return nil
	case errors.Is(err, filelock.ErrBusy):
		err = fmt.Errorf("%w by another writer; wait for it, or try again later", store.ErrLocked)
	case errors.Is(err, filelock.ErrUpgrade), errors.Is(err, filelock.ErrNotPassed):
		err = fmt.Errorf("%w: %w", store.ErrLocked, err)
	}
	return fmt.Errorf("lock the journal: %w", err)
}

// lockPerm is the mode of a new lock file.
func (j *Journal) lockPerm() fs.FileMode {
	perm := j.opts.Perm
	if j.live.file != nil {
		perm = j.live.info.Mode.Perm()
	} else if info, err := j.files.Lstat(j.path); err == nil {
		perm = info.Mode.Perm()
	}
	return fsys.LockMode(perm)
}

// touchLock records that the live file is made now. A user who may not set the time of
// the lock file changes its size, which sets it too. If neither works the age of the live
// file is that of the lock file, which only rotates it too soon.
func (j *Journal) touchLock() {
	now := j.files.Now()
	if info := j.lock.Entry.Info; info.Links != 1 || info.Size > maxLock {
		return // a user may have linked this name to a file of another
	}
	if j.lock.File.SetMtime(now) == nil || j.lock.File.Truncate(0) == nil {
		j.live.born = now
	}
}

// isGone reports whether an error says that a file does not exist.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
