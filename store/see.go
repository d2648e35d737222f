// Reads without the document's lock: the intent of a transaction decides what the document
// is.
//
//	no intent                          the file at the document's name
//	an intent, not committed           the file at the document's name
//	an intent, committed, at old       what the transaction has staged, or nothing if it
//	                                   deletes the document
//	an intent, committed, not at old   the file at the document's name: it is published, or
//	                                   another program has replaced it
//
// The intent of the home document says whether a transaction is committed. So all of its
// documents change in one instant: when that intent is marked.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// see loads the document at path without its lock. Plain reports that no intent was found.
// The caller closes the result.
func (d *fileDriver) see(
	ctx context.Context, path string, mode VersionMode,
) (s *loaded, plain bool, err error) {
	for waited := ""; ; {
		found, err := d.intentAt(path)
		if err != nil {
			return nil, false, err
		}
		if !found.there && !found.doubted {
			s, err := d.load(ctx, path, mode)
			return s, true, err
		}
		s, err = d.seeThrough(ctx, path, mode, found)
		unreadable := errors.Is(err, errElsewhere) || errors.Is(err, fs.ErrPermission)
		if !unreadable || waited == found.raw {
			return s, false, err
		}
		// The home's intent cannot be read. A living committer has the lock until it is done.
		if waitErr := d.awaitLock(ctx, path); waitErr != nil {
			return nil, false, fmt.Errorf("%w; wait for the end of the transaction: %w", err,
				waitErr)
		}
		waited = found.raw
	}
}

// awaitLock waits until the lock of a document is free.
func (d *fileDriver) awaitLock(ctx context.Context, path string) error {
	like, err := d.lockLike(path)
	if err != nil {
		return err
	}
	how := locking{perm: d.opts.Perm, like: like, wait: d.opts.LockWait, guards: true}
	held, err := d.sidecars().acquire(ctx, path, how)
	if err == nil {
		held.unlock()
	}
	return err
}

// committed reports whether a transaction is committed, and what it does with the document
// at path, beside which there is its intent in.
func (d *fileDriver) committed(path string, in *intent) (c change, is bool, err error) {
	home := foundIntent{in: in}
	if in.home != "" {
		if _, home, err = d.homeOf(path, in); err != nil {
			return c, false, err
		}
	}
	c, of := in.changeIn(home.in)
	return c, of && home.in.committed, nil
}

// seeThrough loads the document at path, beside which an intent was found.
func (d *fileDriver) seeThrough(
	ctx context.Context, path string, mode VersionMode, found foundIntent,
) (s *loaded, err error) {
	through := &seen{intent: found}
	var c change
	if found.in != nil {
		if c, through.committed, err = d.committed(path, found.in); err != nil {
			return nil, err
		}
	}
	if through.committed {
		s, through.replaced, err = d.loadCommitted(ctx, path, mode, found.in.id, c)
	} else {
		s, err = d.load(ctx, path, mode)
	}
	if err == nil && found.there {
		s.seen = through
	}
	return s, err
}

// loadCommitted loads the document at path, beside which there is the intent of a committed
// transaction. Replaced is the file at its name, if that is not what was loaded.
func (d *fileDriver) loadCommitted(
	ctx context.Context, path string, mode VersionMode, id string, c change,
) (s, replaced *loaded, err error) {
	s = &loaded{}
	if !c.deletes() {
		// The staged file is looked for first: if it is gone, it has been published.
		if s, err = d.loadStaged(ctx, path, mode, id, c); err != nil {
			return nil, nil, err
		}
		if s == nil {
			s, err = d.load(ctx, path, mode)
			return s, nil, err
		}
	}
	now, err := d.load(ctx, path, mode)
	if err != nil {
		s.close()
		return nil, nil, err
	}
	if now.identity() == c.Old {
		return s, now, nil
	}
	s.close()
	return now, nil, nil
}

// loadStaged loads what a transaction has staged for the document at path. It returns nil
// if that does not exist, or is not what the home's intent says.
func (d *fileDriver) loadStaged(
	ctx context.Context, path string, mode VersionMode, id string, c change,
) (*loaded, error) {
	s, err := d.load(ctx, names.Transaction(path, id), mode)
	switch {
	case errors.Is(err, fsys.ErrSymlink): // not made by the store
		return nil, nil
	case err != nil:
		return nil, err
	}
	believed := false
	if s.identity() == c.New {
		if believed, err = d.believes(path, s.info, 0); err != nil {
			s.close()
			return nil, err
		}
	}
	if !believed {
		s.close()
		return nil, nil
	}
	return s, nil
}
