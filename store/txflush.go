// What a transaction flushes, and when (txcommit.go).

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// flushBefore makes durable what the commit rests on: the intents, and, if the transaction is
// to be durable, what it has read.
func (c *commit) flushBefore() error {
	if err := c.flushRead(); err != nil {
		return err
	}
	if c.durability == Volatile || c.order == JournalOrder {
		return nil
	}
	for i, e := range c.written {
		if err := c.openDirs(e, true, i == 0); err != nil {
			return e.outcome(err)
		}
	}
	return c.flushDirs(func(*commitDir) bool { return true })
}

// flushRead makes durable what was read, as far as that is not known to be: it may be
// another's, published and not yet flushed. The names in their directories come with those of
// what is written.
func (c *commit) flushRead() error {
	if c.durability == Volatile {
		return nil
	}
	durable := c.durability == Durable
	if !durable && len(c.written) > 0 {
		return nil // it is not torn by this
	}
	for _, e := range c.read {
		a := e.a
		if a.current.file == nil {
			if durable && a.d.shared.flushed.doubts(a.path) {
				return e.outcome(errors.New("the document is absent, but an earlier flush of " +
					"that went wrong"))
			}
		} else {
			if a.d.shared.flushed.knows(a.path, a.current.info, durable) {
				continue
			}
			err := errors.ErrUnsupported
			if c.order == JournalOrder && len(c.written) > 0 {
				err = a.current.file.SyncData()
			}
			if errors.Is(err, errors.ErrUnsupported) {
				err = a.current.file.Sync()
			}
			if err != nil {
				return e.outcome(fmt.Errorf("flush the version that is there: %w", err))
			}
		}
		if durable && (c.order == PortableOrder || a.current.file == nil && len(c.written) == 0) {
			if err := c.openDirs(e, false, false); err != nil {
				return e.outcome(err)
			}
		}
	}
	return nil
}

// openDirs opens the directories that are to be flushed for a document: its own, and those
// above it that may be new.
func (c *commit) openDirs(e *txDoc, write, home bool) error {
	a := e.a
	all := a.current.file == nil
	own, real := filepath.Dir(a.path), filepath.Dir(e.where)
	for name := own; ; name, real = filepath.Dir(name), filepath.Dir(real) {
		if err := c.openDir(e, name, real, write, home && name == own); err != nil {
			return fmt.Errorf("open the directory, to flush it: %w", err)
		}
		if name == "." || a.d.single != "" || !all && a.d.shared.flushed.knowsDir(own) {
			return nil
		}
	}
}

func (c *commit) openDir(e *txDoc, name, real string, write, home bool) error {
	for _, known := range c.dirs {
		if known.name == real {
			known.write, known.home = known.write || write, known.home || home
			return nil
		}
	}
	dir, err := e.a.d.files.OpenDir(name)
	if err == nil {
		c.dirs = append(c.dirs, &commitDir{real, dir, home, write})
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

// flushCommit makes the commit durable.
func (c *commit) flushCommit() error {
	switch {
	case c.durability == Volatile:
		return nil
	case c.order == PortableOrder:
		if err := c.flushDirs(func(d *commitDir) bool { return d.home }); err != nil {
			return err
		}
	case c.durability == Ordered:
		return nil
	default:
		if err := c.committed.file.Sync(); err != nil {
			return fmt.Errorf("flush the commit: %w", err)
		}
	}
	return c.stillWrites()
}

// stillWrites asks whether the journal has failed meanwhile (attempt.stillWrites).
func (c *commit) stillWrites() error {
	a := c.written[0].a
	if c.durability != Durable || !a.d.isExt4(a.path, a.dev) {
		return nil
	}
	err := c.committed.file.StillWrites()
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("a flush that went well does not count, since the journal has "+
			"failed: %w", err)
	}
	return nil
}

// flushPublished flushes the names of the new versions, before the intents go that would bring
// them about.
func (c *commit) flushPublished() error {
	if c.durability == Volatile || c.order == JournalOrder {
		return nil
	}
	return c.flushDirs(func(d *commitDir) bool { return d.write })
}

// note notes how the flushes went.
func (c *commit) note(err error) {
	if c.durability != Durable {
		return
	}
	for _, e := range c.read {
		d, read := e.a.d, e.a.current
		if err == nil && read.file != nil && isOfAge(read.info, c.began) &&
			d.changesShow(e.a.path, read.info.Dev, c.began) {
			d.shared.flushed.add(e.a.path, read.info, true)
		}
	}
	for _, e := range c.written {
		flushed := &e.a.d.shared.flushed
		flushed.note(e.a.path, err)
		if err == nil && c.order == PortableOrder {
			flushed.addDir(filepath.Dir(e.a.path))
		}
	}
}

// confirm is for a transaction that has changed nothing: what it read is made durable.
func (c *commit) confirm() error {
	err := c.flushRead()
	if err == nil {
		err = c.flushDirs(func(*commitDir) bool { return true })
	}
	c.note(err)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}
