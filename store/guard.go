// The guard against programs that replace a document without taking its lock.
//
// Between verify and publish such a program can put a version of its own in place, which a
// rename would wipe out unseen. So the guard publishes by exchange: what was
// displaced has the staged file's name then, and can be looked at. If it is the version that was read,
// it is removed, and all is done. If not, it is put back, and the update is a conflict.
//
// For that moment the name of the temporary file says what it may be, for the case that the process
// dies: the displaced version is only removed where that is known to be ours to remove,
// is put back where our version is still in place, and is else left alone.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/zeebo/xxh3"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// A guarded name has two numbers: which content the displaced file is expected to have, and which file
// took its place, or that the document was deleted.
const (
	guardedDigits = 32
	deletedDigits = "0000" // that the second number of a deletion begins with; the rest is random
)

func contentDigits(data []byte) string { return fmt.Sprintf("%016x", xxh3.Hash(data)) }

// fileDigits tells a published file from all others: no two versions of a document have the same
// inode number and time. They never begin with deletedDigits.
func fileDigits(info fsys.Info) string {
	sum := xxh3.HashString(fmt.Sprint(info.Ino, info.Mtime, info.Size))
	return fmt.Sprintf("%016x", sum|1<<48)
}

func guardedPath(path, digits string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+digits+stagedSuffix)
}

// exchange publishes the staged file by exchange, and takes that back if it displaced any
// other version than the one that was read. Its error is then that of verify.
func (a *attempt) exchange(ctx context.Context, s *staged) error {
	files := a.d.files
	guarded := guardedPath(a.path, contentDigits(a.current.data)+fileDigits(s.info))
	if err := files.Rename(s.path, guarded, fsys.Replace); err != nil {
		return err
	}
	s.path = guarded
	err := files.Rename(s.path, a.path, fsys.Exchange)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("%w: the file system of %s cannot exchange two names, which GuardForeign needs: %w",
			ErrUnsupported, filepath.Dir(a.path), err)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := a.verify(ctx); err != nil { // somebody has just deleted the document
			return err
		}
	}
	if err != nil {
		// An error can be told of an exchange that has happened.
		if now, statErr := files.Lstat(a.path); statErr != nil || !now.SameFile(s.info) {
			return fmt.Errorf("publish the new version: %w", err)
		}
	}
	// From here on a context that ends must not leave things half done.
	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), s.path)
	if verifyErr == nil {
		_ = files.Remove(s.path) // if that fails a sweep does it
		return nil
	}
	if err := a.d.putBack(s.path, a.path, s.info); err != nil {
		s.keep = true
		return fmt.Errorf("the new version is published and has displaced one of another program, which is kept as %s, "+
			"since putting it back went wrong: %w", s.path, err)
	}
	return verifyErr
}

// putBack exchanges the file at displaced with ours at path. If ours is there no longer, a
// program has meanwhile put a newer version in its place, which then goes back in turn; what
// is left at displaced may be removed.
func (d *fileDriver) putBack(displaced, path string, ours fsys.Info) error {
	expected := ours
	for {
		// Open until the next turn is over, so that its inode number stays taken.
		back, err := d.files.Open(displaced, fsys.OpenExisting, 0)
		if err == nil {
			defer back.Close()
		}
		next, err := d.files.Lstat(displaced)
		if err != nil {
			return err
		}
		err = d.files.Rename(displaced, path, fsys.Exchange)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile, which is newer than what was displaced
		}
		if err != nil {
			return err
		}
		found, err := d.files.Lstat(displaced)
		if err != nil {
			return err
		}
		if found.SameFile(expected) {
			return nil
		}
		expected = next
	}
}

// deleteGuarded takes the document out of its name, to look at it before it is removed.
func (a *attempt) deleteGuarded(ctx context.Context) error {
	files := a.d.files
	random := fmt.Sprintf("%016x", files.Random())[len(deletedDigits):]
	guarded := guardedPath(a.path, contentDigits(a.current.data)+deletedDigits+random)
	if err := files.Rename(a.path, guarded, fsys.Replace); err != nil {
		return err
	}
	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), guarded)
	if verifyErr != nil {
		err := files.Rename(guarded, a.path, fsys.NoReplace)
		if err == nil {
			return verifyErr
		}
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("the document is taken away, but was another program's new version, which is kept as %s, "+
				"since putting it back went wrong: %w", guarded, err)
		}
		// The program has gone on: what we hold is one that it has replaced.
	}
	_ = files.Remove(guarded)
	return verifyErr
}

// settleGuarded deals with the guarded file of a dead process, under the lock of the
// document. It reports whether the file was removed or put back.
func (d *fileDriver) settleGuarded(orphan, path, digits string) (bool, error) {
	expected, published := digits[:guardedDigits/2], digits[guardedDigits/2:]
	file, err := d.files.Open(orphan, fsys.OpenExisting, 0)
	if err != nil {
		return false, ignoreNotExist(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if fileDigits(info) == published {
		return true, d.files.Remove(orphan) // never published, or taken back
	}
	data, err := d.readAll(file, info.Size)
	if err == nil && contentDigits(data) == expected {
		return true, d.files.Remove(orphan) // what was to be displaced
	}
	// Somebody else's version.
	now, err := d.files.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && published[:len(deletedDigits)] == deletedDigits:
		err := d.files.Rename(orphan, path, fsys.NoReplace)
		return err == nil, err
	case err == nil && fileDigits(now) == published:
		if err := d.putBack(orphan, path, now); err != nil {
			return false, err
		}
		return true, d.files.Remove(orphan)
	}
	return false, ignoreNotExist(err) // others have gone on; whether it is still wanted is not ours to say
}
