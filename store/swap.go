// Compare-and-swap by hand, and what content a document may have.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// checkContent checks the content of the document.
func (d *Doc) checkContent(data []byte) error {
	err := splice.Check(data, d.opts.limits())
	if err == nil {
		return nil
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return d.errEmpty()
	}
	if d.drv.files == nil {
		return fmt.Errorf("%w JSON: %w; repair it, or restore it from a copy", ErrInvalid, err)
	}
	return fmt.Errorf("%w JSON: %w; repair it, restore it from a copy, or %s", ErrInvalid, err,
		seeRecover)
}

// seeRecover is what the errors of a broken document say. The command says its own verb
// instead.
const seeRecover = "see Doc.Recover"

// errEmpty is the error for an empty document. A power cut leaves one if the writer did
// not flush.
func (d *Doc) errEmpty() error {
	const startOver = "to start over, delete the document"
	files := d.drv.files
	if files == nil {
		return fmt.Errorf("%w JSON: the document is empty; restore it from a copy, or, %s",
			ErrInvalid, startOver)
	}
	if orphans := files.orphans(d.key); len(orphans) > 0 {
		return fmt.Errorf("%w JSON: the document is empty; its content may be in %s "+
			"beside it: %s; else, %s",
			ErrInvalid, strings.Join(orphans, " or "), seeRecover, startOver)
	}
	return fmt.Errorf("%w JSON: the document is empty; restore it from a copy, or %s; else, %s",
		ErrInvalid, seeRecover, startOver)
}

// checkNew checks the new content of the document.
func (d *Doc) checkNew(data []byte) error {
	limit := d.opts.MaxSize
	if engine := d.drv.Caps().MaxSize; engine > 0 && engine < limit {
		limit = engine
	}
	if int64(len(data)) > limit {
		return errTooLarge(int64(len(data)), limit)
	}
	if err := splice.Check(data, d.opts.limits()); err != nil {
		return fmt.Errorf("the new content is %w JSON: %w; the document was left as it was",
			ErrInvalid, err)
	}
	return nil
}

// CompareAndSwap replaces the document with data if its version is old, and returns the
// new version. With Absent it creates the document, and is ErrExist if the document
// exists. If the version is another one, the error is a *ConflictError and nothing was
// changed.
//
// On files the linearization point is a rename under the document's lock. A crash
// before it leaves the old version, after it the new one. When it returns without error
// the change is as durable as Options.Durability says. ErrNotDurable comes with the new
// version.
func (d *Doc) CompareAndSwap(ctx context.Context, old Version, data []byte) (Version, error) {
	version := Absent
	err := d.write(func() (err error) {
		if err = d.checkNew(data); err == nil {
			version, err = d.drv.Swap(ctx, d.key, old, data)
		}
		return err
	})
	if err := d.wrote("swap", err); err != nil {
		return version, err
	}
	return version, nil
}

// CompareAndDelete deletes the document if its version is old. Otherwise, and if the
// document is absent, the error is a *ConflictError and nothing was changed.
func (d *Doc) CompareAndDelete(ctx context.Context, old Version) error {
	return d.wrote("delete", d.write(func() error { return d.drv.Delete(ctx, d.key, old) }))
}

// Create creates the document; if it exists, the error is ErrExist. It is
// CompareAndSwap from Absent.
func (d *Doc) Create(ctx context.Context, data []byte) (Version, error) {
	return d.CompareAndSwap(ctx, Absent, data)
}

// CreateIfEmpty creates the document if it is absent, or empty: of no bytes, or of white
// space. If it has any other content, the error is ErrExist, and nothing was changed. An
// empty file keeps its mode. It is an Update, with the same linearization point.
func (d *Doc) CreateIfEmpty(ctx context.Context, data []byte) (Version, error) {
	return d.amend(ctx, "create", func(old docState) (docState, error) {
		if len(bytes.TrimSpace(old.data)) > 0 {
			return docState{}, errHasContent
		}
		return docState{data: data, exists: true}, nil
	})
}

var errHasContent = fmt.Errorf("%w: the document is there, and is not empty; to change it, give "+
	"its version (%w)", ErrConflict, ErrExist)

// write runs do, which writes to the document without queueing.
func (d *Doc) write(do func() error) error {
	if d.keyErr != nil {
		return d.keyErr
	}
	done, err := d.nest()
	if err != nil {
		return err
	}
	defer done()
	return do()
}

// wrote counts a write with the given outcome, and gives its error the document's name.
func (d *Doc) wrote(op string, err error) error {
	if err == nil || errors.Is(err, ErrNotDurable) {
		d.db.stats.writes.Add(1)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrConflict) {
		d.db.stats.conflicts.Add(1)
	}
	return d.error(op, err)
}
