// The documents of a transaction.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// txDoc is a document in one try of a transaction.
type txDoc struct {
	doc   *Doc
	path  string   // of its file, as its driver names it
	where string   // its absolute path
	order string   // by which locks are ordered: where, but in simulations
	a     *attempt // nil in engines other than files
	lock  *wantedLock

	view    bool // it may not be changed
	loaded  bool
	read    docState
	now     docState
	version Version // that was read; when the transaction is committed, that it has then

	frame  frame
	framed bool

	// While it is committed:
	says      intent
	staged    *staged   // the new version, until it is published; nil for a deletion
	intent    *staged   // the file of the intent, until that is in place; and then until the end
	displaced string    // the path of the version that a guard has displaced, else empty
	placed    bool      // the intent is in place
	left      bool      // its files have to stay, for the next writer
	dir       fsys.Info // of its directory, if it is written or absent
}

// Doc returns the handle on the document with a key of the DB whose Transact this is. In the
// function Transact there is none: it is ErrKey when the document is used.
func (tx *Tx) Doc(key string) *Doc {
	if tx.t.db == nil {
		return &Doc{key: key, name: key, opts: &Options{},
			keyErr: fmt.Errorf("%w: the transaction is not that of a DB; use the handle's Doc",
				ErrKey)}
	}
	return tx.t.db.Doc(key)
}

// errEnded: a transaction is used that is over.
var errEnded = errors.New("the function of the transaction has returned; use Tx only within it")

// use returns the document in this try, which is read when it is used first.
func (tx *Tx) use(doc *Doc) (*txDoc, error) {
	if tx.ended {
		return nil, errEnded
	}
	if doc.keyErr != nil {
		return nil, doc.keyErr
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
	if e.loaded {
		return e, nil
	}
	if e.a != nil && e.a.held != nil {
		// The lock is that of what links led to before.
		if moved, err := e.a.moved(); err != nil || moved != "" {
			tx.moved = tx.moved || moved != ""
			return nil, errors.Join(err, ErrConflict)
		}
	}
	return e, e.load(tx.t.ctx)
}

// add adds a document, and reads it.
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
		e.a = files.attempt(doc.key, files.mode)
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
	if same := tx.byWhere[e.where]; same != nil { // through another handle
		e.close()
		tx.byKey[key] = same
		same.strengthen(doc)
		return same, nil
	}
	if !t.view && tx.nested {
		// A function of an update of this document waits for this transaction, perhaps.
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

// leave is that the function has returned.
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

// close gives back what it holds.
func (e *txDoc) close() {
	for _, s := range []*staged{e.staged, e.intent} {
		if s != nil {
			s.discard()
		}
	}
	e.staged, e.intent = nil, nil
	if e.a != nil {
		e.a.Close()
	}
}

// changed reports whether there is something to publish.
func (e *txDoc) changed() bool { return !e.now.equal(e.read) }

// made notes the version that it has when the transaction is committed.
func (e *txDoc) made(version Version) {
	if e.changed() {
		e.doc.db.stats.writes.Add(1)
		e.version = version
	}
}

// recheck looks whether the documents were as the function saw them at one time; if not, that
// is a conflict. Under the locks they were.
func (tx *Tx) recheck() error {
	var loaded []*txDoc
	for _, e := range tx.docs {
		if e.loaded {
			loaded = append(loaded, e)
		}
	}
	if len(loaded) < 2 {
		return nil
	}
	if loaded[0].a == nil {
		var same []driver.Change
		for _, e := range loaded {
			same = append(same, driver.Change{Key: e.doc.key, Old: e.version, Keep: true})
		}
		_, err := loaded[0].doc.drv.transactor.Commit(tx.t.ctx, same)
		if errors.Is(err, ErrConflict) {
			return &txConflict{err}
		}
		return nil // the function's own error matters more
	}
	for _, e := range loaded {
		if e.a.held != nil {
			continue
		}
		same, err := e.a.d.isStill(e.path, e.a.current)
		if err == nil && !same {
			return &txConflict{e.doc.error("verify", e.a.conflict(e.version))}
		}
	}
	return nil
}

// isStill reports whether the document at path is the file that was read, and no transaction
// says otherwise. The intent is looked for first: a transaction makes it before, and removes
// it after, it replaces the file.
func (d *fileDriver) isStill(path string, read *loaded) (bool, error) {
	_, err := d.files.Readlink(names.Intent(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if found, err := d.intentAt(path); err != nil || found.there {
			return false, err
		}
	}
	now, err := d.files.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return read.file == nil, nil
	}
	return err == nil && read.file != nil && now.SameFile(read.info) &&
		now.Mtime == read.info.Mtime &&
		now.Size == read.info.Size, err
}
