// The lock of a document: that of internal/filelock on a file beside it. lockfile.go has the
// file and what it says of intents.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// lockTable has the locks that this handle holds or waits for, by the document's path.
type lockTable struct {
	table  filelock.Table[docLock]
	remote atomic.Bool // the size of a file may be stale
	// joined is the lock file of other programs, used instead of the store's own.
	joined string
	opened int64 // when the handle was opened
	// bound is the length of a bounded wait in simulations: this many tries, or endless if
	// negative.
	bound int
}

// docLock is what a handle keeps of the lock of one document.
type docLock struct {
	intent    string // the path of the intent that a dead guard may have left
	announced uint64 // the inode of the lock file whose mark this handle has flushed
}

// init sets up a table that has not been used.
func (t *lockTable) init(files fsys.FS, stats *counters, joined string) {
	t.joined, t.opened = joined, files.Now()
	t.table.Files = files
	t.table.Make = func(document string) (string, docLock) {
		return t.pathOf(document), docLock{intent: names.Intent(document)}
	}
	t.table.Busy = func() { stats.lockWaits.Add(1) }
	t.table.Explain = t.explain
	t.table.Inherited = filelock.OfProcess()
}

// locking is how a lock is to be taken.
type locking struct {
	// perm is the mode of a new lock file: every user who may change the document must
	// be able to lock it.
	perm fs.FileMode
	// like has the owner, group and mode that the lock file gets; nil if absent.
	like *fsys.Info
	wait time.Duration // the limit of the wait; 0 means no limit, negative no wait
	spin time.Duration // how long to poll before sleeping
	// tried: a TryLock just now found the lock not free.
	tried bool
	// guards: the caller may make an intent.
	guards bool
}

// acquire takes the lock of a document. It waits until the context ends, or as long as
// how says; then the error is ErrLocked.
func (t *lockTable) acquire(
	ctx context.Context, document string, how locking,
) (*heldLock, error) {
	if how.wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, how.wait, errLockWait(how.wait))
		defer cancel()
	}
	if document == t.joined { // a link leads there by now
		return nil, errLocksItself
	}
	perm := how.perm | 0o400
	if how.like != nil {
		perm = fsys.LockMode(how.like.Mode)
	}
	held := &heldLock{locks: t, mark: markIntents}
	request := filelock.Request{Perm: perm, NoWait: how.wait < 0, Spin: how.spin, Tried: how.tried}
	if err := t.table.Acquire(ctx, document, &request, &held.Held); err != nil {
		return nil, lockingError(err)
	}
	if !t.joins(document) {
		if how.like != nil {
			mendLock(held.File, held.Named, *how.like)
		}
		held.mark, held.ours = lockMark(held.Named.Size), t.trusts(held, how.like)
	}
	held.findIntent(how.guards)
	return held, nil
}

// lockingError is the store's error for one of a lock.
func lockingError(err error) error {
	switch {
	case errors.Is(err, filelock.ErrBusy):
		return errLockBusy
	case errors.Is(err, filelock.ErrClosed):
		return ErrClosed
	case errors.Is(err, filelock.ErrUpgrade), errors.Is(err, filelock.ErrNotPassed):
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return err
}

var errLockBusy = fmt.Errorf("%w by another writer; wait for it, or try again later", ErrLocked)

func errLockWait(wait time.Duration) error {
	return fmt.Errorf("%w by another writer for more than %v; wait longer, or see who holds it",
		ErrLocked, wait)
}

// pathOf returns the file that is locked for the document at a path.
func (t *lockTable) pathOf(document string) string {
	if t.joins(document) {
		return t.joined
	}
	return names.Lock(document)
}

// joins reports whether the lock file of other programs is locked for a document, and
// not the document's own.
func (t *lockTable) joins(document string) bool {
	return t.joined != "" && t.joined != names.Lock(document)
}
