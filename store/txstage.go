// The temporary files of a transaction: its new versions (txcommit.go).

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// stage writes the new versions to temporary files, which the device begins to write at
// the same time.
func (c *commit) stage(ctx context.Context) error {
	if len(c.written) == 0 {
		return nil
	}
	for {
		// An id is never used again, not for another try either.
		c.id = newDigits(c.written[0].a.d.files)
		err := c.stageAll()
		if err == nil {
			return c.flushStaged(ctx)
		}
		if !errors.Is(err, errSwept) {
			return err
		}
		for _, e := range c.written {
			e.discard()
		}
	}
}

func (c *commit) stageAll() (err error) {
	home := c.written[0]
	for i, e := range c.written {
		e.does = change{}
		if i > 0 {
			e.does.Path, e.does.Dir, err = relative(home, e)
		}
		if err == nil && e.now.exists {
			err = c.stageData(e)
		}
		if err == nil {
			err = c.probeExchange(e)
		}
		if err != nil {
			return e.outcome(err)
		}
	}
	return nil
}

// describe makes the intents, of documents that were verified: the files are not stamped
// again.
func (c *commit) describe() error {
	home := intent{id: c.id}
	for i, e := range c.written {
		e.does.Old = e.a.current.identity()
		if e.staged != nil {
			e.does.New = identityOf(e.staged.info)
			e.does.New.Size = int64(len(e.now.data))
		}
		if e.guarded() {
			e.does.Guarded = e.guardedName().String()
		}
		said := e.does
		if i > 0 {
			member := intent{id: c.id, index: i, deletes: said.deletes(), guarded: said.Guarded}
			var err error
			if member.home, member.homeDir, err = relative(e, c.written[0]); err != nil {
				return e.outcome(err)
			}
			e.link, said.Guarded = member.target(), ""
		}
		home.changes = append(home.changes, said)
	}
	var err error
	c.text, err = home.encode()
	return c.written[0].outcome(err)
}

// guarded reports whether a guard publishes the document.
func (e *txDoc) guarded() bool {
	return e.a.d.opts.GuardForeign && !e.a.current.version.IsAbsent()
}

// flushStaged flushes the new versions, in the portable order: while others hold the locks.
// A transaction that is sure to conflict skips the flush.
func (c *commit) flushStaged(ctx context.Context) error {
	if c.durability == Volatile || c.order == JournalOrder {
		return nil
	}
	for _, e := range c.written {
		if a := e.a; a.held == nil && a.isReplaced() {
			if _, err := a.verify(ctx); err != nil {
				return e.outcome(err)
			}
		}
	}
	return c.flushVersions()
}

// flushVersions flushes the new versions, and those that they replace.
func (c *commit) flushVersions() error {
	for _, e := range c.written {
		if e.staged != nil {
			if err := c.flush(e.staged.file); err != nil {
				return e.outcome(fmt.Errorf("flush the new version: %w", err))
			}
		}
		if err := c.flushReplaced(e); err != nil {
			return e.outcome(fmt.Errorf("flush the version that is replaced: %w", err))
		}
	}
	return nil
}

// flushReplaced flushes the version that is replaced, which may be volatile, or another
// program's: who finishes the transaction after a power cut must find it as the intent says,
// or would take it for a newer one.
func (c *commit) flushReplaced(e *txDoc) error {
	a := e.a
	switch {
	case a.current.version.IsAbsent(), a.d.shared.flushed.isSettled(a.path, a.current.identity()):
		return nil
	case a.current.file == nil:
		return a.syncCurrent()
	}
	return c.flush(a.current.file)
}

// relative returns the path of the document to and its directory, for an intent beside
// the document from.
func relative(from, to *txDoc) (string, directory, error) {
	dir := directoryOf(to.dir, from.dir)
	path, err := filepath.Rel(filepath.Dir(from.where), to.where)
	if err != nil {
		return "", dir, fmt.Errorf("%w: a transaction over documents between which no relative "+
			"path leads: %w", ErrUnsupported, err)
	}
	if from.doc.db != to.doc.db {
		for _, e := range []*txDoc{from, to} {
			if err := e.isThere(); err != nil {
				return "", dir, err
			}
		}
	}
	return filepath.ToSlash(path), dir, nil
}

// isThere checks that the document's absolute path leads to its directory. A handle on a
// directory keeps that open, and another program may have moved it.
func (e *txDoc) isThere() error {
	if filepath.IsAbs(e.path) {
		return nil
	}
	dir := filepath.Dir(e.where)
	found, err := fsys.New().Lstat(dir)
	if ignoreNotExist(err) != nil {
		return err
	}
	if err != nil || !found.SameFile(e.dir) {
		return fmt.Errorf("%w: a transaction with a document of another handle, since the "+
			"directory of this one is not at %s any longer; open it again", ErrUnsupported, dir)
	}
	return nil
}

// stageData writes the new version of a document to a temporary file.
func (c *commit) stageData(e *txDoc) (err error) {
	a := e.a
	if a.d.shared.rows.due(a.path) {
		a.sweep()
	}
	perm := a.d.opts.Perm
	if !a.current.version.IsAbsent() {
		perm = 0o600 // until it gets the mode of the current version
	}
	// On an error it is discarded with the document.
	if e.staged, err = a.d.createTransaction(a.path, c.id, perm); err != nil {
		return err
	}
	e.staged.order = c.order
	return c.fill(e, e.staged)
}

// fill writes the new version.
func (c *commit) fill(e *txDoc, s *staged) error {
	a := e.a
	if err := a.d.fill(s, e.now.data, a.current, a.mode); err != nil {
		return err
	}
	if a.mode == VersionMtime && !s.fine {
		if isLatest(a.current.info.Mtime) {
			return errLatest(a.path)
		}
		return errCoarse(filepath.Dir(a.path))
	}
	c.beginFlush(s)
	return nil
}

func (c *commit) beginFlush(s *staged) {
	if c.durability != Volatile {
		s.file.BeginSync()
	}
}

// guardedName returns the name that the displaced version gets, as guard.go has it.
func (e *txDoc) guardedName() guardedName {
	name := guardedName{contentDigits(e.a.current.data), noContent,
		guardedNumber(e.a.d.files.Random())}
	if e.now.exists {
		name.published = contentDigits(e.now.data)
		if e.staged.fine {
			name.stamp = stampDigits(e.staged.info)
		}
	}
	return name
}

// probeExchange checks that the file system can exchange two names, before the
// transaction depends on it. It exchanges those of the staged file and of another one,
// and exchanges them back.
func (c *commit) probeExchange(e *txDoc) (err error) {
	if !e.guarded() || e.staged == nil {
		return nil // it exchanges nothing
	}
	d := e.a.d
	can := d.shared.exchanges.known(e.dir.Dev, d.files.Now(), func() (bool, error) {
		var other *staged
		if other, err = d.createTransaction(e.a.path, newDigits(d.files), 0o600); err != nil {
			return false, err
		}
		defer other.discard()
		for range 2 {
			if err = d.files.Rename(e.staged.path, other.path, fsys.Exchange); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	switch {
	case can:
		return nil
	case errors.Is(err, errors.ErrUnsupported):
		return errNoExchange(e.a.path, err)
	}
	return fmt.Errorf("exchange two temporary files, to see whether that can be done: %w", err)
}

// errSwept: a sweep has taken the new file for that of a dead process.
var errSwept = errors.New("the temporary file was swept")

// createTransaction makes an empty temporary file of a transaction beside path. The
// digits of its name are random, and never used again.
func (d *fileDriver) createTransaction(
	path, digits string, perm fs.FileMode,
) (*staged, error) {
	name := names.Transaction(path, digits)
	file, err := d.files.Open(name, fsys.OpenNew, perm)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoDirectory(path, err)
	case errors.Is(err, fs.ErrExist): // nobody but this transaction knows the digits
		return nil, errOneLock
	case err != nil:
		return nil, fmt.Errorf("make a temporary file beside the document, which is "+
			"how it is replaced: %w", err)
	}
	s := &staged{files: d.files, file: file, path: name}
	locked, err := file.TryLock()
	if err == nil && locked {
		if s.info, err = file.Stat(); err == nil && s.info.Links > 0 {
			return s, nil
		}
	}
	if err != nil {
		s.discard()
		return nil, err
	}
	// A sweep has locked the file, and removes it, or leaves it.
	file.Close()
	_ = d.files.Remove(name)
	return nil, errSwept
}

// flush waits until the content of a file is on the device.
func (c *commit) flush(file fsys.File) error {
	err := errors.ErrUnsupported
	if c.order == JournalOrder {
		err = file.SyncData()
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = file.Sync()
	}
	return err
}
