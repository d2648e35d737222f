// One try at an update of a file, up to what it stages. cas.go has how that is published.

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
	path      string // where the document is, which is known from the first step on
	mode      VersionMode
	locking   locking   // how to take the lock
	held      *heldLock // the document's lock, else nil
	current   *loaded   // what was read; open until Close, so that its inode number stays taken
	staged    *staged   // the new version, until it is published
	data      []byte    // its content
	published bool      // there is something to settle
	confirmed bool      // what is there is to be settled
	unlocked  bool      // there is nothing to be locked, since the directory is not there
	// lockedFirst: the lock was taken before the document was read.
	lockedFirst bool
	// renamed is the published file, until it is settled, if that takes its flush.
	renamed fsys.File
	dirs    []fsys.Dir // to be flushed once it is published
	dev     uint64     // of the document, or of what is staged where there was none
	// displaced is the temporary name of the version that was exchanged for it, to be removed.
	displaced string
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

// first does a step that may be the first one: a symbolic link at the document's name
// leads to where the document is.
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

// lock takes the document's lock, for which it waits as Options.LockWait says. Whoever
// may change the document may lock it.
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

// Lock implements driver.Attempt. It touches nothing that Forget does.
func (a *attempt) Lock(ctx context.Context) (err error) {
	a.locking.wait, a.locking.tried = 0, true
	return a.acquire(ctx)
}

// acquire takes the lock, and puts right what a guard has left that died with it.
func (a *attempt) acquire(ctx context.Context) (err error) {
	a.held, err = a.d.shared.locks.acquire(ctx, a.path, a.locking)
	if err == nil && a.held.intent != "" {
		_ = a.d.finish(a.path, a.held.intent) // if that fails the next writer tries it
	}
	return err
}

// follow goes where links lead now, with the lock of what is there: callers that have come
// since the first step mean that.
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

// moved returns where links lead now from the path that was given, if that is another document
// than the one of this attempt; else it is empty.
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

// lockLike describes the document at path, whose access its lock file is to have; nil if
// it is not there.
func (d *fileDriver) lockLike(path string) (*fsys.Info, error) {
	info, err := d.files.Lstat(path)
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return nil, err // the name of its lock file may be short enough
	}
	if err != nil {
		return nil, nil // what else is wrong with it is found when it is read
	}
	return &info, checkRegular(info)
}

// spinFor is how long one asks again and again for a lock that others hold for volatile
// updates, which take a few dozen microseconds, as does being woken. With a flush in
// it, an update takes so long that this would only keep a processor from others.
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
		if a.current, err = a.d.load(ctx, a.path, a.mode); err == nil {
			a.dev = a.current.info.Dev
		}
		return err
	})
	if err != nil {
		return nil, driver.Absent, err
	}
	return a.current.data, a.current.version, nil
}

// doubted reports whether what was read is to be published anew even if nobody changes
// it.
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

// conflict is the error for a document that was found at another version. What is kept of
// it is dropped, even if it seems to be as it was.
func (a *attempt) conflict(have driver.Version) error {
	a.d.shared.kept.drop(a.d, a.key)
	return &driver.ConflictError{Key: a.key, Want: a.current.version, Have: have}
}

// Stage implements driver.Attempt.
func (a *attempt) Stage(ctx context.Context, data []byte) (err error) {
	if err := a.makeParents(); err != nil {
		return err
	}
	if a.d.shared.rows.due(a.path) {
		a.d.sweep(a.path)
	}
	s, err := a.d.stage(a.path, data, a.current)
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
	// A sure loser need not pay for a flush.
	if a.held == nil && a.isReplaced() {
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

// makeParents makes the directories that a key of more than one part needs.
func (a *attempt) makeParents() error {
	if a.d.single != "" {
		return nil
	}
	return a.d.mkdir(filepath.Dir(a.path))
}

func (d *fileDriver) mkdir(dir string) error {
	if _, err := d.files.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := d.mkdir(parent); err != nil {
		return err
	}
	// Whoever may read a document may search the directory.
	err := d.files.Mkdir(dir, d.opts.Perm|d.opts.Perm&0o444>>2)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
