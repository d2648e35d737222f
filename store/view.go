// Views: a consistent read of several documents.
//
// The documents are read one after the other, as any reader does, and stay open, so that their
// inode numbers do not come back. Then each is looked at again: if no transaction has an intent
// beside it, and its file is the one that was read, it did not change meanwhile; and all that did
// not change between the last read and the first of these looks was there together.
// Otherwise they are read again; after some tries, or where one is absent and so has no inode,
// with their locks.

package store

import (
	"context"
	"errors"
	"slices"
)

// optimisticViews is how often a view is tried without locks.
const optimisticViews = 3

// errView: a view is to change something.
var errView = errors.New("a view changes nothing; use Transact")

// View may call fn more than once: fn reads any number of documents through tx, and when View
// returns without error, what it has read in its last run is how all of them were at one moment: of a
// transaction it has seen all or nothing. The changing methods of tx are errors. If
// fn returns an error, that comes back wrapped, when what fn saw was found to be so at one moment.
//
// It takes no locks unless documents keep changing while they are read, or one is absent; then
// it waits for their writers. Options are those of the first document, as in
// Transact; what is there is not made durable. A view has at most 4,096 documents.
func View(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn, view: true}).run()
}

// View is the function View with the options of db. Fn gets at documents by key with Tx.Doc, and
// at all beneath a prefix with Tx.Keys.
func (db *DB) View(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn, view: true, db: db, opts: db.opts}).run()
}

// listedKeys are keys that a view has listed.
type listedKeys struct {
	prefix string
	keys   []string
}

// Keys returns the keys that begin with prefix, in byte order. It is for DB.View: which
// documents there are is looked at again when all have been read, and if it is different, fn
// runs again.
func (tx *Tx) Keys(prefix string) ([]string, error) {
	switch {
	case tx.ended:
		return nil, errEnded
	case !tx.t.view || tx.t.db == nil:
		return nil, &Error{"list", prefix, errors.New("keys can be listed in the View of a DB " +
			"only")}
	}
	keys, err := tx.t.list(prefix)
	if err == nil {
		tx.listed = append(tx.listed, listedKeys{prefix, slices.Clone(keys)})
	}
	return keys, err
}

func (t *transaction) list(prefix string) (keys []string, err error) {
	for key, err := range t.db.Keys(t.ctx, prefix) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// endView looks whether what a view has read was there at one moment.
func (tx *Tx) endView() error {
	absent, found := 0, 0
	for _, e := range tx.docs {
		switch {
		case !e.loaded:
		case e.read.exists:
			found++
		case e.a != nil && e.a.held == nil:
			absent++
		}
	}
	if absent > 0 && absent+found > 1 && !tx.t.mustLock && tx.t.canLock() {
		// Its absence has no inode that would tell whether it was there meanwhile.
		tx.t.mustLock = true
		return &txConflict{ErrConflict}
	}
	if err := tx.recheck(); err != nil {
		return err
	}
	for _, l := range tx.listed {
		keys, err := tx.t.list(l.prefix)
		if err != nil {
			return err
		}
		if !slices.Equal(keys, l.keys) {
			return &txConflict{errors.Join(ErrConflict, errors.New("documents have come or gone"))}
		}
	}
	return nil
}
