// How a document is read without its lock: through the intent of a transaction, if there is
// one.
//
// No intent: the document is what is at its name. An intent: the transaction's home says
// whether it is committed. If it is not, the document is still what is at its name. If it is,
// the document is what the transaction has staged, or absent, until that is published; unless
// another program has replaced it meanwhile. So all documents of a transaction change in one
// instant, when its home's intent does.

package store

import (
	"context"
	"errors"
	"io/fs"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// see loads the document at path for one who has not its lock. Plain is whether no intent was
// found. The caller closes what it returns.
func (d *fileDriver) see(
	ctx context.Context, path string, mode VersionMode,
) (s *loaded, plain bool, err error) {
	for waited := ""; ; {
		// To find that there is none costs nothing this way. What is a link is a guard's.
		_, err := d.files.Readlink(names.Intent(path))
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			s, err := d.load(ctx, path, mode)
			return s, true, err
		}
		found, err := d.intentAt(path)
		if err != nil {
			return nil, false, err
		}
		if found.in == nil {
			s, err := d.load(ctx, path, mode)
			return s, false, err
		}
		s, err = d.seeThrough(ctx, path, mode, found.in)
		if !errors.Is(err, errElsewhere) || waited == found.raw {
			return s, false, err
		}
		// Who lives has the lock until all is done.
		if err := d.awaitLock(ctx, path); err != nil {
			return nil, false, err
		}
		waited = found.raw
	}
}

// awaitLock waits until nobody has the lock of a document.
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

// isCommitted reports whether the transaction is committed whose intent in was found beside
// the document at path.
func (d *fileDriver) isCommitted(path string, in *intent) (bool, error) {
	if in.Home == "" {
		return in.Committed, nil
	}
	_, found, err := d.homeOf(path, in)
	if err != nil {
		return false, err
	}
	return found.isHomeOf(in.ID) && found.in.Committed, nil
}

// seeThrough loads the document as it is where there is the intent in.
func (d *fileDriver) seeThrough(
	ctx context.Context, path string, mode VersionMode, in *intent,
) (*loaded, error) {
	committed, err := d.isCommitted(path, in)
	if err != nil {
		return nil, err
	}
	if !committed {
		return d.load(ctx, path, mode)
	}
	staged := &loaded{}
	if in.Staged != "" {
		// Before the document: when it is not there any longer, it has been published.
		if staged, err = d.loadStaged(ctx, path, mode, in); err != nil {
			return nil, err
		}
		if staged == nil {
			return d.load(ctx, path, mode)
		}
	}
	now, err := d.load(ctx, path, mode)
	if err != nil {
		staged.close()
		return nil, err
	}
	if now.identity() == in.Old {
		now.close()
		return staged, nil
	}
	staged.close()
	return now, nil
}

// loadStaged loads what a transaction has staged for the document at path, if that is still
// there, and what it says.
func (d *fileDriver) loadStaged(
	ctx context.Context, path string, mode VersionMode, in *intent,
) (*loaded, error) {
	s, err := d.load(ctx, names.Transaction(path, in.Staged), mode)
	switch {
	case errors.Is(err, fsys.ErrSymlink): // nothing that the store has made
		return nil, nil
	case err != nil:
		return nil, err
	}
	believed := false
	if !s.version.IsAbsent() {
		if believed, err = d.believes(path, s.info, 0); err != nil {
			s.close()
			return nil, err
		}
	}
	if !believed || hashVersion(s.data).String() != in.New {
		s.close()
		return nil, nil
	}
	return s, nil
}
