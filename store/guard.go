// The guard against programs that replace a document without taking its lock.
//
// Between verify and publish such a program can put a version of its own in place,
// which a rename would wipe out unseen. So the guard publishes by exchange: what was
// displaced has the staged file's name then, and can be looked at. If it is the version
// that was read, it is removed, and all is done. If not, it is put back, and the update
// is a conflict.
//
// For the case that the process dies in that moment, the name of the temporary file says
// what it may be, and an intent, a symbolic link beside the document, says that name. The
// next writer finds the intent when it has the lock: it removes the displaced version
// where that is known to be ours to remove, puts it back where our version is still in
// place, and else leaves it alone.
//
//	note      make the intent
//	displace  exchange, or for a deletion rename
//	look      at what was displaced; another version than was read goes back
//	clear     remove what is displaced then, and after it the intent

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

// guardedName is the digits in the name of what a guard has displaced, three numbers of
// 12 digits.
type guardedName struct {
	displaced string // which content the file is expected to have
	published string // which content took its place; noContent for a deletion
	// stamp is the time of the file that took its place, or makes the name of a deletion unique.
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

// contentDigits is never noContent but by an accident of 1 in 2^48.
func contentDigits(data []byte) string { return guardedNumber(xxh3.Hash(data)) }

// stampDigits tells the published file from later ones with the same content: each of
// ours is later by the clock than the one before it.
func stampDigits(info fsys.Info) string {
	return guardedNumber(xxh3.HashString(strconv.FormatInt(info.Mtime, 10)))
}

// note makes the intent. Where something is in its place that is not believed, the file
// system has no symbolic links, or nobody would look for it, the guard goes without.
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

// clear removes what is at the guarded name, and then the intent: so what that names is
// there until nobody needs to know. If either fails the next writer does it.
func (a *attempt) clear(guarded string, noted bool) {
	err := ignoreNotExist(a.d.files.Remove(guarded))
	if noted && err == nil {
		_ = a.d.files.Remove(names.Intent(a.path))
	}
}

// exchange publishes the staged file by exchange, and takes that back if it displaced any
// other version than the one that was read. Its error is then that of verify.
func (a *attempt) exchange(ctx context.Context, s *staged) (err error) {
	files := a.d.files
	name := guardedName{contentDigits(a.current.data), contentDigits(a.data), stampDigits(s.info)}
	if !s.fine {
		// Coarse times do not tell files apart: nothing will be put back.
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
			// It is kept, and the intent says so to the next writer.
		case s.path == guarded:
			a.clear(guarded, noted)
			s.keep = true
		case noted: // nothing has that name
			_ = files.Remove(names.Intent(a.path))
		}
	}()
	if left, err = a.takeGuardedName(s, guarded); err != nil {
		return err
	}
	err = files.Rename(s.path, a.path, fsys.Exchange)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("%w: the file system of %s cannot exchange two names, which "+
			"GuardForeign needs: %w",
			ErrUnsupported, filepath.Dir(a.path), err)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := a.verify(ctx); err != nil { // somebody has just deleted the document
			return err
		}
	}
	if happened, unknownErr := a.happened(err, s); unknownErr != nil {
		return unknownErr
	} else if !happened {
		return fmt.Errorf("publish the new version: %w", err)
	}
	// From here on a context that ends must not leave things half done.
	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), s.path)
	if verifyErr == nil {
		return nil
	}
	if err := a.d.putBack(s.path, a.path, s.info); err != nil {
		s.keep = true
		// Not as a conflict: what may be published must not be tried again.
		return fmt.Errorf("%w: the new version was published, but what it has displaced is "+
			"another one than was read (%v) and "+
			"could not be put back (%w); it is kept as %s", ErrUnknown, verifyErr, err, s.path)
	}
	return verifyErr
}

// takeGuardedName renames the staged file to the name that says what it may be. Left reports
// that nobody knows what has that name now.
func (a *attempt) takeGuardedName(s *staged, guarded string) (left bool, err error) {
	files, staged := a.d.files, s.path
	err = files.Rename(staged, guarded, fsys.Replace)
	now, lstatErr := files.Lstat(guarded)
	switch {
	case lstatErr == nil && now.SameFile(s.info):
		s.path = guarded // also if it is said to have failed
		return false, err
	case lstatErr == nil && err == nil: // it was another writer's by then
		_ = files.Rename(guarded, staged, fsys.NoReplace)
		return false, a.conflict(a.current.version)
	}
	return err == nil || ignoreNotExist(lstatErr) != nil, errors.Join(err, lstatErr)
}

// putBack exchanges the file at displaced with ours at path. If ours is there no
// longer, a program has meanwhile put a newer version in its place, which then goes
// back in turn; what is left at displaced may be removed.
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
func (a *attempt) deleteGuarded(ctx context.Context) (err error) {
	files := a.d.files
	name := guardedName{contentDigits(a.current.data), noContent, guardedNumber(files.Random())}
	guarded := names.Guarded(a.path, name.String())
	noted, err := a.note(name)
	if err != nil {
		return err
	}
	defer func() {
		if !errors.Is(err, ErrUnknown) {
			a.clear(guarded, noted)
		}
	}()
	if err := files.Rename(a.path, guarded, fsys.Replace); err != nil {
		switch _, statErr := files.Lstat(guarded); {
		case errors.Is(statErr, fs.ErrNotExist):
			return err
		case statErr != nil:
			return fmt.Errorf("%w: delete the document: %w", ErrUnknown, errors.Join(err, statErr))
		} // it has happened all the same
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
		// The program has gone on: what we hold is one that it has replaced.
	}
	return verifyErr
}

// finish puts right what a guard has left that died, and removes its intent, for one who
// has the document's lock. An error says why it could not be done, or is not believed.
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

// believesIntent says why the intent beside the document is not to be believed.
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
	case name.displaced, // what was to be displaced
		name.published: // what was never published, or taken back
		return true, d.files.Remove(orphan)
	}
	if splice.Check(found.data, d.opts.limits()) != nil {
		// What a power cut left of a version that was not flushed is not worth a whole one.
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
	return false, nil // others have gone on; whether it is still wanted is not ours to say
}
