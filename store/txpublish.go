// The steps of a commit that other processes see (txcommit.go).

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// probe finds what would make publish fail. After commit it would be too late: nobody
// could ever finish the transaction.
func (c *commit) probe() error {
	for _, e := range c.written {
		if e.mounted {
			return e.outcome(errMounted(fs.ErrInvalid))
		}
	}
	return nil
}

// place puts the intents in place. After the last of them it changes the ctime of the
// documents: a reader that has kept a version finds it changed, and looks for intents.
func (c *commit) place() error {
	if err := c.describe(); err != nil {
		return err
	}
	for _, e := range c.written {
		noticed, err := e.a.held.announceIntents(c.durability != Volatile)
		if err == nil && !noticed {
			err = fmt.Errorf("the lock file %s says that there are no transactions, and this "+
				"user may not change it; remove it while no program uses the document",
				e.a.held.Entry.Path)
		}
		if err != nil {
			return e.outcome(err)
		}
	}
	c.placed = true
	for _, e := range c.written[1:] {
		if err := c.placeMember(e); err != nil {
			return e.outcome(fmt.Errorf("put the intent in place: %w", err))
		}
	}
	if err := c.placeHome(); err != nil {
		return c.written[0].outcome(fmt.Errorf("put the intent in place: %w", err))
	}
	for _, e := range c.written {
		if err := e.touch(); err != nil {
			return e.outcome(err)
		}
	}
	return nil
}

// placeMember puts the intent of a member in place: a link, or a file with the same text
// where a link cannot be made, or not so that a power cut leaves it.
func (c *commit) placeMember(e *txDoc) (err error) {
	if c.durability == Volatile || c.order == JournalOrder || e.a.d.keepsLinks(e.a.path, e.a.dev) {
		if err = e.placeLink(); !cannotLink(err) {
			return err
		}
	}
	e.intent, err = c.makeIntent(e, memberText(e.link))
	if err == nil && c.durability != Volatile {
		err = c.flush(e.intent.file)
	}
	if e.intent != nil {
		e.intent.file.Close()
	}
	return err
}

// placeLink makes the link that is a member's intent.
func (e *txDoc) placeLink() error {
	files, name := e.a.d.files, names.Intent(e.a.path)
	err := files.Symlink(e.link, name)
	if err == nil {
		return nil
	}
	target, readErr := files.Readlink(name)
	switch {
	case readErr == nil && target == e.link:
		return nil // it was made all the same
	case errors.Is(err, fs.ErrExist):
		return errInTheWay(name, err)
	}
	return err
}

// cannotLink reports whether an error says that the file system has no links, or none with
// so long a text: XFS has 1,024 bytes, others a block.
func cannotLink(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) ||
		errors.Is(err, syscall.ENAMETOOLONG)
}

func errInTheWay(name string, err error) error {
	return fmt.Errorf("%s is in the way: it is no intent that is believed; remove it: %w", name,
		err)
}

// placeHome makes the intent of the home, which is pending.
func (c *commit) placeHome() (err error) {
	if c.home, err = c.makeIntent(c.written[0], c.text); err == nil {
		c.beginFlush(c.home)
	}
	return err
}

// makeIntent makes a file that is an intent. Who may read the document may read it. After
// an error it returns the file if that was made.
func (c *commit) makeIntent(e *txDoc, text []byte) (*staged, error) {
	a, name := e.a, names.Intent(e.a.path)
	perm := a.d.opts.Perm
	if !a.current.version.IsAbsent() {
		perm = 0o600 // until it gets the access of the document, while it is empty
	}
	file, err := a.d.files.Open(name, fsys.OpenGrowing, perm)
	if errors.Is(err, fs.ErrExist) {
		return nil, errInTheWay(name, err)
	}
	if err != nil {
		return nil, err
	}
	s := &staged{files: a.d.files, file: file, path: name, keep: true}
	if s.info, err = file.Stat(); err != nil {
		return s, err
	}
	if e.staged != nil && a.current.file != nil {
		err = s.take(a.current.info, e.staged.attributes)
	} else {
		err = s.takeAccess(a.current.info, a.current.file)
	}
	if err != nil {
		return s, err
	}
	_, err = file.Write(text)
	return s, err
}

// touch changes the document's ctime.
func (e *txDoc) touch() (err error) {
	a := e.a
	if a.current.version.IsAbsent() {
		return nil
	}
	file := a.current.file
	if file == nil { // it had to be closed
		if file, err = a.d.files.Open(a.path, fsys.OpenExisting, 0); err != nil {
			return err
		}
		defer file.Close()
	}
	err = file.Touch()
	if errors.Is(err, fs.ErrPermission) {
		return e.touchByLink(err)
	}
	return err
}

// touchByLink changes the ctime of another user's document: it gives the file a second
// name, and removes that. The kernel allows it to users who may write to the file. Err is
// the error of touch.
func (e *txDoc) touchByLink(err error) error {
	a := e.a
	dir, dirErr := a.d.files.Lstat(filepath.Dir(a.path))
	if dirErr != nil {
		return dirErr
	}
	if dir.Mode&fs.ModeSticky != 0 && !isOurs(dir.UID) && os.Geteuid() != 0 {
		return fmt.Errorf("the document is of user %d, whom the sticky directory keeps from "+
			"being replaced by others; change as that user: %w", a.current.info.UID, err)
	}
	files, second := a.d.files, names.Transaction(a.path, newDigits(a.d.files))
	if linkErr := files.Link(a.path, second); linkErr != nil {
		return fmt.Errorf("the document is of another user, so that readers cannot be told of the "+
			"transaction; change its owner, or give this user the right to write to it: %w",
			errors.Join(err, linkErr))
	}
	return files.Remove(second)
}

// undo removes the intents of a transaction that is not committed. An intent whose making
// has failed, and that is there all the same, is empty and left to the next writer.
func (c *commit) undo() {
	if !c.placed {
		return
	}
	if c.home != nil {
		c.home.remove()
	}
	for _, e := range c.written[1:] {
		if e.intent != nil {
			e.intent.remove()
			continue
		}
		name := names.Intent(e.a.path)
		if target, err := e.a.d.files.Readlink(name); err == nil && target == e.link {
			_ = e.a.d.files.Remove(name)
		}
	}
}

// commitPoint marks the home's intent, in one operation that changes no content. If that
// reports an error, the size says whether it has happened.
func (c *commit) commitPoint() error {
	pending := int64(len(c.text))
	committed := pending + int64(len(committedMark))
	err := c.home.file.Truncate(committed)
	if err == nil {
		return nil
	}
	now, statErr := c.home.file.Stat()
	switch {
	case statErr == nil && now.Size == committed: // it has happened all the same
		return nil
	case statErr == nil && now.Size == pending:
		return c.written[0].outcome(fmt.Errorf("commit: %w", err))
	}
	c.unknown = true
	return fmt.Errorf("%w: commit the transaction: %w; read the documents to see whether it was",
		ErrUnknown, errors.Join(err, statErr))
}

// exchanges reports whether one file takes the place of another by exchange: ext4 writes
// a file out when it is renamed over another, which takes longer than all else.
func (c *commit) exchanges(e *txDoc) bool {
	return c.durability == Volatile && e.a.d.isExt4(e.a.path, e.a.dev)
}

// setVersions sets the version that each written document has from the commit on.
func (c *commit) setVersions() {
	for _, e := range c.written {
		version := Absent
		switch {
		case !e.now.exists:
		case e.a.mode == VersionMtime:
			version = mtimeVersion(e.staged.info, e.staged.file)
		default:
			version = hashVersion(e.now.data)
		}
		e.made(version)
	}
}

// publish puts the new versions in place. A document that cannot be published keeps its
// intent: readers see the new version, and the next writer publishes it.
func (c *commit) publish() {
	for _, e := range c.written {
		if err := e.publish(c.exchanges(e)); err != nil {
			e.left = true
			c.tx.t.opts.Logger.Warn("a transaction is committed, but a document of it could "+
				"not be replaced; the next writer does it", "document", e.doc.name, "err", err)
		}
	}
}

// publish publishes one document, if it still is the version that was read. A version
// that another program has put in place since is newer than the transaction. With
// exchange, an unguarded version is put in place by exchange, if that is possible.
func (e *txDoc) publish(exchange bool) error {
	a := e.a
	files, absent := a.d.files, a.current.version.IsAbsent()
	now, err := files.Lstat(a.path)
	if ignoreNotExist(err) != nil {
		return err
	}
	if !a.current.isAt(now, err == nil) {
		return nil
	}
	if e.staged != nil {
		err = a.linkEntry(&e.staged.info)
	} else if e.does.Guarded != "" {
		err = a.linkEntry(nil)
	}
	if err != nil {
		return nil // another program has just replaced it
	}
	switch {
	case e.staged == nil && e.does.Guarded != "":
		return e.deleteGuarded()
	case e.staged == nil:
		return ignoreNotExist(a.remove(context.Background()))
	case absent:
		err = files.Rename(e.staged.path, a.path, fsys.NoReplace)
	case e.does.Guarded != "":
		return e.exchange()
	default:
		if exchange || a.keeps() {
			// What is displaced is not swept while the intent is there.
			err = files.Rename(e.staged.path, a.path, fsys.Exchange)
			happened, unknownErr := a.happened(err, e.staged)
			if happened {
				e.displaced, e.staged.keep = e.staged.path, true
			}
			if happened || unknownErr != nil {
				return unknownErr
			}
		}
		err = files.Rename(e.staged.path, a.path, fsys.Replace)
	}
	if happened, unknownErr := a.happened(err, e.staged); happened || unknownErr != nil {
		e.staged.keep = true
		return unknownErr
	}
	if errors.Is(err, fs.ErrExist) {
		return nil // another program has just created it
	}
	return err
}

// exchange publishes by exchange. If that has displaced another version than the one
// that was read, it puts that back. If the process dies meanwhile, the intent tells the
// next writer what was displaced (settleDisplaced). The displaced file stays until the
// exchange was flushed: a power cut could undo that, and not the removal.
func (e *txDoc) exchange() error {
	a, s := e.a, e.staged
	err := a.d.files.Rename(s.path, a.path, fsys.Exchange)
	if happened, unknownErr := a.happened(err, s); unknownErr != nil {
		return unknownErr
	} else if !happened {
		return ignoreNotExist(err) // a program has just deleted the document
	}
	_, err = a.verifyAt(context.Background(), s.path)
	if errors.Is(err, ErrConflict) {
		err = a.d.putBack(s.path, a.path, s.info)
	}
	if err == nil {
		e.displaced, s.keep = s.path, true
	}
	return err
}

// deleteGuarded deletes the document, unless it is another version than was read.
func (e *txDoc) deleteGuarded() error {
	guarded := names.Guarded(e.a.path, e.does.Guarded)
	err := e.a.deleteAs(context.Background(), guarded)
	if err != nil && !errors.Is(err, ErrConflict) {
		return ignoreNotExist(err)
	}
	e.displaced = guarded
	return nil
}

// clear removes displaced versions and the intents, the home's last. If that fails the
// next writer does it.
func (c *commit) clear() {
	left := false
	for _, e := range slices.Backward(c.written) {
		if left = left || e.left; e.left || e == c.written[0] && left {
			continue
		}
		if e.displaced != "" && !e.a.keep(e.displaced) {
			_ = e.a.d.files.Remove(e.displaced)
		}
		if e.staged != nil {
			e.a.kept(&e.staged.info)
		} else {
			e.a.kept(nil)
		}
		_ = e.a.d.files.Remove(names.Intent(e.a.path))
	}
}

// leave leaves the intents and what is staged to the next writer.
func (c *commit) leave() {
	for _, e := range c.written {
		e.left = true
	}
}
