// The flushes of a transaction (txcommit.go).
//
// In the portable order the device may keep any of the changes of names that were not
// flushed:
//
//	before lock     the new versions, and those that they replace
//	before commit   the directories: no commit without all its intents
//	after commit    the home's intent: no new version without the commit. It has a
//	                checksum, so that its content need not be there before
//	after publish   the directories: no intent is gone whose version is lost
//
// With one journal the device keeps all changes of names and sizes up to some moment, in
// their order. Then only the contents are flushed, those of the versions and of the
// home's intent, before commit: where a new version has its name, the commit is there. The
// device writes them together, the new versions from the moment when they are staged.
// Nothing has to wait for a flush after commit, so the last one is that of an update:
// without the locks, when all is done, and of one file for everything before it. Until
// then a power cut may take the transaction back as a whole, though others have seen it.
//
// The level Ordered needs the same, but for that last flush. The level Durable also needs
// what was read, since it may be another writer's version that is not yet flushed. A
// failed flush is not tried again.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// flushBefore flushes what the commit depends on.
func (c *commit) flushBefore() error {
	if err := c.flushRead(); err != nil {
		return err
	}
	switch {
	case c.durability == Volatile:
		return nil
	case c.order == JournalOrder:
		if err := c.flushVersions(); err != nil {
			return err
		}
		if err := c.flush(c.home.file); err != nil {
			return c.written[0].outcome(fmt.Errorf("flush the intent: %w", err))
		}
		return nil
	}
	for _, e := range c.written {
		if err := c.openDirs(e, true); err != nil {
			return e.outcome(err)
		}
	}
	return c.flushDirs(func(*commitDir) bool { return true })
}

// flushRead flushes the versions that were read, unless they are known to be durable. It
// opens their directories, which are flushed with those of the written documents.
func (c *commit) flushRead() error {
	durable := c.durability == Durable
	if c.durability == Volatile || !durable && len(c.written) > 0 {
		return nil // Ordered promises nothing about other writers' versions
	}
	for _, e := range c.read {
		if err := c.flushOne(e, durable); err != nil {
			return e.outcome(err)
		}
	}
	return nil
}

// flushOne flushes a version that was read, and its name too if durable is set.
func (c *commit) flushOne(e *txDoc, durable bool) error {
	a := e.a
	absent := a.current.version.IsAbsent()
	switch {
	case absent && !durable, a.unlocked:
		return nil
	case absent && a.d.shared.flushed.doubts(a.path):
		return errors.New("the document is absent, but an earlier flush of that went wrong")
	case !absent && a.d.shared.flushed.knows(a.path, a.current.info, durable):
		return nil
	}
	c.flushed = append(c.flushed, e)
	if !absent {
		err := errors.ErrUnsupported
		if c.order == JournalOrder && len(c.written) > 0 && a.current.file != nil {
			err = a.current.file.SyncData() // the commit's flush has the rest
		}
		if errors.Is(err, errors.ErrUnsupported) {
			err = a.syncCurrent()
		}
		if err != nil {
			return fmt.Errorf("flush the version that is there: %w", err)
		}
	}
	if durable && (c.order == PortableOrder || absent && len(c.written) == 0) {
		return c.openDirs(e, false)
	}
	return nil
}

// openDirs opens the directories that are flushed for a document: its own, and the
// directories above it that may be new.
func (c *commit) openDirs(e *txDoc, write bool) error {
	a := e.a
	all := a.current.version.IsAbsent()
	own, real := filepath.Dir(a.path), filepath.Dir(e.where)
	for name := own; ; name, real = filepath.Dir(name), filepath.Dir(real) {
		if err := c.openDir(e, name, real, write); err != nil {
			return fmt.Errorf("open the directory, to flush it: %w", err)
		}
		if name == "." || a.d.single != "" || !all && a.d.shared.flushed.knowsDir(own) {
			return nil
		}
	}
}

func (c *commit) openDir(e *txDoc, name, real string, write bool) error {
	for _, known := range c.dirs {
		if known.name == real {
			known.write = known.write || write
			return nil
		}
	}
	dir, err := e.a.d.files.OpenDir(name)
	if err == nil {
		c.dirs = append(c.dirs, &commitDir{real, dir, write})
	}
	return err
}

func (c *commit) flushDirs(which func(*commitDir) bool) error {
	for _, d := range c.dirs {
		if which(d) {
			if err := d.dir.Sync(); err != nil {
				return fmt.Errorf("flush the directory: %w", err)
			}
		}
	}
	return nil
}

// flushCommit flushes the commit before anything is published, if that is needed.
func (c *commit) flushCommit() error {
	if c.durability == Volatile || c.order == JournalOrder {
		return nil
	}
	if err := c.home.file.Sync(); err != nil {
		return fmt.Errorf("flush the commit: %w", err)
	}
	return c.stillWrites()
}

// flushAll flushes the commit, and with it everything before. The home's intent may have
// been removed by now, which is among what is flushed.
func (c *commit) flushAll() error {
	if c.durability != Durable || c.order != JournalOrder {
		return nil
	}
	if err := c.home.file.Sync(); err != nil {
		return fmt.Errorf("flush the transaction: %w", err)
	}
	return c.stillWrites()
}

// stillWrites checks for each file system that its journal has not failed meanwhile, as
// attempt.stillWrites does.
func (c *commit) stillWrites() error {
	if c.durability != Durable {
		return nil
	}
	asked := map[uint64]bool{}
	for _, e := range slices.Concat(c.written, c.flushed) {
		if asked[e.a.dev] {
			continue
		}
		asked[e.a.dev] = true
		if err := c.stillWritesTo(e); err != nil {
			return e.outcome(err)
		}
	}
	return nil
}

// stillWritesTo is stillWrites for the file system of one document.
func (c *commit) stillWritesTo(e *txDoc) error {
	var file fsys.File
	switch {
	case c.home != nil && e == c.written[0]:
		file = c.home.file
	case e.staged != nil:
		file = e.staged.file
	default:
		return e.a.stillWrites()
	}
	if !e.a.d.isExt4(e.a.path, e.a.dev) {
		return nil
	}
	err := file.StillWrites()
	if err == nil || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return fmt.Errorf("a flush that went well does not count, since the journal has failed: %w",
		err)
}

// flushPublished flushes the names of the new versions, before the intents are removed.
func (c *commit) flushPublished() error {
	if c.durability == Volatile || c.order == JournalOrder {
		return nil
	}
	return c.flushDirs(func(d *commitDir) bool { return d.write })
}

// noteRead records the result of the flushes for the documents that were only read.
func (c *commit) noteRead(err error) {
	for _, e := range c.flushed {
		d, read := e.a.d, e.a.current
		switch {
		case err != nil:
			d.shared.flushed.note(e.a.path, err)
		case c.durability == Durable && !read.version.IsAbsent() && isOfAge(read.info, c.began) &&
			d.changesShow(e.a.path, read.info.Dev, c.began):
			d.shared.flushed.add(e.a.path, read.info, true)
		}
	}
}

// noteWritten records it for the documents that were written.
func (c *commit) noteWritten(err error) {
	for _, e := range c.written {
		flushed := &e.a.d.shared.flushed
		if c.durability != Volatile {
			flushed.settle(e.a.path, e.does.New)
		}
		if c.durability != Durable {
			continue
		}
		flushed.note(e.a.path, err)
		if err == nil && c.order == PortableOrder {
			flushed.addDir(filepath.Dir(e.a.path))
		}
	}
}

// confirm ends a transaction that has changed nothing: it makes durable what was read.
func (c *commit) confirm() error {
	err := c.flushRead()
	if err == nil {
		err = c.flushDirs(func(*commitDir) bool { return true })
	}
	if err == nil {
		err = c.stillWrites()
	}
	c.noteRead(err)
	if err != nil {
		return &unconfirmed{err}
	}
	return nil
}

// unconfirmed is the ErrNotDurable of a transaction that has changed nothing.
type unconfirmed struct{ err error }

func (u *unconfirmed) Error() string {
	return "nothing was changed, but what was read is not known to be durable: " + u.err.Error()
}

func (u *unconfirmed) Unwrap() []error { return []error{ErrNotDurable, u.err} }
