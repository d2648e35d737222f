// The locks of several documents.
//
// They are taken in one order, that of the documents' absolute paths, so that those who take
// several do not wait for each other in a circle. Other processes may see the same documents
// under other paths, and a program may hold a lock while it asks for another: so whoever
// waits for a lock while it has others does so for a bounded time. Then it gives all back,
// waits for that one alone, and starts over.

package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// boundedWait is how long one waits for a lock while one has others.
const boundedWait = time.Second

// wantedLock is a lock that is to be taken together with others.
type wantedLock struct {
	d     *fileDriver
	table *lockTable
	path  string // of the document
	order string // its absolute path
	how   locking
	doc   *Doc // for whom it is; nil for a recovery, which expects intents
	held  *heldLock
}

// sidecars are the locks beside the documents, which transactions take.
func (d *fileDriver) sidecars() *lockTable {
	if d.shared.locks.joined == "" {
		return &d.shared.locks
	}
	return &d.shared.besides
}

// lockAll takes all of the locks. Wait is for how long, as in locking. After an error it has
// none.
func lockAll(ctx context.Context, wanted []*wantedLock, wait time.Duration) error {
	slices.SortFunc(wanted, func(a, b *wantedLock) int { return cmp.Compare(a.order, b.order) })
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, errLockWait(wait))
		defer cancel()
	}
	for {
		stopped, err := lockInOrder(ctx, wanted, wait < 0)
		if stopped == nil {
			return err
		}
		unlockAll(wanted)
		switch {
		case err == nil: // there is an intent
			if err := stopped.d.recover(ctx, stopped.path, stopped.how.wait); err != nil {
				return stopped.error(err)
			}
		case errors.Is(err, errBounded):
			if err := stopped.lock(ctx); err != nil {
				return stopped.error(err)
			}
			unlockAll(wanted)
		default:
			return stopped.error(err)
		}
	}
}

// errBounded: a bounded wait is over.
var errBounded = errors.New("the wait for a lock is over")

// lockInOrder takes the locks until one of them cannot be had, or has an intent beside its
// document, which it returns then.
func lockInOrder(ctx context.Context, wanted []*wantedLock, atOnce bool) (*wantedLock, error) {
	for i, w := range wanted {
		var err error
		switch {
		case atOnce:
			w.how.wait = -1
			err = w.lock(ctx)
		case i == 0:
			err = w.lock(ctx)
		default:
			if w.sharesLock(wanted[:i]) {
				return w, errOneLock
			}
			err = w.lockBounded(ctx)
		}
		if err != nil {
			return w, err
		}
		if there, err := w.meetsIntent(); there || err != nil {
			return w, err
		}
	}
	return nil, nil
}

// errOneLock: two documents are one.
var errOneLock = errors.New("two of the documents are one file under two names; use one of the " +
	"names")

// sharesLock reports whether the lock is one of those that are held, under another name.
func (w *wantedLock) sharesLock(held []*wantedLock) bool {
	info, err := w.table.files.Lstat(w.table.pathOf(w.path))
	return err == nil && info.Mode.IsRegular() && slices.ContainsFunc(held,
		func(h *wantedLock) bool {
			return info.SameFile(h.held.lock.info)
		})
}

// meetsIntent reports whether a transaction that died has left an intent beside the document,
// which is locked.
func (w *wantedLock) meetsIntent() (bool, error) {
	if w.doc == nil || !w.held.blocked {
		return false, nil
	}
	found, err := w.d.intentAt(w.path)
	return found.there, err
}

func (w *wantedLock) lock(ctx context.Context) error {
	done := func() {}
	if w.doc != nil {
		var err error
		if done, err = w.doc.nest(); err != nil {
			return err
		}
	}
	defer done()
	var err error
	w.held, err = w.table.acquire(ctx, w.path, w.how)
	if w.doc != nil && err == nil && w.held.intent != "" {
		_ = w.d.finish(w.path, w.held.intent) // a guard's
	}
	return err
}

func (w *wantedLock) error(err error) error {
	if w.doc == nil {
		return err
	}
	return w.doc.error("lock", err)
}

// lockBounded takes the lock if that does not take long, else it is errBounded.
func (w *wantedLock) lockBounded(ctx context.Context) error {
	bound := w.table.bound
	if bound < 0 {
		return w.lock(ctx)
	}
	for range bound {
		how := w.how
		w.how.wait = -1
		err := w.lock(ctx)
		w.how = how
		if !errors.Is(err, ErrLocked) {
			return err
		}
	}
	if bound > 0 {
		return errBounded
	}
	ctx, cancel := context.WithTimeoutCause(ctx, boundedWait, errBounded)
	defer cancel()
	return w.lock(ctx)
}

// unlockAll gives back those that are held.
func unlockAll(wanted []*wantedLock) {
	for _, w := range wanted {
		if w.held != nil {
			w.held.unlock()
			w.held = nil
		}
	}
}

// lockedInfo describes the document whose lock is to be taken, for its lock file's access; nil
// if that is not to be had.
func (d *fileDriver) lockedInfo(path string) *fsys.Info {
	if info, err := d.lockLike(path); err == nil {
		return info
	}
	return nil
}
