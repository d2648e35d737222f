// The file driver's compare-and-swap: how a new version takes the place of an old one.
//
//	stage    write the new version to a temporary file beside the document, stamp it later
//	         than the old one, flush it
//	lock     lock the file .NAME.lock beside the document
//	verify   the document still has the version that was read, else conflict
//	publish  rename over the document; a new one only if the name is free; to delete,
//	         unlink. This is the linearization point. keep.go keeps what is displaced
//	unlock
//	settle   flush the directory, or the file where that is enough
//
// A reader sees the old inode or the new one, and no writer of the store writes to an
// inode after its publish. A process that dies before publish leaves the old version
// and a temporary file, which a sweep removes; after publish, the new version. Two
// flushes are outside the lock, so that writers overlap in them. If the lock is held
// for the whole update, the first is inside. flush.go has the order of flushes.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// Publish implements driver.Attempt.
func (a *attempt) Publish(ctx context.Context) (version driver.Version, err error) {
	s := a.staged
	defer func() {
		if a.published && a.displaced != "" && a.keep(a.displaced) {
			a.displaced = ""
		}
		if err != nil && !errors.Is(err, ErrUnknown) {
			a.unlinkEntry()
		}
		a.release()
		a.removeDisplaced()
		if a.published {
			a.kept(&s.info)
		}
	}()
	a.staged = nil
	defer func() {
		switch {
		case err != nil:
			s.discard()
		case a.d.opts.Durability == Durable && s.order == JournalOrder:
			_ = s.file.Unlock() // which a sweep may look at; it is closed when it is settled
			a.renamed = s.file
		default:
			s.file.Close()
		}
	}()
	if err := a.verifyFor(ctx, s); err != nil {
		return driver.Absent, err
	}
	if err := a.isReady(s); err != nil {
		return driver.Absent, err
	}
	if a.mode == VersionMtime {
		version = mtimeVersion(s.info, s.file)
	} else {
		version = hashVersion(a.data)
	}
	if err := a.look(""); err != nil {
		return driver.Absent, err
	}
	if err := a.linkEntry(&s.info); err != nil {
		return driver.Absent, err
	}
	if err := a.publish(ctx, s); err != nil {
		return driver.Absent, a.mounted(err)
	}
	a.published = true
	return version, nil
}

// publish makes the staged file the document.
func (a *attempt) publish(ctx context.Context, s *staged) error {
	how := fsys.Replace
	switch {
	case a.current.version.IsAbsent():
		how = fsys.NoReplace
	case a.d.opts.GuardForeign:
		return a.exchange(ctx, s)
	case a.keeps(), a.renameWaits():
		// The version that is replaced keeps a name. And ext4 writes a file out when it is
		// renamed over another, which takes longer than all else; an exchange does not.
		if done, err := a.exchangeUnguarded(s); done || err != nil {
			return err
		}
		// An exchange is impossible here, or a process has just deleted the document.
		a.linkKept()
	}
	err := a.d.files.Rename(s.path, a.path, how)
	if happened, err := a.happened(err, s); happened || err != nil {
		return err
	}
	if how == fsys.NoReplace && errors.Is(err, fs.ErrExist) {
		// A program that does not take the lock has just created the document.
		now, loadErr := a.d.load(ctx, a.path, a.mode)
		if loadErr != nil {
			return loadErr
		}
		defer now.close()
		return a.conflict(now.version)
	}
	return fmt.Errorf("publish the new version: %w", err)
}

// renameWaits reports whether a rename over the document would wait for a device.
func (a *attempt) renameWaits() bool {
	return a.d.opts.Durability == Volatile && a.d.isExt4(a.path, a.current.info.Dev)
}

// exchangeUnguarded publishes by exchange, without a guard. It reports false if that is
// impossible.
//
// The displaced version gets the staged file's name, and is locked as that file was.
// Until it is removed, no sweep takes it for a dead writer's file, and no writer takes
// its name for another file.
func (a *attempt) exchangeUnguarded(s *staged) (bool, error) {
	if a.current.file == nil {
		return false, nil // it had to be closed
	}
	if locked, err := a.current.file.TryLock(); err != nil || !locked {
		return false, nil // another program locks the document itself
	}
	err := a.d.files.Rename(s.path, a.path, fsys.Exchange)
	happened, unknownErr := a.happened(err, s)
	if happened {
		a.displaced = s.path
	}
	if happened || unknownErr != nil {
		return happened, unknownErr
	}
	if named, lstatErr := a.d.files.Lstat(s.path); lstatErr != nil || !named.SameFile(s.info) {
		return false, unknown(s, err) // it may have happened, and been replaced
	}
	return false, nil
}

// removeDisplaced removes the version that was exchanged for the staged file and not
// kept, without the lock. A version that another program put in place at the last
// moment is not locked, and may be gone already: it is swept. A file that cannot be
// removed is left to a later sweep.
func (a *attempt) removeDisplaced() {
	if a.displaced == "" {
		return
	}
	if now, err := a.d.files.Lstat(a.displaced); err == nil && now.SameFile(a.current.info) {
		_ = a.d.files.Remove(a.displaced)
		return
	}
	o := orphanage{d: a.d, remove: true, valid: true}
	_, _ = o.take(a.displaced, a.path, "")
}

// happened reports whether a rename has put the staged file in the document's place. A
// rename that returned an error may have taken effect all the same, over a network for
// example. The staged file is open, so that no other file can have its inode number. The
// error is ErrUnknown if the outcome cannot be determined.
func (a *attempt) happened(err error, s *staged) (bool, error) {
	if err == nil {
		return true, nil
	}
	now, lstatErr := a.d.files.Lstat(a.path)
	if lstatErr != nil && !errors.Is(lstatErr, fs.ErrNotExist) {
		return false, unknown(s, errors.Join(err, lstatErr))
	}
	return lstatErr == nil && now.SameFile(s.info), nil
}

// unknown returns the error for a staged file that may or may not be published. The
// file at its name may be another writer's.
func unknown(s *staged, err error) error {
	s.keep = true
	return fmt.Errorf("%w: publish the new version: %w; read the document to see whether it was",
		ErrUnknown, err)
}

// Delete implements driver.Attempt.
func (a *attempt) Delete(ctx context.Context) error {
	defer a.release()
	if a.current.version.IsAbsent() {
		return a.conflict(driver.Absent)
	}
	a.sweep()
	now, err := a.verify(ctx)
	if err != nil {
		return err
	}
	a.past.file = now
	if a.d.opts.Durability == Durable {
		if err := a.openDirs(false); err != nil {
			return err
		}
	}
	if err := a.look(""); err != nil {
		return err
	}
	remove := a.remove
	if a.d.opts.GuardForeign {
		if err := a.linkEntry(nil); err != nil {
			return err
		}
		remove = a.deleteGuarded
	}
	if err := remove(ctx); err != nil {
		if !errors.Is(err, ErrUnknown) {
			a.unlinkEntry()
		}
		return a.mounted(err)
	}
	a.published = true
	a.release()
	a.kept(nil)
	return nil
}

func (a *attempt) remove(context.Context) error {
	if done, err := a.deleteAndKeep(); done || err != nil {
		return err
	}
	return a.d.removeDocument(a.path)
}

// removeDocument removes the document at path. The caller holds the lock.
func (d *fileDriver) removeDocument(path string) error {
	if d.files.NeedsClosed() {
		// A file that a reader has open would keep its name, and the next writer would
		// find it.
		away := names.Random(path, d.files.Random())
		if d.files.Rename(path, away, fsys.NoReplace) == nil {
			_ = d.files.Remove(away) // or else a sweep removes it
			return nil
		}
	}
	err := d.files.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch _, statErr := d.files.Lstat(path); {
	case errors.Is(statErr, fs.ErrNotExist):
		return nil // it was deleted all the same
	case statErr != nil:
		return fmt.Errorf("%w: delete the document: %w", ErrUnknown, errors.Join(err, statErr))
	}
	return err
}

// Confirm implements driver.Attempt. Under the lock no publish is under way, so no
// guard takes back the version that is confirmed.
func (a *attempt) Confirm(ctx context.Context) error {
	defer a.release()
	now, err := a.verify(ctx)
	if err != nil {
		return err
	}
	if !a.current.version.IsAbsent() && !now.SameFile(a.current.info) {
		// Another writer has put the same content in place: that file is to be flushed.
		s, err := a.d.load(ctx, a.path, a.mode)
		if err != nil {
			return err
		}
		read := a.current
		defer read.close()
		a.current = s
		if s.version != read.version {
			return &driver.ConflictError{Key: a.key, Want: read.version, Have: s.version}
		}
		now = s.info
	}
	a.current.info, a.confirmed = now, true
	return nil
}

// Swap implements driver.Driver.
func (d *fileDriver) Swap(
	ctx context.Context, key string, old driver.Version, data []byte,
) (version driver.Version, err error) {
	err = d.once(ctx, key, old, func(a *attempt) error {
		if err := a.Stage(ctx, data); err != nil {
			return err
		}
		if err := a.lockOnce(ctx); err != nil {
			return err
		}
		version, err = a.Publish(ctx)
		return err
	})
	return version, err
}

// Delete implements driver.Driver.
func (d *fileDriver) Delete(ctx context.Context, key string, old driver.Version) error {
	return d.once(ctx, key, old, func(a *attempt) error {
		if a.current.version.IsAbsent() {
			return a.conflict(driver.Absent)
		}
		if err := a.lockOnce(ctx); err != nil {
			return err
		}
		return a.Delete(ctx)
	})
}

// once runs do on a document that is at version old, and settles it.
func (d *fileDriver) once(
	ctx context.Context, key string, old driver.Version, do func(*attempt) error,
) error {
	mode := d.modeFor(old)
	if err := driver.CheckKind(old, mode.kind()); err != nil {
		return err
	}
	a := d.attempt(key, mode)
	defer a.Close()
	if d.opts.Locking {
		if err := a.lockOnce(ctx); err != nil {
			return err
		}
	}
	_, version, err := a.Read(ctx)
	if err != nil {
		return err
	}
	if version != old {
		d.shared.kept.drop(d, key)
		return &driver.ConflictError{Key: key, Want: old, Have: version}
	}
	if err := do(a); err != nil {
		return err
	}
	return a.Settle()
}

// modeFor returns the kind of versions for an operation that expects a version. With
// VersionAuto, a program that could not test the directory has given out the other
// kind.
func (d *fileDriver) modeFor(expected driver.Version) VersionMode {
	switch {
	case d.opts.Versions != VersionAuto || expected.IsAbsent():
		return d.mode
	case expected.Kind() == driver.KindMtime:
		return VersionMtime
	}
	return VersionHash
}

// lockOnce takes the lock if it is not held, and waits for it as the options say.
func (a *attempt) lockOnce(ctx context.Context) error {
	if a.held != nil {
		return nil
	}
	return a.lock(ctx, a.d.opts.LockWait)
}
