// Bringing former versions of a document back.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/jsonstore/jsonstore/driver"
)

// Undo brings the version back that is n before the current one, as a new version: a
// compare-and-swap under the document's lock. The current version is kept in its turn, if
// the history is on, so that Undo(ctx, 1) after that takes the undo back. If the document
// was deleted, 1 is the version that it had. If there is no such version, the error is
// ErrNotExist; if the document is not valid JSON, ErrInvalid: see Recover. What is brought
// back is a copy, with the access that the document has, but none that the file of that
// version did not give.
func (d *Doc) Undo(ctx context.Context, n int) (Version, error) {
	if n < 1 {
		return Absent, d.error("undo", fmt.Errorf("%w: version @%d; count from 1", ErrPath, n))
	}
	return d.bringBack(ctx, "undo", func(h *pastList) (HistoryEntry, error) { return h.at(ctx, n) })
}

// Restore is Undo for a version that History has listed.
func (d *Doc) Restore(ctx context.Context, e HistoryEntry) (Version, error) {
	return d.bringBack(ctx, "restore", func(h *pastList) (HistoryEntry, error) {
		if e.N == 0 && hashVersion(h.current.data) != e.Version {
			return e, &driver.ConflictError{Key: d.key, Want: e.Version, Have: h.current.version}
		}
		e.Path = filepath.Join(filepath.Dir(h.path), filepath.Base(e.Path))
		return e, nil
	})
}

func (d *Doc) bringBack(
	ctx context.Context, op string, pick func(*pastList) (HistoryEntry, error),
) (version Version, err error) {
	files, err := d.onFiles()
	if err != nil {
		return Absent, d.error(op, err)
	}
	wrote := false
	err = d.write(func() error {
		for tries := 1; ; tries++ {
			version, wrote, err = d.bringBackOnce(ctx, files, pick)
			if tries == maxRestores || !errors.Is(err, ErrConflict) || d.expect != nil {
				return err
			}
		}
	})
	switch {
	case wrote:
		err = d.wrote(op, err)
	case err != nil:
		err = d.error(op, err)
	}
	return version, err
}

func (d *Doc) bringBackOnce(
	ctx context.Context, files *fileDriver, pick func(*pastList) (HistoryEntry, error),
) (version Version, wrote bool, err error) {
	if err := d.checkExpect(); err != nil {
		return Absent, false, err
	}
	mode := files.mode
	if d.expect != nil {
		mode = files.modeFor(*d.expect)
	}
	a := files.attempt(d.key, mode)
	defer a.Close()
	if err := a.lockOnce(ctx); err != nil {
		return Absent, false, err
	}
	old, version, err := a.Read(ctx)
	if err != nil {
		return Absent, false, err
	}
	if d.expect != nil && *d.expect != version {
		return Absent, false, &driver.ConflictError{Key: d.key, Want: *d.expect, Have: version}
	}
	if !version.IsAbsent() {
		if err := d.checkContent(old); err != nil {
			return Absent, false, err // it would be lost
		}
	}
	h, err := files.listFor(a.path, a.current)
	if err != nil {
		return Absent, false, err
	}
	e, err := pick(h)
	if err != nil {
		return Absent, false, err
	}
	data, from, err := h.read(e)
	if err != nil {
		return Absent, false, fmt.Errorf("version @%d: %w", e.N, err)
	}
	if err := d.checkNew(data); err != nil {
		return Absent, false, err
	}
	if !version.IsAbsent() && bytes.Equal(data, old) {
		if err := a.Confirm(ctx); err != nil {
			return Absent, false, err
		}
		return version, false, a.Settle()
	}
	if err := a.Stage(ctx, data); err != nil {
		return Absent, false, err
	}
	if err := a.narrow(from); err != nil {
		return Absent, false, err
	}
	if version, err = a.Publish(ctx); err != nil {
		return Absent, false, err
	}
	return version, true, a.Settle()
}

// Revert takes the change back that has made the version n before the current one (0: the
// current one itself), and keeps the changes since. It merges, as Merge does: if a later
// change is to the same value, the error is a *[merge.Conflicts], and nothing is changed.
// If there is no version before that one, the error is ErrNotExist. It is an Update.
//
// [merge.Conflicts]: https://pkg.go.dev/github.com/jsonstore/jsonstore/merge#Conflicts
func (d *Doc) Revert(ctx context.Context, n int) (Version, error) {
	made, before, err := d.change(ctx, n)
	if err != nil {
		return Absent, d.error("revert", err)
	}
	return d.edit(ctx, "revert", d.threeWay(made, before))
}

// change reads version n and the one before it.
func (d *Doc) change(ctx context.Context, n int) (made, before []byte, err error) {
	if n < 0 {
		return nil, nil, fmt.Errorf("%w: version @%d; count from 0", ErrPath, n)
	}
	files, err := d.onFiles()
	if err != nil {
		return nil, nil, err
	}
	err = files.following(d.key, func(path string) error {
		h, err := files.list(ctx, path)
		if err != nil {
			return err
		}
		for i, into := range []*[]byte{&made, &before} {
			e, err := h.at(ctx, n+i)
			if err != nil {
				return err
			}
			if *into, _, err = h.read(e); err != nil {
				return fmt.Errorf("version @%d: %w", e.N, err)
			}
		}
		return nil
	})
	return made, before, err
}
