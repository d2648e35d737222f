// Views: a consistent read of several documents.
//
// The documents are read one after the other, as Doc.Read does, and stay open. Then all
// are looked at again (still.go). If one has changed, the function runs again; after some
// tries it runs while their locks are held.

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// optimisticViews is how often a view is tried without locks.
const optimisticViews = 3

// errView is the error of a change in a view.
var errView = errors.New("a view changes nothing; use Transact")

// View calls fn, perhaps more than once, to read any number of documents through tx. When
// View returns without error, the documents that the last call has read were all so at one
// moment: of each transaction it has seen all or nothing. If fn returns an error, that is
// returned wrapped, once what fn has seen was found to be so at one moment; if that cannot
// be found out, the reason is wrapped with it. The methods of tx that change documents are
// errors.
//
// The linearization point is a moment during the call: after the last read of the last
// call of fn, and before View returns.
//
// View does not wait for writers while the documents exist, not even for a process that
// has stopped in the middle of a transaction. If documents keep changing while they are
// read, or if several are absent that the store has had before, it takes their locks, and
// waits for their writers. It creates no file, and needs no permission to write. What it
// has read may not be durable yet.
//
// The documents may be those of several handles, as in Transact, and the options are those
// of the first document. After Retry.MaxTries or Retry.MaxElapsed the error is ErrConflict;
// when the context ends, its cause. A view has at most 4,096 documents.
func View(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn, view: true}).run()
}

// View is the function View with the options of db. Tx.Doc returns documents by their key,
// and Tx.Keys the keys that begin with a prefix: the documents beneath it, with their
// content, are what they were at one moment.
func (db *DB) View(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn, view: true, db: db, opts: db.opts}).run()
}

// listedKeys are keys that a view has listed.
type listedKeys struct {
	prefix string
	keys   []string
}

// Keys returns the keys that begin with prefix, in byte order. Only a View of a DB has
// them; elsewhere Keys is an error.
//
// They are the keys at the moment of which the view's documents are. A document that a
// transaction is creating is listed if that is committed, and one that it is deleting if
// that is not. The directories are read again after the last document. If the keys differ
// then, fn runs again, so that a View fails with ErrConflict, or runs until its context
// ends, where documents are created or deleted faster than fn can read them. Several
// directories are not read in one instant, nor is one with some hundred files: a document
// that is created and deleted again while each of the two listings is being read may be
// missing from the keys.
func (tx *Tx) Keys(prefix string) ([]string, error) {
	switch {
	case tx.ended:
		return nil, errEnded
	case !tx.t.view || tx.t.db == nil:
		return nil, &Error{"list", prefix, errors.New("keys can be listed in the View of a DB " +
			"only")}
	}
	keys, _, err := tx.list(prefix, func(doc *Doc) (bool, error) {
		e, err := tx.use(doc)
		if err != nil {
			return false, doc.error("read", err)
		}
		return e.read.exists, nil
	})
	if err != nil {
		return nil, err
	}
	tx.listed = append(tx.listed, listedKeys{prefix, slices.Clone(keys)})
	return keys, nil
}

// list returns the keys that begin with prefix. Exists reports whether a document exists
// beside which there is an intent. Moving reports that the directory has changed while it
// was read.
func (tx *Tx) list(
	prefix string, exists func(doc *Doc) (bool, error),
) (keys []string, moving bool, err error) {
	t := tx.t
	files := t.db.drv.files
	if files == nil {
		for key, err := range t.db.Keys(t.ctx, prefix) {
			if err != nil {
				return nil, false, err
			}
			keys = append(keys, key)
		}
		return keys, false, nil
	}
	all, err := files.listAll(t.ctx, prefix)
	if err != nil {
		return nil, false, &Error{"list", t.db.listed(prefix), err}
	}
	keys = all.keys
	for _, key := range all.intents {
		there, err := exists(t.db.Doc(key))
		if err != nil {
			return nil, false, err
		}
		at, found := slices.BinarySearch(keys, key)
		switch {
		case there && !found:
			keys = slices.Insert(keys, at, key)
		case !there && found:
			keys = slices.Delete(keys, at, at+1)
		}
	}
	return keys, all.moving, nil
}

// relist lists again what the function has listed, and returns a *txConflict if that has
// changed.
func (tx *Tx) relist() error {
	for _, l := range tx.listed {
		keys, moving, err := tx.list(l.prefix, func(doc *Doc) (bool, error) {
			e := tx.byKey[txKey{doc.db, doc.key}]
			if e == nil || !e.loaded {
				return false, &txConflict{fmt.Errorf("%w: a transaction with %s has begun",
					ErrConflict, doc.name)}
			}
			return e.read.exists, nil
		})
		if err != nil {
			return err
		}
		if moving || !slices.Equal(keys, l.keys) {
			return &txConflict{fmt.Errorf("%w: documents were created or deleted", ErrConflict)}
		}
	}
	return nil
}
