// The temporary files of a transaction: new versions and intents (txcommit.go).

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

// stage writes all temporary files, and then flushes those that a power cut must not
// tear: the device writes them at the same time.
func (c *commit) stage(ctx context.Context) error {
	if len(c.written) == 0 {
		return nil
	}
	c.id = newDigits(c.written[0].a.d.files)
	for _, e := range c.written {
		e.says = intent{ID: c.id, Old: e.a.current.identity()}
		if e.now.exists {
			if err := c.stageData(e); err != nil {
				return e.outcome(err)
			}
		}
		if e.a.d.opts.GuardForeign && !e.a.current.version.IsAbsent() {
			e.says.Guarded = e.guardedName().String()
		}
	}
	if err := c.stageCommitted(); err != nil {
		return err
	}
	for i, e := range c.written {
		var err error
		if i > 0 {
			e.says.Home, e.says.HomeDir, err = relative(e, c.written[0])
		}
		if err == nil {
			_, e.intent, err = c.stageIntent(e, &e.says)
		}
		if err == nil {
			err = c.probeExchange(e)
		}
		if err != nil {
			return e.outcome(err)
		}
	}
	return c.flushStaged(ctx)
}

// flushStaged flushes the temporary files, but the home's pending intent: torn, it means
// the same. A transaction that is sure to conflict skips the flush.
func (c *commit) flushStaged(ctx context.Context) error {
	if c.durability == Volatile {
		return nil
	}
	for _, e := range c.written {
		if a := e.a; a.held == nil && a.isReplaced() {
			if _, err := a.verify(ctx); err != nil {
				return e.outcome(err)
			}
		}
	}
	for i, e := range c.written {
		intent := e.intent
		if i == 0 {
			intent = c.committed
		}
		for _, s := range []*staged{e.staged, intent} {
			if s == nil {
				continue
			}
			if err := c.flush(s); err != nil {
				return e.outcome(err)
			}
		}
	}
	return nil
}

// stageCommitted writes the committed intent of the home.
func (c *commit) stageCommitted() (err error) {
	home := c.written[0]
	committed := home.says
	committed.Committed = true
	for _, e := range c.written[1:] {
		path, dir, err := relative(home, e)
		if err != nil {
			return e.outcome(err)
		}
		committed.Members = append(committed.Members, path)
		committed.MemberDirs = append(committed.MemberDirs, dir)
	}
	home.says.Commit, c.committed, err = c.stageIntent(home, &committed)
	return home.outcome(err)
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
		a.d.sweep(a.path)
	}
	perm := a.d.opts.Perm
	if !a.current.version.IsAbsent() {
		perm = 0o600 // until it gets the mode of the current version
	}
	// On an error it is discarded with the document.
	e.says.Staged, e.staged, err = a.d.createTransaction(a.path, perm)
	if err != nil {
		return err
	}
	e.says.New = hashVersion(e.now.data).String()
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
// transaction depends on it. The names are those of two temporary files, and are
// exchanged back.
func (c *commit) probeExchange(e *txDoc) (err error) {
	if e.says.Guarded == "" || e.staged == nil {
		return nil // it exchanges nothing
	}
	d := e.a.d
	can := d.shared.exchanges.known(e.dir.Dev, d.files.Now(), func() (bool, error) {
		for range 2 {
			if err = d.files.Rename(e.staged.path, e.intent.path, fsys.Exchange); err != nil {
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

// stageIntent writes an intent to a temporary file. Who may read the document may read
// the intent.
func (c *commit) stageIntent(e *txDoc, in *intent) (digits string, s *staged, err error) {
	a := e.a
	data, err := in.encode()
	if err != nil {
		return "", nil, err
	}
	perm, absent := a.d.opts.Perm, a.current.version.IsAbsent()
	if !absent {
		perm = 0o600
	}
	digits, s, err = a.d.createTransaction(a.path, perm)
	if err != nil {
		return "", nil, err
	}
	_, err = s.file.Write(data)
	if err == nil && !absent && a.current.file != nil { // closed files have no access to take
		err = s.takeAccess(a.current.info, a.current.file)
	}
	if err != nil {
		s.discard()
		return "", nil, err
	}
	if in.Committed || in.Home != "" { // the others are not flushed
		c.beginFlush(s)
	}
	return digits, s, nil
}

// createTransaction makes an empty temporary file of a transaction beside path. Its name
// has random digits, which are never used again.
func (d *fileDriver) createTransaction(path string, perm fs.FileMode) (string, *staged, error) {
	for {
		digits := newDigits(d.files)
		name := names.Transaction(path, digits)
		file, err := d.files.Open(name, fsys.OpenNew, perm)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, errNoDirectory(path, err)
		}
		if err != nil {
			return "", nil, fmt.Errorf("make a temporary file beside the document, which is "+
				"how it is replaced: %w", err)
		}
		s := &staged{files: d.files, file: file, path: name}
		locked, err := file.TryLock()
		if err == nil && locked {
			if s.info, err = file.Stat(); err == nil && s.info.Links > 0 {
				return digits, s, nil
			}
		}
		if err != nil {
			s.discard()
			return "", nil, err
		}
		// A sweep has locked the file, and removes it, or leaves it.
		file.Close()
		_ = d.files.Remove(name)
	}
}

// flush waits until a temporary file is on the device.
func (c *commit) flush(s *staged) error {
	err := errors.ErrUnsupported
	if c.order == JournalOrder {
		err = s.file.SyncData()
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = s.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("flush the new version: %w", err)
	}
	return nil
}
