// The second look: whether the documents that a function has read were all so at one
// moment.
//
// A document that is found unchanged after all documents were read had one state from its
// read to that second look. So all of them had it together, between the last read and the
// first second look. Two things show that a document is unchanged:
//
//   - No intent is beside it, and the file at its name is the one that was read. That file
//     is open, so no other file can have its inode number.
//   - The intent beside it is the one that it was read through, and the transaction is
//     still committed, or still not. An intent has a name once, and keeps all writers but
//     the transaction's own from the document. So a reader need not wait for a committer
//     that has stopped.
//
// An absent document without an intent has neither: it may have been made and deleted
// between the two looks, unless its lock file is absent too, which each writer makes first
// and the store never removes. For one such document, the moment of its second look will
// do, if the others are looked at later. The same goes for a directory that was listed. If
// there are several, the next try reads them under their locks.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// seen says through which intent a document was loaded.
type seen struct {
	intent    foundIntent
	committed bool // its transaction is
	// replaced is the file at the document's name if what the transaction has staged was
	// loaded in its place.
	replaced *loaded
}

// recheck returns a *txConflict if it cannot tell that all documents were at one moment
// as the function has seen them. Documents whose locks are held stay as they are.
func (tx *Tx) recheck() error {
	var docs []*txDoc
	for _, e := range tx.docs {
		if e.loaded {
			docs = append(docs, e)
		}
	}
	if len(tx.listed) == 0 && len(docs) < 2 {
		return nil
	}
	if err := tx.relist(); err != nil || len(docs) == 0 {
		return err
	}
	if docs[0].a == nil {
		return tx.recheckEngine(docs)
	}
	docs = slices.DeleteFunc(docs, func(e *txDoc) bool { return e.a.held != nil })
	moments := min(len(tx.listed), 1)
	for _, absent := range []bool{true, false} { // the absent ones first
		for _, e := range docs {
			if e.isLoose() != absent {
				continue
			}
			same, err := e.isStill()
			if err == nil && same && absent {
				var pinned bool
				if pinned, err = e.a.d.wasNeverThere(e.path); !pinned {
					moments++
				}
			}
			if err != nil {
				return e.doc.error("verify", err)
			}
			if !same {
				return &txConflict{e.doc.error("verify", errChanged)}
			}
			if absent && moments > 1 {
				tx.t.mustLock = true
				return &txConflict{e.doc.error("verify", errComesAndGoes)}
			}
		}
	}
	return nil
}

var (
	errChanged = fmt.Errorf("%w: the document has changed while others were read", ErrConflict)
	// errComesAndGoes is for an absent document that may have been created and deleted.
	errComesAndGoes = fmt.Errorf("%w: the document is absent, and may have existed while others "+
		"were read", ErrConflict)
)

// isStill reports whether the document is unchanged, and its path leads to the same file.
func (e *txDoc) isStill() (bool, error) {
	if moved, err := e.a.moved(); err != nil || moved != "" {
		return false, err
	}
	return e.a.d.isStill(e.path, e.a.current)
}

// isLoose reports whether nothing shows that the document has not changed and changed back
// since it was read: it is absent, and has no intent.
func (e *txDoc) isLoose() bool { return !e.read.exists && e.a.current.seen == nil }

// wasNeverThere reports whether no writer of the store can have made the absent document
// at path: it has no lock file.
func (d *fileDriver) wasNeverThere(path string) (bool, error) {
	_, err := d.files.Lstat(names.Lock(path))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// recheckEngine is recheck in an engine other than files.
func (tx *Tx) recheckEngine(docs []*txDoc) error {
	var same []driver.Change
	for _, e := range docs {
		same = append(same, driver.Change{Key: e.doc.key, Old: e.version, Keep: true})
	}
	_, err := docs[0].doc.drv.transactor.Commit(tx.t.ctx, same)
	if errors.Is(err, ErrConflict) {
		return &txConflict{err}
	}
	return err
}

// isStill reports whether the document at path, which was read without its lock, is
// unchanged. The intent is looked for first: a transaction puts it in place before it
// replaces the file, and removes it afterwards.
func (d *fileDriver) isStill(path string, read *loaded) (bool, error) {
	before := read.seen
	if before == nil {
		before = &seen{}
	}
	found, err := d.intentAt(path)
	if err != nil {
		return false, err
	}
	if found.there != before.intent.there || found.raw != before.intent.raw {
		return false, nil
	}
	if found.in != nil {
		_, committed, err := d.committed(path, found.in)
		if err != nil || committed != before.committed {
			return false, err
		}
	}
	now, err := d.files.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	exists := err == nil
	same := read.isAt(now, exists)
	if before.replaced != nil { // what is staged need not be published yet
		same = same || before.replaced.isAt(now, exists)
	}
	return same, nil
}

// isAt reports whether a document is as it was loaded: now describes the file at its name,
// if that exists.
func (s *loaded) isAt(now fsys.Info, exists bool) bool {
	if !exists || s.version.IsAbsent() {
		return !exists && s.version.IsAbsent()
	}
	return now.SameFile(s.info) && now.Mtime == s.info.Mtime && now.Size == s.info.Size &&
		(!s.aged || now.Ctime == s.info.Ctime)
}

// neverInTransaction reports whether no transaction ever had an intent beside the document
// at path: its lock file says so.
func (d *fileDriver) neverInTransaction(path string) bool {
	lock, err := d.files.Lstat(names.Lock(path))
	return err == nil && lock.Mode.IsRegular() && lockMark(lock.Size) == markNoIntent
}
