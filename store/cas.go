// The file driver's compare-and-swap: how a new version takes the place of an old one.
//
//	stage    write the new version to a temporary file beside the document, stamp it later
//	         than the old one, flush it
//	lock     lock the file .NAME.lock beside the document
//	verify   the document still has the version that was read, else conflict
//	publish  rename over the document; for a new one only if nothing is there; to delete,
//	         unlink. This is the linearization point
//	unlock
//	settle   flush the directory, or where that is enough the file
//
// A reader sees the old inode or the new one, and nobody of ours writes to an inode after it
// was published. A process that dies before publish leaves the old version and a
// temporary file that the next writer sweeps; after publish, the new version. Two
// flushes are outside the lock, so that writers overlap in them; when the lock is held
// for the whole update, the first is inside. flush.go has what is flushed.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// attempt is one try at an update of a file.
type attempt struct {
	d         *fileDriver
	key, path string
	mode      VersionMode
	current   *state    // what was read; open until Close, so that its inode number stays taken
	unlock    func()    // while the lock is held, else nil
	waited    bool      // somebody else had the lock when it was wanted
	published bool      // there is something to settle
	created   bool      // and that is a new name
	renamed   fsys.File // the file that was published, until it is settled, if that takes its flush
	displaced string    // the temporary name of the version that was exchanged for it, to be removed
}

// Attempt implements driver.Attempter.
func (d *fileDriver) Attempt(ctx context.Context, key string, lock bool) (driver.Attempt, error) {
	return d.attempt(ctx, key, lock, d.mode)
}

func (d *fileDriver) attempt(ctx context.Context, key string, lock bool, mode VersionMode) (result *attempt, err error) {
	err = d.following(key, func(path string) error {
		result = &attempt{d: d, key: key, path: path, mode: mode}
		err := result.begin(ctx, lock)
		if err != nil {
			result.Close()
		}
		return err
	})
	return result, err
}

func (a *attempt) begin(ctx context.Context, lock bool) (err error) {
	if lock {
		if err := a.makeParents(); err != nil {
			return err
		}
		if err := a.lock(ctx); err != nil {
			return err
		}
	}
	a.current, err = a.d.load(ctx, a.path, a.mode)
	return err
}

func (a *attempt) lock(ctx context.Context) (err error) {
	if a.current != nil && a.current.file != nil {
		a.unlock, a.waited, err = a.d.lockWith(ctx, a.path, a.current.info.Mode.Perm(), a.d.opts.LockWait)
		return err
	}
	a.unlock, a.waited, err = a.d.lock(ctx, a.path, a.d.opts.LockWait)
	return err
}

// lock takes the lock of the document at path. The lock file is for the same users as the document.
func (d *fileDriver) lock(ctx context.Context, path string, wait time.Duration) (unlock func(), waited bool, err error) {
	perm := d.opts.Perm
	if info, err := d.files.Lstat(path); err == nil {
		if err := checkRegular(info); err != nil {
			return nil, false, err
		}
		perm = info.Mode.Perm()
	}
	return d.lockWith(ctx, path, perm, wait)
}

// spinFor is how long one asks again and again for a lock that others hold for volatile updates, which take a few dozen microseconds,
// as does being woken. With a flush in it, an update takes so long that this would only keep a processor from others.
const spinFor = 30 * time.Microsecond

// lockWith is lock for one who knows the mode of the document.
func (d *fileDriver) lockWith(ctx context.Context, path string, perm fs.FileMode, wait time.Duration) (unlock func(), waited bool, err error) {
	how := locking{perm: perm, wait: wait}
	if d.opts.Durability == Volatile {
		how.spin = spinFor
	}
	return d.shared.locks.acquire(ctx, path, how)
}

// tryLock is lock that does not wait: ErrLocked if somebody has it.
func (d *fileDriver) tryLock(path string) (unlock func(), err error) {
	unlock, _, err = d.lock(context.Background(), path, -1)
	return unlock, err
}

// Superseded implements driver.Combiner. No file has the inode number 0.
func (d *fileDriver) Superseded(data []byte) driver.Version {
	if d.mode == VersionMtime {
		return driver.MtimeVersion(d.files.Now(), int64(len(data)), 0, d.files.Random(), true)
	}
	return hashVersion(data)
}

func (a *attempt) Data() []byte            { return a.current.data }
func (a *attempt) Version() driver.Version { return a.current.version }

func (a *attempt) release() {
	if a.unlock != nil {
		a.unlock()
		a.unlock = nil
	}
}

func (a *attempt) Close() {
	a.release()
	a.closePublished()
	if a.current != nil {
		a.current.close()
	}
}

// conflict is the error for a document that was found at another version.
func (a *attempt) conflict(have driver.Version) error {
	return &driver.ConflictError{Key: a.key, Want: a.current.version, Have: have}
}

func (a *attempt) Swap(ctx context.Context, data []byte) (version driver.Version, err error) {
	defer func() {
		a.release()
		if a.displaced != "" {
			_ = a.d.files.Remove(a.displaced) // if that fails a sweep does it
		}
	}()
	if err := a.makeParents(); err != nil {
		return driver.Absent, err
	}
	a.d.sweep(a.path, a.unlock != nil)
	s, err := a.d.stage(a.path, data, a.current)
	if err != nil {
		return driver.Absent, err
	}
	defer func() {
		switch {
		case err != nil:
			s.discard()
		case a.d.opts.Durability == Durable && a.d.journalOrder(a.path) && s.file.Unlock() == nil:
			a.renamed = s.file
		default:
			s.file.Close()
		}
	}()
	if a.mode == VersionMtime && !s.fine {
		return driver.Absent, errCoarse(filepath.Dir(a.path))
	}
	if a.d.opts.Durability != Volatile {
		// A sure loser need not pay for a flush.
		if a.unlock == nil && a.isReplaced() {
			if _, err := a.verify(ctx); err != nil {
				return driver.Absent, err
			}
		}
		if err := a.flush(s); err != nil {
			return driver.Absent, fmt.Errorf("flush the new version: %w", err)
		}
	}
	if a.unlock == nil {
		if err := a.lock(ctx); err != nil {
			return driver.Absent, err
		}
	}
	if err := a.verifyFor(ctx, s); err != nil {
		return driver.Absent, err
	}
	if a.mode == VersionMtime {
		version = mtimeVersion(s.info, s.file)
	} else {
		version = hashVersion(data)
	}
	if err := a.publish(ctx, s, data); err != nil {
		return driver.Absent, err
	}
	a.published, a.created = true, a.current.version.IsAbsent()
	return version, nil
}

// publish makes the staged file the document.
func (a *attempt) publish(ctx context.Context, s *staged, data []byte) error {
	how := fsys.Replace
	switch {
	case a.current.version.IsAbsent():
		how = fsys.NoReplace
	case a.d.opts.GuardForeign:
		return a.exchange(ctx, s, data)
	case a.d.exchanges(a.path):
		err := a.d.files.Rename(s.path, a.path, fsys.Exchange)
		if err == nil || a.isPublished(s) {
			a.displaced = s.path
			return nil
		}
		if named, lstatErr := a.d.files.Lstat(s.path); lstatErr != nil || !named.SameFile(s.info) {
			return fmt.Errorf("publish the new version: %w", err) // it may have happened, and been overtaken
		}
		// It cannot be done here, or somebody has just deleted the document.
	}
	err := a.d.files.Rename(s.path, a.path, how)
	if err == nil || a.isPublished(s) {
		return nil
	}
	if how == fsys.NoReplace && errors.Is(err, fs.ErrExist) {
		// A program that does not take our lock has created it just now.
		now, loadErr := a.d.load(ctx, a.path, a.mode)
		if loadErr != nil {
			return loadErr
		}
		defer now.close()
		return a.conflict(now.version)
	}
	return fmt.Errorf("publish the new version: %w", err)
}

// isPublished is for a rename that is told to have failed: it may have happened all the same, over a network for example. The
// staged file is open, so that no other file can have its number.
func (a *attempt) isPublished(s *staged) bool {
	now, err := a.d.files.Lstat(a.path)
	return err == nil && now.SameFile(s.info)
}

func (a *attempt) Delete(ctx context.Context) error {
	defer a.release()
	if a.current.version.IsAbsent() {
		return a.conflict(driver.Absent)
	}
	a.d.sweep(a.path, a.unlock != nil)
	if a.unlock == nil {
		if err := a.lock(ctx); err != nil {
			return err
		}
	}
	if _, err := a.verify(ctx); err != nil {
		return err
	}
	remove := func() error {
		err := a.d.files.Remove(a.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			if _, statErr := a.d.files.Lstat(a.path); errors.Is(statErr, fs.ErrNotExist) {
				return nil // it has happened all the same
			}
		}
		return err
	}
	if a.d.opts.GuardForeign {
		remove = func() error { return a.deleteGuarded(ctx) }
	}
	if err := remove(); err != nil {
		return err
	}
	a.published = true
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

// Swap implements driver.Driver.
func (d *fileDriver) Swap(ctx context.Context, key string, old driver.Version, data []byte) (version driver.Version, err error) {
	err = d.once(ctx, key, old, func(a driver.Attempt) error {
		version, err = a.Swap(ctx, data)
		return err
	})
	return version, err
}

// Delete implements driver.Driver.
func (d *fileDriver) Delete(ctx context.Context, key string, old driver.Version) error {
	return d.once(ctx, key, old, func(a driver.Attempt) error { return a.Delete(ctx) })
}

// once does one thing to a document if it is at version old.
func (d *fileDriver) once(ctx context.Context, key string, old driver.Version, do func(driver.Attempt) error) error {
	mode := d.mode
	if d.opts.Versions == VersionAuto && !old.IsAbsent() {
		// A program that could not try out the directory has given out the other kind.
		mode = VersionHash
		if old.Kind() == driver.KindMtime {
			mode = VersionMtime
		}
	}
	if err := driver.CheckKind(old, mode.kind()); err != nil {
		return err
	}
	a, err := d.attempt(ctx, key, d.opts.Locking, mode)
	if err != nil {
		return err
	}
	defer a.Close()
	if a.Version() != old {
		return &driver.ConflictError{Key: key, Want: old, Have: a.Version()}
	}
	if err := do(a); err != nil {
		return err
	}
	return a.Settle()
}
