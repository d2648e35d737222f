// One attempt to update a file, up to the staged version. cas.go publishes it.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// attempt is one try at an update of a file.
type attempt struct {
	d         *fileDriver
	key       string
	path      string // of the document, known from the first step on
	mode      VersionMode
	locking   locking   // how to take the lock
	held      *heldLock // the document's lock, else nil
	current   *loaded   // the version read; open until Close, so that its inode number stays taken
	staged    *staged   // the new version, until it is published
	data      []byte    // its content
	published bool      // published or deleted, and not settled yet
	confirmed bool      // confirmed, and not settled yet
	unlocked  bool      // there is no lock to take, since there is no directory
	// lockedFirst: the lock was taken before the document was read.
	lockedFirst bool
	// blind: a read without the lock looks for no intent. The lock is taken before what is
	// made of the document is published, and who takes it meets the intent.
	blind bool
	// renamed is the published file until it is settled, if settling flushes it.
	renamed fsys.File
	dirs    []fsys.Dir // to be flushed after the publish
	dev     uint64     // of the document, or of the staged file of a new one
	// restores: what dead writers have left may be what the document is recovered from, and
	// is not swept.
	restores bool
	// displaced is the temporary name of the version that was replaced, to be kept or
	// removed.
	displaced string
	past      past // how the version that it displaces is kept in a history
}

// Attempt implements driver.Attempter.
func (d *fileDriver) Attempt(key string) driver.Attempt { return d.attempt(key, d.mode) }

func (d *fileDriver) attempt(key string, mode VersionMode) *attempt {
	return &attempt{d: d, key: key, mode: mode}
}

// Superseded implements driver.Combiner. No file has the inode number 0.
func (d *fileDriver) Superseded(data []byte) driver.Version {
	if d.mode == VersionMtime {
		return driver.MtimeVersion(d.files.Now(), int64(len(data)), 0, d.files.Random(), true)
	}
	return hashVersion(data)
}

// first runs a step that may be the first one. A symbolic link at the document's name
// leads to the document.
func (a *attempt) first(step func() error) error {
	if a.path != "" {
		if a.d.shared.closed.Load() {
			return ErrClosed
		}
		return step()
	}
	return a.d.following(a.key, func(path string) error {
		a.path = path
		return step()
	})
}

// TryLock implements driver.Attempt.
func (a *attempt) TryLock(ctx context.Context) (bool, error) {
	err := a.lock(ctx, -1)
	if errors.Is(err, ErrLocked) {
		return false, nil
	}
	return err == nil, err
}

// lock takes the document's lock, and waits for it as Options.LockWait says. Every user
// who may change the document may lock it.
func (a *attempt) lock(ctx context.Context, wait time.Duration) error {
	return a.first(func() (err error) {
		a.locking = locking{perm: a.d.opts.Perm, spin: a.d.spin(), wait: wait}
		a.locking.guards = a.d.opts.GuardForeign
		switch {
		case a.current == nil:
			a.lockedFirst = true
			if err := a.makeParents(); err != nil {
				return err
			}
			if a.locking.like, err = a.d.lockLike(a.path); err != nil {
				return err
			}
		case !a.current.version.IsAbsent():
			a.locking.like = &a.current.info
		}
		err = a.acquire(ctx)
		if errors.Is(err, fs.ErrNotExist) && a.current != nil && a.staged == nil {
			a.unlocked = a.current.version.IsAbsent()
		}
		if a.unlocked {
			return nil
		}
		return err
	})
}

// Lock implements driver.Attempt. It touches no field that Forget touches.
func (a *attempt) Lock(ctx context.Context) (err error) {
	a.locking.wait, a.locking.tried = 0, true
	return a.acquire(ctx)
}

// acquire takes the lock, and cleans up after a guard that died.
func (a *attempt) acquire(ctx context.Context) (err error) {
	a.held, err = a.d.acquire(ctx, a.path, a.locking)
	if err == nil && a.held.intent != "" {
		_ = a.d.finish(a.path, a.held.intent) // if that fails the next writer tries it
	}
	return err
}

// follow moves the attempt to the document that links lead to now, and takes its lock.
// Callers that joined after the first step mean that document.
func (a *attempt) follow(ctx context.Context) error {
	for a.held != nil {
		moved, err := a.moved()
		if err != nil || moved == "" {
			return err
		}
		a.release()
		a.path = moved
		if a.locking.like, err = a.d.lockLike(a.path); err != nil {
			return err
		}
		if err := a.acquire(ctx); err != nil {
			return err
		}
	}
	return nil
}

// moved returns the path that links lead to now from the given path, if that is another
// document than this attempt's; else it is empty.
func (a *attempt) moved() (string, error) {
	if a.d.linked == "" {
		return "", nil
	}
	path, err := a.d.locate(a.key)
	if err != nil || path == a.path {
		return "", err
	}
	return path, nil
}

// lockLike describes the document at path, whose access its lock file takes. It is nil
// if the document does not exist.
func (d *fileDriver) lockLike(path string) (*fsys.Info, error) {
	info, err := d.files.Lstat(path)
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return nil, err // the name of its lock file may be short enough
	}
	if err != nil {
		return nil, nil // the read meets any other error
	}
	return &info, checkRegular(info)
}

// spinFor is how long an update polls a lock that other volatile updates hold. Such an
// update takes a few dozen microseconds, as does a wake-up. An update with a flush
// takes so long that polling would only keep a processor from others.
const spinFor = 30 * time.Microsecond

func (d *fileDriver) spin() time.Duration {
	if d.opts.Durability == Volatile {
		return spinFor
	}
	return 0
}

// Read implements driver.Attempt.
func (a *attempt) Read(ctx context.Context) ([]byte, driver.Version, error) {
	a.Forget()
	err := a.first(func() (err error) {
		if err := a.follow(ctx); err != nil {
			return err
		}
		if a.held != nil || a.blind { // with the lock held, no intent exists
			a.current, err = a.d.load(ctx, a.path, a.mode)
		} else {
			a.current, _, err = a.d.see(ctx, a.path, a.mode)
		}
		if err == nil {
			a.dev = a.current.info.Dev
		}
		return err
	})
	if err != nil {
		return nil, driver.Absent, err
	}
	return a.current.data, a.current.version, nil
}

// doubted reports whether the version read is published anew even if the update does
// not change it.
func (a *attempt) doubted() bool {
	return !a.current.version.IsAbsent() && a.d.opts.Durability == Durable &&
		a.d.shared.flushed.doubts(a.path)
}

// Forget implements driver.Attempt.
func (a *attempt) Forget() {
	if a.staged != nil {
		a.staged.discard()
		a.staged, a.data = nil, nil
	}
	if a.current != nil {
		a.current.close()
		a.current = nil
	}
	a.closeDirs()
}

func (a *attempt) release() {
	if a.held != nil {
		a.held.unlock()
		a.held = nil
	}
}

// Close implements driver.Attempt.
func (a *attempt) Close() {
	a.release()
	a.closePublished()
	a.Forget()
}

// conflict returns the error for a document found at another version. It drops the
// document's kept read, even if that seems unchanged.
func (a *attempt) conflict(have driver.Version) error {
	a.d.shared.kept.drop(a.d, a.key)
	return &driver.ConflictError{Key: a.key, Want: a.current.version, Have: have}
}

// Stage implements driver.Attempt.
func (a *attempt) Stage(ctx context.Context, data []byte) (err error) {
	if err := a.makeParents(); err != nil {
		return err
	}
	if !a.restores && a.d.shared.rows.due(a.path) {
		a.sweep()
	}
	a.keeps() // which may take some time, and the lock is not held yet
	s, err := a.d.stage(a.path, data, a.current, a.mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.discard()
			return
		}
		a.staged, a.data, a.dev = s, data, s.info.Dev
	}()
	if a.mode == VersionMtime && !s.fine {
		if isLatest(a.current.info.Mtime) {
			return errLatest(a.path)
		}
		return errCoarse(filepath.Dir(a.path))
	}
	if a.d.opts.Durability == Volatile {
		return nil
	}
	// An update that is sure to conflict skips the flush. What a transaction has staged need
	// not be published yet.
	if a.held == nil && a.current.seen == nil && a.isReplaced() {
		if _, err := a.verify(ctx); err != nil {
			return err
		}
	}
	if err := a.flush(s); err != nil {
		return fmt.Errorf("flush the new version: %w", err)
	}
	if a.d.opts.Durability == Durable && s.order == PortableOrder {
		return a.openDirs(a.current.version.IsAbsent())
	}
	return nil
}
