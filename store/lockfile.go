// The file that is locked for a document.
//
// Its size is a mark. The lock holder reads it from the same Lstat that shows that the
// file still has its name:
//
//	0 (unknown)    the file is new, or a program has emptied it. An intent may exist
//	1 (no intent)  no intent has been made since a lock holder found none
//	2 (intents)    guards or transactions work on the document: an intent may exist
//
// So an update of a document that neither has worked on looks for no intent. They set
// their mark once, before their first intent, and flush it; no writer resets it. The
// content has no meaning. The store never writes to a file of another origin with this
// name.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// lockMark is the size of a lock file.
type lockMark int64

const (
	markUnknown lockMark = iota
	markNoIntent
	markIntents
)

// heldLock is a lock that a caller holds.
type heldLock struct {
	filelock.Held[docLock]
	locks *lockTable
	mark  lockMark
	ours  bool // the mark is trusted, and may be set

	intent  string // the content of the intent of a dead guard, or empty
	blocked bool   // the intent of a dead transaction may exist
}

// unlock releases the lock.
func (h *heldLock) unlock() { h.Release() }

// findIntent looks for an intent that a guard or a transaction has left, unless the mark
// says that none exists. A remote mark may be stale. A caller that may announce intents
// leaves an unknown mark as it is.
func (h *heldLock) findIntent(guards bool) {
	if h.mark == markNoIntent && h.ours && !h.locks.remote.Load() {
		return
	}
	found, err := h.locks.table.Files.Readlink(h.Entry.Of.intent)
	if err == nil && isDigits(found, names.GuardedDigits) {
		h.intent = found
	} else {
		h.blocked = !errors.Is(err, fs.ErrNotExist)
	}
	settles := h.mark == markUnknown && h.ours && !guards && !h.locks.remote.Load()
	if settles && errors.Is(err, fs.ErrNotExist) {
		_ = h.setMark(markNoIntent) // if that fails, the next holder looks too
	}
}

// announceIntents makes all later lock holders look for intents. It reports false if
// they would not, since the mark says no intent and cannot be set. Durable means that
// the mark must survive a power cut: it is then flushed once for each handle, even if
// it was set before, since its writer may have died before the flush.
func (h *heldLock) announceIntents(durable bool) (bool, error) {
	switch {
	case h.mark == markIntents && (!durable || !h.ours || h.Entry.Of.announced == h.Entry.Info.Ino):
		return true, nil
	case !h.ours:
		return h.mark != markNoIntent, nil
	}
	if h.mark != markIntents {
		if err := h.setMark(markIntents); err != nil {
			// Whether it stays unknown or is set all the same, every holder looks.
			return h.mark == markUnknown, nil
		}
	}
	if err := h.File.Sync(); err != nil {
		return false, fmt.Errorf("flush the lock file: %w", err)
	}
	h.Entry.Of.announced = h.Entry.Info.Ino
	return true, nil
}

func (h *heldLock) setMark(mark lockMark) error {
	if err := h.File.Truncate(int64(mark)); err != nil {
		return err
	}
	h.mark = mark
	return nil
}

// isLockFile reports whether a file looks like a lock file of the store. A file with
// another name too does not: a user may have linked this name to a file of root's.
func isLockFile(info fsys.Info) bool {
	return info.Mode.IsRegular() && info.Links == 1 && info.Size <= int64(markIntents)
}

// trusts reports whether the mark of a lock file counts. The file must look like the
// store's own. In a sticky directory it must also belong to a user who may replace the
// document, which like describes, nil if absent.
func (t *lockTable) trusts(held *heldLock, like *fsys.Info) bool {
	info := held.Named
	switch {
	case !isLockFile(info):
		return false
	case like != nil && info.UID == like.UID, isOurs(info.UID):
		return true
	}
	dir, err := t.table.Files.Lstat(filepath.Dir(held.Entry.Path))
	return err == nil && (dir.Mode&fs.ModeSticky == 0 || info.UID == 0 || info.UID == dir.UID)
}

// mendLock gives a lock file the owner, group and mode of its document: its first user
// creates it, with that user's umask, and every user who may change the document must
// be able to lock it. A user who may not mend it uses it as it is.
func mendLock(file fsys.File, locked, like fsys.Info) {
	if !isLockFile(locked) {
		return
	}
	if locked.LocksFor(like) || !isOurs(0) && !isOurs(locked.UID) {
		return
	}
	owned := locked.UID == like.UID && locked.GID == like.GID
	if !owned && file.Chown(like.UID, like.GID) != nil {
		_ = file.Chown(locked.UID, like.GID)
	}
	_ = file.Chmod(fsys.LockMode(like.Mode)) // after the owner: chown clears bits
}

// explain says why a lock file could not be opened.
func (t *lockTable) explain(path string, err error) error {
	switch {
	case errors.Is(err, fsys.ErrSymlink):
		// Not passed on: the caller would take the document for a link.
		return errLockIsLink(path)
	case errors.Is(err, fs.ErrNotExist):
		return errNoDirectory(path, err)
	case errors.Is(err, fs.ErrPermission):
		return t.errLockDenied(path, err)
	}
	return fmt.Errorf("open the lock file: %w", err)
}

// errLockDenied says why a lock file could not be opened, and what to do.
func (t *lockTable) errLockDenied(path string, err error) error {
	info, lstatErr := t.table.Files.Lstat(path)
	switch {
	case lstatErr != nil: // it is absent, and may not be created
		return fmt.Errorf("make the lock file: %w", err)
	case info.Mode&fs.ModeSymlink != 0:
		return errLockIsLink(path)
	case path == t.joined:
		return fmt.Errorf("open the lock file: %w", err)
	}
	return fmt.Errorf("open the lock file, which is of user %d with mode %04o: %w; "+
		"its owner or root gives it the access of the document by any update of that", info.UID,
		info.Mode.Perm(), err)
}

// errLocksItself: the document is the file that is to be locked.
var errLocksItself = fmt.Errorf("%w: LockPath is the document itself, which each update replaces, "+
	"so that it locks nothing; lock another file", ErrKey)

// locatesLock returns options whose LockPath is a name of the driver, as is name, the
// driver's name of the document at path.
func locatesLock(opts *Options, path, name string) (*Options, error) {
	if opts == nil || opts.LockPath == "" {
		return opts, nil
	}
	lock, err := filepath.Abs(opts.LockPath)
	if err != nil {
		return nil, err
	}
	// Links are resolved, as in path: this may be the document, or its own lock file.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(lock)); err == nil {
		lock = filepath.Join(dir, filepath.Base(lock))
	}
	document, own := names.Own(filepath.Base(lock))
	switch {
	case lock == path:
		return nil, errLocksItself
	case lock == names.Lock(path): // which is the default
	case own && !names.IsLock(lock):
		return nil, fmt.Errorf("%w: LockPath %s is a name that the store has for a file of its "+
			"own, beside %s; "+
			"lock another file", ErrKey, lock, document)
	case name != path: // files are opened beneath the document's directory
		if filepath.Dir(lock) != filepath.Dir(path) {
			return nil, fmt.Errorf("%w: LockPath %s is not in the document's directory",
				ErrUnsupported, lock)
		}
		lock = filepath.Base(lock)
	}
	if lock == names.Lock(path) {
		lock = ""
	}
	joins := *opts
	joins.LockPath = lock
	return &joins, nil
}

func errLockIsLink(path string) error {
	return fmt.Errorf("the lock file %s is a symbolic link; remove it", path)
}
