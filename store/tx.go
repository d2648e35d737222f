// Transactions: several documents, all or nothing.
//
// The function reads and writes in memory. Then all is committed together, if each document
// that it has read or written still has the version that it saw; else it runs again. The first
// time no lock is held meanwhile. After a conflict the locks of the documents that it used are
// taken before it runs, so that it cannot lose to anybody who takes them.
//
// txdoc.go has the documents of a transaction, txops.go what can be done with them,
// txcommit.go how it is committed on files, intent.go, see.go and recover.go how everybody else
// comes to terms with that.

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/jsonstore/jsonstore/driver"
)

// maxInTransaction is how many documents a transaction may have.
const maxInTransaction = 4096

// A Tx is a transaction while its function runs. It is for the goroutine of the function.
type Tx struct {
	t     *transaction
	ended bool // the function has returned
	// nested is that its goroutine runs the function of another update or transaction.
	nested bool
	moved  bool // a link leads elsewhere than when the locks were taken

	docs    []*txDoc // in the order in which they were used
	listed  []listedKeys
	byKey   map[txKey]*txDoc
	byWhere map[string]*txDoc
}

type txKey struct {
	db  *DB
	key string
}

// Transact may call fn more than once: fn reads and writes any number of documents through tx,
// and then either all of its changes are made, in one instant, or none. No reader of this
// package sees some of them without the others, whichever documents it reads in whichever
// order, and neither does anybody after a crash of the process; nor, unless Options.Durability
// is Volatile, after a power cut.
//
// The documents may be those of any handles on files: of one directory, of several, or single
// files. Those of another engine are one handle's, if the engine can do it
// (driver.Transactor); else the error is ErrUnsupported.
//
// If a document that fn has used was changed meanwhile, fn is called again, on the new
// content. Also a document that fn only read counts, and one that it found to be absent. If fn returns an
// error nothing is changed, and the error comes back wrapped, when what fn saw was found to be
// so at one time. (Until it is, the documents may seem not to fit each other: fn must bear with
// that.) If it panics, the panic passes through and nothing is changed.
//
// Within fn, use only tx to change documents of the transaction: to do so by Doc.Update, or by
// another transaction, is an error.
//
// As with Doc.Update the first try holds no locks; after Retry.EscalateAfter conflicts, fn
// runs while the locks of all documents that it used before are held. Retry, Locking and
// LockWait are those of the first document, and the strictest Durability of all counts. Each is
// of at most 4,096 documents.
//
// When the context ends before all is committed, the error is its cause and nothing was applied, nor
// ever will be. After ErrNotDurable all was applied, after ErrUnknown it may have been, but
// not in part. ErrConflict, after as many tries as Retry allows, means that nothing was changed.
//
// The commit point is the rename of one file (the intent of the first document), which everybody who
// reads one of the documents asks for until all new versions are in their places. A program
// that does not know of intents, such as cat, may see the new version of one document some
// microseconds before that of another; if the process is killed in these, until the next
// writer of one of the documents comes by, or Doc.Sweep is called. A program that replaces one
// of the documents in this time without its lock wins over the transaction.
func Transact(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn}).run()
}

// Transact is the function Transact with the options of db, also where fn uses other
// documents. Fn gets at documents by key with Tx.Doc.
func (db *DB) Transact(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn, db: db, opts: db.opts}).run()
}

// transaction is a transaction over all of its tries.
type transaction struct {
	ctx   context.Context
	fn    func(*Tx) error
	db    *DB      // of Tx.Doc, and where it is counted; that of the first document, if it has none
	opts  *Options // likewise
	start time.Time
	pause *backoff.ExponentialBackOff

	known []*txDoc // documents that it used in earlier tries

	view     bool // it changes nothing
	mustLock bool // the next tries take the locks
}

// txConflict is that a document has changed: not an error of the function's, which may be a
// conflict too.
type txConflict struct{ err error }

func (c *txConflict) Error() string { return c.err.Error() }
func (c *txConflict) Unwrap() error { return c.err }

func (t *transaction) run() error {
	t.start = time.Now()
	for tries := 1; ; tries++ {
		if err := t.ctx.Err(); err != nil {
			return t.error(t.gaveUp(tries-1, context.Cause(t.ctx)))
		}
		if t.db != nil && t.db.closed.Load() {
			return t.error(ErrClosed)
		}
		err := t.try(tries)
		// Not wrapped: what the function returns may wrap that of another transaction.
		conflict, lost := err.(*txConflict)
		if !lost {
			if err != nil {
				return t.error(t.gaveUp(tries-1, err))
			}
			if t.db != nil && !t.view {
				t.db.stats.updates.Add(1)
			}
			return nil
		}
		t.db.stats.conflicts.Add(1)
		t.opts.Logger.Debug("conflict", "transaction", t.label(), "try", tries, "err", err)
		retry := t.opts.Retry
		if retry.MaxTries > 0 && tries >= retry.MaxTries ||
			retry.MaxElapsed > 0 && time.Since(t.start) >= retry.MaxElapsed {
			return t.error(&retryError{tries, time.Since(t.start), conflict.err})
		}
		t.db.stats.retries.Add(1)
		if !t.locks(tries+1) && !t.view {
			t.sleep()
		}
	}
}

// gaveUp is the error of a transaction that has lost some times before it ended.
func (t *transaction) gaveUp(lost int, err error) error {
	ended := t.ctx.Err() != nil && errors.Is(err, context.Cause(t.ctx))
	if lost == 0 || !ended {
		return err
	}
	return &retryError{lost, time.Since(t.start), fmt.Errorf("%w: %w", ErrConflict, err)}
}

// locks reports whether a try takes the locks first.
func (t *transaction) locks(try int) bool {
	switch {
	case t.db == nil || len(t.known) == 0 || !t.canLock():
		return false
	case t.mustLock:
		return true
	case t.view:
		return try > optimisticViews || t.opts.Locking && try > 1
	}
	after := t.opts.Retry.EscalateAfter
	return t.opts.Locking || after >= 0 && try > after
}

// canLock reports whether the documents have locks: all are files.
func (t *transaction) canLock() bool {
	return !slices.ContainsFunc(t.known, func(e *txDoc) bool { return e.doc.drv.files == nil })
}

func (t *transaction) sleep() {
	if t.pause == nil {
		t.pause = newBackOff(t.opts.Retry)
	}
	timer := time.NewTimer(t.pause.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
	}
}

// error gives an error the names of the documents.
func (t *transaction) error(err error) error {
	op := "transact"
	if t.view {
		op = "view"
	}
	return &Error{op, t.label(), err}
}

// label names the documents, as far as they are known.
func (t *transaction) label() string {
	const most = 3
	text := ""
	for i, e := range t.known {
		switch {
		case i == most:
			return fmt.Sprintf("%s and %d more", text, len(t.known)-most)
		case i > 0:
			text += ", "
		}
		text += e.doc.name
	}
	if text == "" {
		return "documents"
	}
	return text
}

// try runs the function once and commits what it has made. A *txConflict is for another try.
func (t *transaction) try(tries int) (err error) {
	tx := &Tx{t: t, byKey: map[txKey]*txDoc{}, byWhere: map[string]*txDoc{}}
	defer tx.close()
	tx.nested = inFunction() // before there are functions of its own
	if t.locks(tries) {
		if tries > 1 {
			t.db.stats.escalations.Add(1)
		}
		if err := tx.lockKnown(); err != nil {
			return err
		}
	}
	if err := tx.call(); err != nil {
		return err
	}
	return tx.commit()
}

// call runs the function.
func (tx *Tx) call() error {
	defer func() {
		tx.ended = true
		for _, e := range tx.docs {
			e.leave()
		}
	}()
	err := tx.t.fn(tx)
	if tx.moved {
		tx.t.known = nil
		return &txConflict{fmt.Errorf("%w: a document is elsewhere by now", ErrConflict)}
	}
	if err == nil {
		return nil
	}
	// What it saw may never have been, and then this says nothing.
	switch again := tx.recheck().(type) {
	case nil:
		return err
	case *txConflict:
		return again
	default:
		return fmt.Errorf("%w; what it has read may not have been so at one moment: %w", err, again)
	}
}

// close gives back and forgets all.
func (tx *Tx) close() {
	tx.ended = true
	for _, e := range tx.docs {
		e.leave()
		e.close()
		same := func(k *txDoc) bool { return k.where == e.where }
		if !tx.moved && !slices.ContainsFunc(tx.t.known, same) {
			tx.t.known = append(tx.t.known, &txDoc{doc: e.doc, path: e.path, where: e.where,
				order: e.order})
		}
	}
}

// commit makes the changes.
func (tx *Tx) commit() error {
	if err := tx.t.ctx.Err(); err != nil {
		return context.Cause(tx.t.ctx)
	}
	if tx.t.view {
		return tx.recheck()
	}
	if len(tx.docs) == 0 {
		return nil
	}
	if tx.docs[0].a == nil {
		return tx.commitEngine()
	}
	return tx.commitFiles()
}

// commitEngine commits in an engine other than files.
func (tx *Tx) commitEngine() error {
	drv := tx.docs[0].doc.drv.transactor
	var changes []driver.Change
	var changed []*txDoc
	for _, e := range tx.docs {
		c := driver.Change{Key: e.doc.key, Old: e.version, Keep: !e.changed()}
		if !c.Keep {
			c.Data, c.Delete = e.now.data, !e.now.exists
		}
		changes, changed = append(changes, c), append(changed, e)
	}
	versions, err := drv.Commit(tx.t.ctx, changes)
	if errors.Is(err, ErrConflict) {
		return &txConflict{err}
	}
	if err != nil && !errors.Is(err, ErrNotDurable) {
		return err
	}
	for i, e := range changed {
		e.made(versions[i])
	}
	return err
}
