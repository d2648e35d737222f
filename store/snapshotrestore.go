// Documents of a snapshot become those of the directory again.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// RestoreOptions says what Restore does. Nil means the defaults.
type RestoreOptions struct {
	// Keys are the documents to restore. Default: all that the snapshot has.
	Keys []string
	// DeleteOthers also deletes the documents that the snapshot does not have. With Keys it
	// deletes those of Keys that it does not have, which else are ErrNotExist.
	DeleteOthers bool
	// Expect has versions that documents must have before the restore: with another one it is
	// ErrConflict, and nothing is changed. Absent means that there is no document.
	Expect map[string]Version
	// DryRun changes nothing.
	DryRun bool
}

// RestoredDocument is a document that Restore has changed. With DryRun it would.
type RestoredDocument struct {
	Key     string
	Before  Version // Absent if it was created
	Version Version // Absent if it was deleted. With DryRun it is that in the snapshot
}

// Restore makes documents of the directory what they are in the snapshot: all, or those that are
// named. It returns those that were changed, in the order of their keys. Its changes are one
// transaction, as durable as Options.Durability says: all are made, at one moment, or none. So
// they fit what View and Transact say. All contents are compared with their checksums first,
// and must be valid JSON, else it is ErrInvalid.
//
// A document keeps the mode and owner that it has; one that is created gets Options.Perm.
//
// A transaction has at most 4,096 documents. If more are to be restored, those that have
// their content already when they are looked at, before the transaction, are not part of it; if
// still more are left, the error is ErrTooLarge, and Restore has to be called for some of them
// at a time. Documents that are created while Restore runs are not deleted by DeleteOthers.
func (s *Snapshot) Restore(ctx context.Context, opts *RestoreOptions) ([]RestoredDocument, error) {
	if opts == nil {
		opts = &RestoreOptions{}
	}
	restored, err := s.restore(ctx, *opts)
	if err != nil {
		return restored, &Error{"restore from", s.info.Path, err}
	}
	return restored, nil
}

// wantedDocument is a document that is to be as it is in the snapshot.
type wantedDocument struct {
	key   string
	doc   *Doc
	data  []byte
	there bool // in the snapshot
}

func (s *Snapshot) restore(
	ctx context.Context, opts RestoreOptions,
) (restored []RestoredDocument, err error) {
	wanted, err := s.wanted(ctx, opts)
	if err != nil {
		return nil, err
	}
	var tx *Tx
	do := s.db.Transact
	if opts.DryRun {
		do = s.db.View
	}
	err = do(ctx, func(again *Tx) error {
		tx, restored = again, nil
		for _, w := range wanted {
			now, before, err := tx.Read(w.doc)
			switch {
			case errors.Is(err, ErrNotExist):
				if !w.there {
					continue
				}
			case errors.Is(err, ErrInvalid): // all the more
			case err != nil:
				return err
			case w.there && bytes.Equal(now, w.data):
				continue
			}
			err, after := error(nil), Absent
			switch {
			case w.there && opts.DryRun:
				after = hashVersion(w.data)
			case w.there:
				err = tx.Write(w.doc, w.data)
			case !opts.DryRun:
				err = tx.Delete(w.doc)
			}
			if err != nil {
				return err
			}
			restored = append(restored, RestoredDocument{w.key, before, after})
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotDurable) {
		return nil, err
	}
	for i := range restored {
		if !opts.DryRun {
			restored[i].Version = tx.Version(s.db.Doc(restored[i].Key))
		}
	}
	return restored, err
}

// wanted reads what is to be restored.
func (s *Snapshot) wanted(
	ctx context.Context, opts RestoreOptions,
) (all []wantedDocument, err error) {
	keys := slices.Clone(opts.Keys)
	if opts.Keys == nil {
		for _, e := range s.entries {
			keys = append(keys, e.Key)
		}
		if opts.DeleteOthers {
			for key, err := range s.db.Keys(ctx, "") {
				if err != nil {
					return nil, err
				}
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for key := range opts.Expect {
		if _, found := slices.BinarySearch(keys, key); !found {
			return nil, fmt.Errorf("%w: %s is expected at a version, but not restored", ErrKey, key)
		}
	}
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		w := wantedDocument{key: key, doc: s.db.Doc(key)}
		w.data, _, err = s.read(key)
		w.there = err == nil
		switch {
		case errors.Is(err, ErrNotExist) && opts.DeleteOthers:
		case err != nil:
			return nil, err
		default:
			if err := w.doc.checkNew(w.data); err != nil {
				return nil, w.doc.error("restore", err)
			}
		}
		expected, expects := opts.Expect[key]
		if expects {
			w.doc = w.doc.Expect(expected)
		}
		if len(keys) > maxInTransaction && !expects && s.isSo(ctx, w) {
			continue
		}
		all = append(all, w)
	}
	if len(all) > maxInTransaction {
		return nil, fmt.Errorf("%w: %d documents differ, and a transaction has at most %d; "+
			"restore some of them at a time, by their keys", ErrTooLarge, len(all),
			maxInTransaction)
	}
	return all, nil
}

// isSo reports whether a document is as it is in the snapshot.
func (s *Snapshot) isSo(ctx context.Context, w wantedDocument) bool {
	now, _, err := w.doc.Read(ctx)
	if !w.there {
		return errors.Is(err, ErrNotExist)
	}
	return err == nil && bytes.Equal(now, w.data)
}
