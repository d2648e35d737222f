// The documents of a transaction: each is read when the function uses it first.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// txDoc is a document in one try of a transaction.
type txDoc struct {
	doc   *Doc
	path  string   // of its file, for its driver
	where string   // its absolute path
	order string   // the sort key of its lock: where, except in simulations
	a     *attempt // nil in engines other than files
	lock  *wantedLock

	view    bool     // it may not be changed
	loaded  bool     // read, now and version are set
	read    docState // as it was read
	now     docState // as the function has changed it
	version Version  // that was read; after the commit, the new one

	frame  frame
	framed bool

	// While it is committed:
	does      change    // what is done; without identities until it is verified
	link      string    // the text of a member's intent, from then on
	intent    *staged   // a member's intent, if that is a file; it is closed
	staged    *staged   // the new version, until the end; nil for a deletion
	displaced string    // the path of the version that a guard has displaced, else empty
	mounted   bool      // its file is a mount point
	left      bool      // its files have to stay, for the next writer
	dir       fsys.Info // of its directory, if it is written or absent
}

// Doc returns a handle on the document with a key, in the DB whose method Transact or View
// calls the function. The functions Transact and View have no DB: there, each use of the
// document is ErrKey.
func (tx *Tx) Doc(key string) *Doc {
	if tx.t.db == nil {
		return &Doc{key: key, name: key, opts: &Options{},
			keyErr: fmt.Errorf("%w: the transaction is not that of a DB; use the handle's Doc",
				ErrKey)}
	}
	return tx.t.db.Doc(key)
}

// errEnded is the error of each use of a Tx after its function has returned.
var errEnded = errors.New("the function of the transaction has returned; use Tx only within it")

// use returns the document as this try knows it. The first use reads it. A version that
// the handle expects is compared at each use.
func (tx *Tx) use(doc *Doc) (*txDoc, error) {
	if tx.ended {
		return nil, errEnded
	}
	if err := cmp.Or(doc.keyErr, doc.checkExpect()); err != nil {
		return nil, err
	}
	key := txKey{doc.db, doc.key}
	e := tx.byKey[key]
	if e == nil {
		var err error
		if e, err = tx.add(key, doc); err != nil {
			return nil, err
		}
	}
	e.strengthen(doc)
	if !e.loaded {
		if e.a != nil && e.a.held != nil {
			// The lock is that of the document to which links led before.
			if moved, err := e.a.moved(); err != nil || moved != "" {
				tx.moved = tx.moved || moved != ""
				return nil, errors.Join(err, ErrConflict)
			}
		}
		if err := e.load(tx.t.ctx); err != nil {
			return nil, err
		}
	}
	if err := e.isExpectedIn(doc); err != nil {
		return nil, err
	}
	return e, nil
}

// add adds a document to the try, and reads it.
func (tx *Tx) add(key txKey, doc *Doc) (*txDoc, error) {
	t := tx.t
	if t.opts == nil {
		t.db, t.opts = doc.db, doc.opts
	}
	if len(tx.docs) >= maxInTransaction {
		return nil, fmt.Errorf("%w: a transaction has at most %d documents", ErrTooLarge,
			maxInTransaction)
	}
	e := &txDoc{doc: doc}
	files := doc.drv.files
	ok := files != nil
	if len(tx.docs) > 0 && (tx.docs[0].a != nil) != ok {
		return nil, fmt.Errorf("%w: a transaction over documents in files and in another engine",
			ErrUnsupported)
	}
	if !ok {
		if doc.drv.transactor == nil {
			return nil, fmt.Errorf("%w: transactions in the engine %q", ErrUnsupported,
				doc.drv.Caps().Name)
		}
		if len(tx.docs) > 0 && tx.docs[0].doc.drv != doc.drv {
			return nil, fmt.Errorf("%w: a transaction over documents of several engines",
				ErrUnsupported)
		}
		e.where, e.order = doc.key, doc.key
	} else {
		if files.opts.LockPath != "" {
			return nil, fmt.Errorf("%w: transactions over a document with LockPath: others "+
				"could not "+
				"finish them", ErrUnsupported)
		}
		e.a = files.attempt(doc.key, doc.mode())
	}
	if err := e.load(t.ctx); err != nil {
		e.close()
		return nil, err
	}
	if e.a != nil {
		if err := e.locate(); err != nil {
			e.close()
			return nil, err
		}
	}
	if same := tx.byWhere[e.where]; same != nil { // used through another handle before
		e.close()
		tx.byKey[key] = same
		same.strengthen(doc)
		return same, nil
	}
	if !t.view && tx.nested {
		// The function of an update of this document may be waiting for this transaction.
		done, err := doc.nest()
		if err != nil {
			e.close()
			return nil, err
		}
		done()
	}
	tx.insert(key, e)
	return e, nil
}

// strengthen makes the attempt as durable and as guarded as a handle on the document
// demands: with several handles the strictest counts.
func (e *txDoc) strengthen(doc *Doc) {
	if e.a == nil {
		return
	}
	durability := min(e.a.d.opts.Durability, doc.opts.Durability)
	guard := e.a.d.opts.GuardForeign || doc.opts.GuardForeign
	if durability == e.a.d.opts.Durability && guard == e.a.d.opts.GuardForeign {
		return
	}
	opts := *e.a.d.opts
	opts.Durability, opts.GuardForeign = durability, guard
	e.a.d = e.a.d.with(&opts)
	if e.loaded {
		e.read.doubted = e.a.doubted()
	}
}

func (tx *Tx) insert(key txKey, e *txDoc) {
	e.view = tx.t.view
	tx.docs = append(tx.docs, e)
	tx.byKey[key], tx.byWhere[e.where] = e, e
	e.frame.push(e.doc)
	e.framed = true
}

// leave ends the frame that records the document as one of the function's.
func (e *txDoc) leave() {
	if e.framed {
		e.frame.pop()
		e.framed = false
	}
}

// load reads the document.
func (e *txDoc) load(ctx context.Context) (err error) {
	if e.doc.db.closed.Load() {
		return ErrClosed
	}
	if e.a != nil {
		e.read.data, e.version, err = e.a.Read(ctx)
	} else {
		e.read.data, e.version, err = e.doc.drv.Read(ctx, e.doc.key)
	}
	if err != nil {
		return err
	}
	e.doc.db.stats.reads.Add(1)
	e.read.exists = !e.version.IsAbsent()
	if e.a != nil {
		e.read.doubted = e.a.doubted()
	}
	e.now, e.loaded = e.read, true
	return nil
}

// locate finds out where the file is, of which a.path is how its driver names it.
func (e *txDoc) locate() error {
	e.path = e.a.path
	err := e.find()
	e.order = e.where
	if orders := e.doc.db.orders; orders != nil {
		e.order = orders(e.where)
	}
	return err
}

// find resolves the links to the document's directory: relative paths in intents start
// from there.
func (e *txDoc) find() error {
	dir, err := e.a.d.resolve(filepath.Dir(e.path))
	if err != nil {
		return err
	}
	e.path = filepath.Join(dir, filepath.Base(e.path))
	e.a.path = e.path
	switch db := e.doc.db; {
	case db.where == "" || filepath.IsAbs(e.path):
		e.where = e.path
	case db.single: // beneath its directory
		e.where = filepath.Join(filepath.Dir(db.where), e.path)
	default:
		e.where = filepath.Join(db.where, e.path)
	}
	return nil
}

// close releases the lock and the files, and removes the temporary files.
func (e *txDoc) close() {
	e.discard()
	if e.a != nil {
		e.a.Close()
	}
}

// discard removes what is staged.
func (e *txDoc) discard() {
	if e.staged != nil {
		e.staged.discard()
		e.staged = nil
	}
}

// changed reports whether there is a new version to publish.
func (e *txDoc) changed() bool { return !e.now.equal(e.read) }

// made sets the version that the document has after the commit.
func (e *txDoc) made(version Version) {
	if e.changed() {
		e.doc.db.stats.writes.Add(1)
		e.version = version
	}
}
