// The guard against programs that replace a document without taking its lock.
//
// Between verify and publish such a program can put its own version in place, which a
// rename would overwrite unseen. So the guard publishes by exchange: the displaced
// version then has the staged file's name, and is checked. If it is the version that
// was read, it is removed, and the update is done. If not, it is put back, and the
// update is a conflict.
//
// If the process dies in that moment, the name of the temporary file says which
// contents it may have, and an intent, a symbolic link beside the document, gives that
// name. The next writer finds the intent when it has the lock. It removes the displaced
// version if that is known to be ours to remove, puts it back if our version is still
// in place, and otherwise leaves it alone.
//
//	note      make the intent
//	displace  exchange, or for a deletion rename
//	look      at the displaced version; one other than was read goes back
//	clear     keep or remove the displaced file, and after it remove the intent

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/zeebo/xxh3"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// guardedName is the digits in the name of a guard's file: three numbers of 12 digits.
type guardedName struct {
	displaced string // the content that the file is expected to have
	published string // the content that took its place; noContent for a deletion
	// stamp is the time of the file that took its place. It is random for a deletion.
	stamp string
}

const (
	guardedPart = names.GuardedDigits / 3
	noContent   = "000000000000"
)

func (n guardedName) String() string { return n.displaced + n.published + n.stamp }

func parseGuarded(digits string) guardedName {
	return guardedName{digits[:guardedPart], digits[guardedPart : 2*guardedPart],
		digits[2*guardedPart:]}
}

func guardedNumber(n uint64) string { return fmt.Sprintf("%0*x", guardedPart, n>>16) }

// contentDigits is noContent only by an accident of 1 in 2^48.
func contentDigits(data []byte) string { return guardedNumber(xxh3.Hash(data)) }

// stampDigits tells the published file from later ones with the same content: each
// version of the store has a later time than the one before it.
func stampDigits(info fsys.Info) string {
	return guardedNumber(xxh3.HashString(strconv.FormatInt(info.Mtime, 10)))
}

// note makes the intent. The guard goes without one if a file that is not believed has
// its name, the file system has no symbolic links, or no writer would look for it.
func (a *attempt) note(name guardedName) (noted bool, err error) {
	noticed, err := a.held.announceIntents(a.d.opts.Durability != Volatile)
	if err != nil || !noticed {
		return false, err
	}
	err = a.d.files.Symlink(name.String(), names.Intent(a.path))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrPermission),
		errors.Is(err, errors.ErrUnsupported):
		return false, nil
	}
	return false, fmt.Errorf("note what is displaced: %w", err)
}

// clear removes the file at the guarded name, and then the intent: the intent outlives
// the file that it names. If either fails the next writer does it.
func (a *attempt) clear(guarded string, noted bool) {
	err := ignoreNotExist(a.d.files.Remove(guarded))
	if noted && err == nil {
		_ = a.d.files.Remove(names.Intent(a.path))
	}
}

// exchange publishes the staged file by exchange, and undoes that if it displaced
// another version than the one that was read. The error is then that of verify.
func (a *attempt) exchange(ctx context.Context, s *staged) (err error) {
	files := a.d.files
	name := guardedName{contentDigits(a.current.data), contentDigits(a.data), stampDigits(s.info)}
	if !s.fine {
		// Coarse times do not tell files apart: no writer puts the file back later.
		name.stamp = guardedNumber(files.Random())
	}
	guarded := names.Guarded(a.path, name.String())
	noted, err := a.note(name)
	if err != nil {
		return err
	}
	left := false
	defer func() {
		switch {
		case left, errors.Is(err, ErrUnknown):
			// The file is kept, and the intent names it for the next writer.
		case s.path == guarded:
			if err == nil {
				a.keep(guarded)
			}
			a.clear(guarded, noted)
			s.keep = true
		case noted: // no file has that name
			_ = files.Remove(names.Intent(a.path))
		}
	}()
	if left, err = a.takeGuardedName(s, guarded); err != nil {
		return err
	}
	err = files.Rename(s.path, a.path, fsys.Exchange)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return errNoExchange(a.path, err)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := a.verify(ctx); err != nil { // a program has just deleted the document
			return err
		}
	}
	if happened, unknownErr := a.happened(err, s); unknownErr != nil {
		return unknownErr
	} else if !happened {
		return fmt.Errorf("publish the new version: %w", err)
	}
	// A context that ends from here on must not leave the exchange half done.
	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), s.path)
	if verifyErr == nil {
		return nil
	}
	if err := a.d.putBack(s.path, a.path, s.info); err != nil {
		s.keep = true
		// This is no conflict: an update that may be published must not be tried again.
		return fmt.Errorf("%w: the new version was published, but what it has displaced is "+
			"another one than was read (%v) and "+
			"could not be put back (%w); it is kept as %s", ErrUnknown, verifyErr, err, s.path)
	}
	return verifyErr
}

func errNoExchange(path string, err error) error {
	return fmt.Errorf("%w: the file system of %s cannot exchange two names, which "+
		"GuardForeign needs: %w", ErrUnsupported, filepath.Dir(path), err)
}

// takeGuardedName renames the staged file to the guarded name. Left reports that the
// file at that name is unknown.
func (a *attempt) takeGuardedName(s *staged, guarded string) (left bool, err error) {
	files, staged := a.d.files, s.path
	err = files.Rename(staged, guarded, fsys.Replace)
	now, lstatErr := files.Lstat(guarded)
	switch {
	case lstatErr == nil && now.SameFile(s.info):
		s.path = guarded // even if the rename returned an error
		return false, err
	case lstatErr == nil && err == nil: // the file was another writer's
		_ = files.Rename(guarded, staged, fsys.NoReplace)
		return false, a.conflict(a.current.version)
	}
	return err == nil || ignoreNotExist(lstatErr) != nil, errors.Join(err, lstatErr)
}

// putBack exchanges the file at displaced with ours at path. If ours is no longer at
// path, a program has put a newer version in place, which then goes back in turn. The
// file left at displaced may be removed.
func (d *fileDriver) putBack(displaced, path string, ours fsys.Info) error {
	expected := ours
	for {
		// The file is open until the next turn is over: its inode number stays taken.
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
			return nil // the deletion is newer than the displaced version
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

// deleteGuarded renames the document, to check it before it is removed.
func (a *attempt) deleteGuarded(ctx context.Context) (err error) {
	name := guardedName{contentDigits(a.current.data), noContent,
		guardedNumber(a.d.files.Random())}
	guarded := names.Guarded(a.path, name.String())
	noted, err := a.note(name)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			a.keep(guarded)
		}
		if !errors.Is(err, ErrUnknown) {
			a.clear(guarded, noted)
		}
	}()
	return a.deleteAs(ctx, guarded)
}

// deleteAs renames the document to the guarded name, and back if it is not the version
// that was read. The caller removes the file at the guarded name, unless the error is
// ErrUnknown.
func (a *attempt) deleteAs(ctx context.Context, guarded string) error {
	files := a.d.files
	if err := files.Rename(a.path, guarded, fsys.Replace); err != nil {
		switch _, statErr := files.Lstat(guarded); {
		case errors.Is(statErr, fs.ErrNotExist):
			return err
		case statErr != nil:
			return fmt.Errorf("%w: delete the document: %w", ErrUnknown, errors.Join(err, statErr))
		} // it was renamed all the same
	}
	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), guarded)
	if verifyErr != nil {
		err := files.Rename(guarded, a.path, fsys.NoReplace)
		if err == nil {
			return verifyErr
		}
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: the document was deleted, but was at another version than "+
				"was read (%v) and "+
				"could not be put back (%w); it is kept as %s", ErrUnknown, verifyErr, err, guarded)
		}
		// The program has gone on: it has replaced the version at the guarded name.
	}
	return verifyErr
}

// finish cleans up after a dead guard, and removes its intent. The caller holds the
// document's lock. An error says why this failed, or why the intent is not believed.
func (d *fileDriver) finish(path, digits string) error {
	if err := d.believesIntent(path, digits); err != nil {
		return ignoreNotExist(err)
	}
	o := orphanage{d: d, remove: true, locked: path}
	if _, err := o.take(names.Guarded(path, digits), path, digits); err != nil {
		return err
	}
	return ignoreNotExist(d.files.Remove(names.Intent(path)))
}

// believesIntent returns why the intent beside the document is not believed.
func (d *fileDriver) believesIntent(path, digits string) error {
	_, found, ok := names.Temporary(filepath.Base(names.Guarded(path, digits)))
	if !ok || found != digits || len(digits) != names.GuardedDigits {
		return errNotBelieved
	}
	link, err := d.files.Lstat(names.Intent(path))
	if err != nil {
		return err
	}
	if ok, err := d.believes(path, link, fs.ModeSymlink); err != nil || !ok {
		return errors.Join(err, errNotBelieved)
	}
	return nil
}

// settleGuarded deals with the guarded file of a dead process, under the lock of the
// document. It reports whether the file was removed or put back.
func (d *fileDriver) settleGuarded(
	ctx context.Context, orphan, path string, name guardedName,
) (bool, error) {
	found, err := d.load(ctx, orphan, VersionHash)
	if err != nil {
		return false, err
	}
	defer found.close()
	switch contentDigits(found.data) {
	case name.displaced, // the version to be displaced
		name.published: // a version never published, or taken back
		if d.isBroken(path, false) {
			return false, nil // it may be the last good one
		}
		return true, d.files.Remove(orphan)
	}
	if splice.Check(found.data, d.opts.limits()) != nil {
		// A version torn by a power cut before its flush must not replace a whole one.
		return false, nil
	}
	// Somebody else's version.
	now, err := d.load(ctx, path, VersionHash)
	if err != nil {
		return false, err
	}
	defer now.close()
	switch {
	case now.version.IsAbsent() && name.published == noContent:
		err := d.files.Rename(orphan, path, fsys.NoReplace)
		return err == nil, err
	case !now.version.IsAbsent() && contentDigits(now.data) == name.published &&
		stampDigits(now.info) == name.stamp:
		if err := d.putBack(orphan, path, now.info); err != nil {
			return false, err
		}
		return true, d.files.Remove(orphan)
	}
	return false, nil // other programs have gone on, and may not want it back
}
