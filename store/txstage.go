// The temporary files of a transaction: new versions, and intents (txcommit.go).

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

// stage makes all temporary files.
func (c *commit) stage(ctx context.Context) error {
	if len(c.written) == 0 {
		return nil
	}
	home := c.written[0]
	c.id = newDigits(home.a.d.files)
	commit := &intent{ID: c.id, Committed: true}
	for _, e := range c.written {
		if e != home {
			member, err := relativePath(home, e)
			if err != nil {
				return err
			}
			commit.Members = append(commit.Members, member)
		}
		if e.now.exists {
			var digits string
			var err error
			if digits, e.staged, err = c.stageData(ctx, e); err != nil {
				return e.outcome(err)
			}
			e.says.Staged, e.says.New = digits, hashVersion(e.now.data).String()
		}
	}
	for _, e := range c.written {
		in := &e.says
		in.ID, in.Old = c.id, e.a.current.identity()
		if e == home {
			commit.Staged, commit.New, commit.Old = in.Staged, in.New, in.Old
			var err error
			if in.Commit, c.committed, err = c.stageIntent(e, commit); err != nil {
				return e.outcome(err)
			}
			if err := c.flush(c.committed); err != nil {
				return e.outcome(err)
			}
		} else {
			var err error
			if in.Home, err = relativePath(e, home); err != nil {
				return err
			}
		}
		var err error
		if _, e.intent, err = c.stageIntent(e, in); err != nil {
			return e.outcome(err)
		}
		// A pending home may as well be unreadable: it means nothing.
		if e != home {
			if err := c.flush(e.intent); err != nil {
				return e.outcome(err)
			}
		}
	}
	return nil
}

// relativePath is that of the document to, seen from the directory of from.
func relativePath(from, to *txDoc) (string, error) {
	path, err := filepath.Rel(filepath.Dir(from.where), to.where)
	if err != nil {
		return "", fmt.Errorf("%w: a transaction over documents between which no relative path "+
			"leads: %w", ErrUnsupported, err)
	}
	return filepath.ToSlash(path), nil
}

// stageData writes the new version of a document to a temporary file.
func (c *commit) stageData(
	ctx context.Context, e *txDoc,
) (digits string, s *staged, err error) {
	a := e.a
	if a.d.shared.rows.due(a.path) {
		a.d.sweep(a.path)
	}
	perm := a.d.opts.Perm
	if a.current.file != nil {
		perm = 0o600 // until it has the very mode of the current version
	}
	digits, s, err = a.d.createTransaction(a.path, perm)
	if err != nil {
		return "", nil, err
	}
	if err := c.fill(ctx, e, s); err != nil {
		s.discard()
		return "", nil, err
	}
	return digits, s, nil
}

// fill writes the new version, and flushes it.
func (c *commit) fill(ctx context.Context, e *txDoc, s *staged) error {
	a := e.a
	if err := a.d.fill(s, e.now.data, a.current); err != nil {
		return err
	}
	if a.mode == VersionMtime && !s.fine {
		if isLatest(a.current.info.Mtime) {
			return errLatest(a.path)
		}
		return errCoarse(filepath.Dir(a.path))
	}
	if c.durability != Volatile && a.held == nil && a.isReplaced() {
		// A sure loser need not pay for a flush.
		if _, err := a.verify(ctx); err != nil {
			return err
		}
	}
	return c.flush(s)
}

// stageIntent writes an intent to a temporary file, which those may read who may read the
// document.
func (c *commit) stageIntent(e *txDoc, in *intent) (digits string, s *staged, err error) {
	a := e.a
	data, err := in.encode()
	if err != nil {
		return "", nil, err
	}
	perm := a.d.opts.Perm
	if a.current.file != nil {
		perm = 0o600
	}
	digits, s, err = a.d.createTransaction(a.path, perm)
	if err != nil {
		return "", nil, err
	}
	_, err = s.file.Write(data)
	if err == nil && a.current.file != nil {
		err = s.takeAccess(a.current.info, a.current.file)
	}
	if err != nil {
		s.discard()
		return "", nil, err
	}
	return digits, s, nil
}

// createTransaction makes an empty temporary file of a transaction beside path.
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
				"how it is "+
				"replaced: %w", err)
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
		// A sweep has it, and may leave it. The name is nobody else's.
		file.Close()
		_ = d.files.Remove(name)
	}
}

// flush puts what is in a temporary file on the device.
func (c *commit) flush(s *staged) error {
	s.order = c.order
	if c.durability == Volatile {
		return nil
	}
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
