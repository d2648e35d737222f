// The steps of a commit that others see (txcommit.go).

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// place puts the intents in place, and lets nobody believe any longer what it has kept.
func (c *commit) place() error {
	for _, e := range c.written {
		noticed, err := e.a.held.announceIntents(c.durability != Volatile)
		if err == nil && !noticed {
			err = fmt.Errorf("the lock file %s says that nobody need look for a transaction, "+
				"and cannot be "+
				"changed; remove it while nobody uses the document", e.a.held.lock.path)
		}
		if err != nil {
			return e.outcome(err)
		}
	}
	for _, e := range c.written {
		name := names.Intent(e.a.path)
		err := e.a.d.files.Rename(e.intent.path, name, fsys.NoReplace)
		if err != nil {
			now, lstatErr := e.a.d.files.Lstat(name)
			e.placed = lstatErr != nil && !errors.Is(lstatErr, fs.ErrNotExist) // perhaps
			switch {
			case lstatErr == nil && now.SameFile(e.intent.info):
				err = nil // it has happened all the same
			case errors.Is(err, fs.ErrExist):
				err = fmt.Errorf("%s is in the way, which is nothing that is believed; remove "+
					"it: %w", name, err)
			}
		}
		if err != nil {
			return e.outcome(fmt.Errorf("put the intent in place: %w", err))
		}
		e.placed = true
	}
	for _, e := range c.written {
		if err := e.touch(); err != nil {
			return e.outcome(err)
		}
	}
	return nil
}

// touch changes the time of the document's last change.
func (e *txDoc) touch() error {
	a := e.a
	if a.current.file == nil {
		return nil
	}
	err := a.current.file.Touch()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	// Of another user's file a second name does it, if this user may write to the file.
	files, second := a.d.files, names.Transaction(a.path, newDigits(a.d.files))
	if linkErr := files.Link(a.path, second); linkErr != nil {
		return fmt.Errorf("the document is of another user, so that readers cannot be told of the "+
			"transaction; change its owner, or give this user the right to write to it: %w",
			errors.Join(err, linkErr))
	}
	return files.Remove(second)
}

// undo removes the intents of a transaction that is not committed.
func (c *commit) undo() {
	for _, e := range c.written {
		if e.placed && e.intent != nil {
			name := names.Intent(e.a.path)
			if now, err := e.a.d.files.Lstat(name); err == nil && now.SameFile(e.intent.info) {
				_ = e.a.d.files.Remove(name)
			}
		}
	}
}

// commitPoint commits.
func (c *commit) commitPoint() error {
	home := c.written[0]
	files, name := home.a.d.files, names.Intent(home.a.path)
	if named, err := c.committed.isNamed(); err != nil || !named {
		return home.outcome(errors.Join(err, home.a.conflict(home.a.current.version)))
	}
	err := files.Rename(c.committed.path, name, fsys.Replace)
	if err == nil {
		return nil
	}
	now, lstatErr := files.Lstat(name)
	switch {
	case lstatErr == nil && now.SameFile(c.committed.info):
		return nil // it has happened all the same
	case lstatErr == nil && now.SameFile(home.intent.info):
		return home.outcome(fmt.Errorf("commit: %w", err))
	}
	c.unknown = true
	return fmt.Errorf("%w: commit the transaction: %w; read the documents to see whether it was",
		ErrUnknown, errors.Join(err, lstatErr))
}

// publish puts the new versions in their places. What cannot be published is left to whoever
// comes next, with the intents.
func (c *commit) publish() {
	for _, e := range c.written {
		if err := e.publish(); err != nil {
			e.left = true
			c.tx.t.opts.Logger.Warn("a transaction is committed, but a document of it could "+
				"not be "+
				"replaced; the next writer does it", "document", e.doc.name, "err", err)
		}
		version := Absent
		if e.now.exists {
			version = hashVersion(e.now.data)
			if e.a.mode == VersionMtime {
				version = mtimeVersion(e.staged.info, e.staged.file)
			}
		}
		e.made(version)
	}
}

// publish publishes one document, if it still is the version that was read: what another
// program has put in its place since has come later than the transaction.
func (e *txDoc) publish() error {
	a := e.a
	files, read := a.d.files, a.current
	now, err := files.Lstat(a.path)
	atOld := err == nil && read.file != nil && now.SameFile(read.info) &&
		now.Mtime == read.info.Mtime &&
		now.Size == read.info.Size || errors.Is(err, fs.ErrNotExist) && read.file == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case !atOld:
		return nil
	case e.staged == nil:
		return ignoreNotExist(a.remove(context.Background()))
	case read.file == nil:
		err = files.Rename(e.staged.path, a.path, fsys.NoReplace)
	case a.d.opts.GuardForeign:
		return e.exchange()
	default:
		err = files.Rename(e.staged.path, a.path, fsys.Replace)
	}
	if happened, unknownErr := a.happened(err, e.staged); happened || unknownErr != nil {
		return unknownErr
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// exchange publishes by exchange, and puts back what another program has put in the document's
// place just now.
func (e *txDoc) exchange() error {
	a, s := e.a, e.staged
	err := a.d.files.Rename(s.path, a.path, fsys.Exchange)
	if happened, unknownErr := a.happened(err, s); unknownErr != nil {
		return unknownErr
	} else if !happened {
		return err
	}
	displaced, err := a.d.files.Lstat(s.path)
	switch {
	case err != nil:
		return err
	case displaced.SameFile(a.current.info) && displaced.Mtime == a.current.info.Mtime &&
		displaced.Size == a.current.info.Size:
		return ignoreNotExist(a.d.files.Remove(s.path))
	}
	return a.d.putBack(s.path, a.path, s.info)
}

// clear removes the intents, the home's last.
func (c *commit) clear() {
	left := false
	for _, e := range slices.Backward(c.written) {
		if left = left || e.left; e.left || e == c.written[0] && left {
			continue
		}
		// If that fails the next writer does it.
		_ = e.a.d.files.Remove(names.Intent(e.a.path))
	}
}
