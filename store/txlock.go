// The locks of several documents.
//
// They are taken in one order, by the absolute paths of the documents, so that callers
// do not wait for each other in a circle. But another process may see the documents at
// other paths, and a program may hold one lock while it asks for another. So a caller
// that holds locks waits only for a bounded time. Then it releases all of them, waits
// for the missing one alone, and starts again.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// boundedWait is how long a caller that holds locks waits for another one.
const boundedWait = time.Second

// wantedLock is a lock to be taken together with others.
type wantedLock struct {
	d     *fileDriver
	table *lockTable
	path  string // of the document
	order string // its absolute path
	how   locking
	doc   *Doc // nil for a recovery, which expects intents
	held  *heldLock
}

// sidecars returns the table of the lock files beside the documents.
func (d *fileDriver) sidecars() *lockTable {
	if d.shared.locks.joined == "" {
		return &d.shared.locks
	}
	return &d.shared.besides
}

// lock takes the locks of the documents that have none yet. Where the lock comes before
// one that is held, it does not wait: that would be a conflict.
func (c *commit) lock() error {
	tx := c.tx
	var missing []*txDoc
	last := ""
	for _, e := range slices.Concat(c.written, c.read) {
		if e.a.held == nil {
			missing = append(missing, e)
		}
	}
	for _, e := range tx.docs {
		if e.a.held != nil {
			last = max(last, e.order)
		}
	}
	if last == "" {
		return tx.lock(missing, len(c.written) > 0)
	}
	slices.SortFunc(missing, func(a, b *txDoc) int { return cmp.Compare(a.order, b.order) })
	for _, e := range missing {
		if err := tx.lockMore(e, last); err != nil {
			return err
		}
		last = max(last, e.order)
	}
	return nil
}

// lockKnown takes the locks of the documents that earlier tries have used. Links are
// followed again: they may have changed since.
func (tx *Tx) lockKnown() error {
	var docs []*txDoc
	keys := map[txKey]*txDoc{}
	for _, known := range tx.t.known {
		e, err := known.again()
		if err != nil {
			return known.doc.error("lock", err)
		}
		key := txKey{e.doc.db, e.doc.key}
		same := slices.IndexFunc(docs, func(other *txDoc) bool { return other.where == e.where })
		if same >= 0 { // two links lead to one document by now
			keys[key] = docs[same]
			continue
		}
		docs, keys[key] = append(docs, e), e
	}
	if err := tx.lock(docs, false); err != nil {
		return err
	}
	for _, e := range docs {
		tx.insert(txKey{e.doc.db, e.doc.key}, e)
	}
	for key, e := range keys {
		tx.byKey[key] = e
	}
	return nil
}

// again returns the document for another try, at its current path.
func (e *txDoc) again() (*txDoc, error) {
	d := e.doc.drv.files
	again := &txDoc{doc: e.doc, a: d.attempt(e.doc.key, e.doc.mode())}
	err := d.following(e.doc.key, func(path string) error {
		again.a.path = path
		_, err := d.lockLike(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return again, again.locate()
}

// lock takes the locks of documents, with no other lock held. Makes says whether missing
// directories are made. Otherwise a document in a missing directory gets no lock.
func (tx *Tx) lock(docs []*txDoc, makes bool) error {
	var all []*wantedLock
	for _, e := range docs {
		if makes && e.dir.Ino == 0 { // it was not seen just now
			if err := e.a.makeParents(); err != nil {
				return e.doc.error("lock", err)
			}
		} else if !makes && tx.hasNoLock(e) {
			continue
		}
		e.lock = e.wanted()
		all = append(all, e.lock)
	}
	if err := lockAll(tx.t.ctx, all, tx.t.opts.LockWait); err != nil {
		return err
	}
	for _, e := range docs {
		if e.lock != nil {
			e.a.held, e.lock = e.lock.held, nil
		}
	}
	return nil
}

// hasNoLock reports whether a document that is not written gets no lock: its directory
// does not exist, or it has no lock file, and so no writer yet, and a view creates none.
func (tx *Tx) hasNoLock(e *txDoc) bool {
	name := filepath.Dir(e.path)
	if tx.t.view {
		name = names.Lock(e.path)
	}
	_, err := e.a.d.files.Lstat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// lockMore takes the lock of a document while others are held, the last of which is
// last. If that could take long it is a conflict, and the next try takes all locks in
// their order.
func (tx *Tx) lockMore(e *txDoc, last string) error {
	if e.a.unlocked {
		return nil // its directory does not exist
	}
	w := e.wanted()
	var err error
	if e.order > last {
		err = w.lockBounded(tx.t.ctx)
	} else {
		err = w.lockAtOnce(tx.t.ctx)
	}
	switch {
	case errors.Is(err, errBounded), errors.Is(err, ErrLocked):
		return &txConflict{fmt.Errorf("%w: %w", ErrConflict, e.doc.error("lock", errLockBusy))}
	case err != nil:
		return w.error(err)
	}
	there, err := w.meetsIntent()
	if there {
		err = &txConflict{fmt.Errorf("%w: %s is part of a transaction that died", ErrConflict,
			e.doc.name)}
	}
	if err != nil {
		w.held.unlock()
		return err
	}
	e.a.held = w.held
	return nil
}

// wanted returns the lock of the document, which is to be taken.
func (e *txDoc) wanted() *wantedLock {
	d := e.a.d
	how := locking{perm: d.opts.Perm, spin: d.spin(), guards: true}
	if e.a.current != nil && !e.a.current.version.IsAbsent() {
		how.like = &e.a.current.info
	} else {
		how.like = d.lockedInfo(e.path)
	}
	return &wantedLock{d: d, table: &d.shared.locks, path: e.path, order: e.order, how: how,
		doc: e.doc}
}

// lockAll takes all of the locks, and recovers dead transactions first. Wait limits the
// whole wait, as in locking. After an error it holds none.
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
			if err := stopped.d.recover(ctx, stopped.path, wait); err != nil {
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

// lockInOrder takes the locks. It stops at a lock that it cannot take, and at a document
// with an intent, which it returns with a nil error. With atOnce it does not wait.
func lockInOrder(ctx context.Context, wanted []*wantedLock, atOnce bool) (*wantedLock, error) {
	for i, w := range wanted {
		var err error
		if i == 0 && !atOnce {
			err = w.lock(ctx)
		} else {
			err = w.lockAtOnce(ctx)
		}
		if errors.Is(err, ErrLocked) && w.sharesLock(wanted[:i]) {
			err = errOneLock
		}
		if i > 0 && !atOnce && errors.Is(err, ErrLocked) {
			w.how.tried = w.table.bound <= 0
			err = w.lockBounded(ctx)
			w.how.tried = false
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

// sharesLock reports whether the lock file is that of a lock that is held, at another
// path.
func (w *wantedLock) sharesLock(held []*wantedLock) bool {
	if len(held) == 0 {
		return false
	}
	info, err := w.table.table.Files.Lstat(w.table.pathOf(w.path))
	return err == nil && info.Mode.IsRegular() && slices.ContainsFunc(held,
		func(h *wantedLock) bool {
			return info.SameFile(h.held.Entry.Info)
		})
}

// meetsIntent reports whether a dead transaction has left an intent beside the document,
// which is locked.
func (w *wantedLock) meetsIntent() (bool, error) {
	if w.doc == nil || !w.held.blocked {
		return false, nil
	}
	found, err := w.d.intentAt(w.path)
	return found.there, err
}

func (w *wantedLock) lock(ctx context.Context) error { return w.lockAs(ctx, w.how) }

// lockAtOnce takes the lock if it is free, else it is ErrLocked.
func (w *wantedLock) lockAtOnce(ctx context.Context) error {
	how := w.how
	how.wait = -1
	return w.lockAs(ctx, how)
}

func (w *wantedLock) lockAs(ctx context.Context, how locking) error {
	done := func() {}
	if w.doc != nil {
		var err error
		if done, err = w.doc.nest(); err != nil {
			return err
		}
	}
	defer done()
	var err error
	w.held, err = w.table.acquire(ctx, w.path, how)
	if w.doc != nil && err == nil && w.held.intent != "" {
		_ = w.d.finish(w.path, w.held.intent) // a dead guard's
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
		if err := w.lockAtOnce(ctx); !errors.Is(err, ErrLocked) {
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

// unlockAll releases the locks that are held.
func unlockAll(wanted []*wantedLock) {
	for _, w := range wanted {
		if w.held != nil {
			w.held.unlock()
			w.held = nil
		}
	}
}

// lockedInfo describes the document at path, whose access its lock file takes; nil if it
// cannot be examined.
func (d *fileDriver) lockedInfo(path string) *fsys.Info {
	if info, err := d.lockLike(path); err == nil {
		return info
	}
	return nil
}
