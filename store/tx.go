// Transactions: changes of several documents, all or nothing.
//
// The function reads and writes in memory. Then all changes are committed together, if
// each document that it used still has the version that it saw. Otherwise the function
// runs again. The first try takes no locks before the commit. After a conflict, a try
// first takes the locks of the documents that earlier tries have used, so that no other
// caller of the store can make it lose.
//
//	   (locks) ---> function ---> commit ---> success
//	      ^            |            |
//	      |            |            +-------> error
//	      +------------+------------+
//	               conflict
//
// txdoc.go has the documents of a transaction, txops.go its operations, txcommit.go the
// commit on files. Other processes see a transaction by its intents: intent.go, see.go,
// recover.go.

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

// A Tx is one run of a transaction's function. Only the goroutine of the function may use
// it, and only until the function returns.
type Tx struct {
	t      *transaction
	ended  bool // the function has returned
	nested bool // the goroutine also runs the function of another update or transaction
	moved  bool // a link has changed since the locks were taken

	docs    []*txDoc // in the order in which they were used
	listed  []listedKeys
	byKey   map[txKey]*txDoc
	byWhere map[string]*txDoc
}

type txKey struct {
	db  *DB
	key string
}

// Transact may call fn more than once. Fn reads and writes documents through tx. Then
// either all of its changes are made, at one moment, or none is. No reader of this
// package sees some of them without the others, and no crash of a process leaves some of
// them. Nor does a power cut, unless Options.Durability is Volatile.
//
// The documents may belong to any handles on files: on one directory, on several, or on
// single files. Documents of another engine must belong to one handle, and the engine
// must support transactions (driver.Transactor), otherwise the error is ErrUnsupported. A
// transaction has at most 4,096 documents.
//
// If a document that fn has used was changed meanwhile, fn is called again on the new
// content. That includes documents that fn only read, and those that it found absent. If
// fn returns an error, nothing is changed, and the error comes back wrapped, after the
// check that all that fn saw existed at one moment. Before that check the documents may
// not fit each other, which fn must tolerate. If fn panics, nothing is changed, and the
// panic passes through.
//
// Fn must change the documents of the transaction only through tx. A Doc.Update or another
// transaction on them within fn is an error.
//
// The first try holds no locks while fn runs. After Retry.EscalateAfter conflicts, fn runs
// while the locks of all documents are held that earlier tries have used. Retry, Locking,
// LockWait and Logger are those of the first document. Of Durability and GuardForeign the
// strictest of all handles counts.
//
// If the context ends before the commit, the error is its cause, and nothing was or will
// be applied. ErrConflict, after as many tries as Retry allows, means that nothing was
// changed. After ErrNotDurable all changes were applied, but a power cut may undo all of
// them; if there were no changes, what fn read may not be durable. After ErrUnknown all
// changes or none were applied.
//
// The linearization point is the growth of one file, the intent of one of the written
// documents. Readers of this package look for intents. Another program, such as cat, may
// see one new version microseconds before the next. If the process is killed in between,
// or cannot flush the commit, another program may see old versions until the next write
// to one of the documents, or Doc.Sweep. A program that replaces a document at that time
// without the lock wins over the transaction; with GuardForeign its version is never lost.
func Transact(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn}).run()
}

// Transact is the function Transact with the options of db, even if fn first uses a
// document of another handle. Tx.Doc returns the documents of db by key.
func (db *DB) Transact(ctx context.Context, fn func(tx *Tx) error) error {
	return (&transaction{ctx: ctx, fn: fn, db: db, opts: db.opts}).run()
}

// transaction is a transaction over all of its tries.
type transaction struct {
	ctx   context.Context
	fn    func(*Tx) error
	db    *DB      // for Tx.Doc and Stats; the first document's if the caller gave none
	opts  *Options // likewise
	start time.Time
	pause *backoff.ExponentialBackOff

	known []*txDoc // the documents that earlier tries have used

	view     bool // it changes nothing
	mustLock bool // the next tries take the locks
}

// txConflict is the error of a try that lost. The function's own error may be a conflict
// too, but is none of these.
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
		locked := t.mustLock
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
		if t.mustLock && !locked {
			tries-- // it has not lost: nobody is known to have changed anything
			continue
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

// gaveUp is the error of a transaction that lost some tries before its context ended.
func (t *transaction) gaveUp(lost int, err error) error {
	ended := t.ctx.Err() != nil && errors.Is(err, context.Cause(t.ctx))
	if lost == 0 || !ended {
		return err
	}
	return &retryError{lost, time.Since(t.start), fmt.Errorf("%w: %w", ErrConflict, err)}
}

// locks reports whether a try first takes locks.
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

// error adds the names of the documents to an error.
func (t *transaction) error(err error) error {
	op := "transact"
	if t.view {
		op = "view"
	}
	return &Error{op, t.label(), err}
}

// label returns the names of the documents, as far as they are known.
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

// try runs the function once, and commits its changes. After a *txConflict the caller
// tries again.
func (t *transaction) try(tries int) (err error) {
	tx := &Tx{t: t, byKey: map[txKey]*txDoc{}, byWhere: map[string]*txDoc{}}
	defer tx.close()
	tx.nested = inFunction() // before it runs functions of its own
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
	// If the documents did not fit each other, the error may mean nothing.
	switch again := tx.recheck().(type) {
	case nil:
		return err
	case *txConflict:
		return again
	default:
		return fmt.Errorf("%w; what it has read may not have been so at one moment: %w", err, again)
	}
}

// close releases locks and files, and notes the documents for the next try.
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

// commit commits the changes.
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

// commitEngine commits in an engine other than the file engine.
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
