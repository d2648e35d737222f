// How writers keep the versions that they replace or delete, where the history is on.
//
//	replace  give the document's file a second name, .NAME.<digits>.history, and then
//	         publish as ever
//	delete   rename the document to that name. This is the linearization point
//
// All is done under the document's lock; nothing is copied, and nothing is flushed that
// would not be. The name has the hash of the content, so that a program that writes into
// the file later is detected, and a key: the time of the version that replaces it, which is
// later than its own. So the names are in the order of the versions.
//
// A process that dies between link and publish leaves a second name of the document. The
// next writer gives its own name, and finds that the file has more names than two: it
// removes the others. A history does not show the names of the document itself. In the
// order of a journal the link is on the device before the publish; otherwise the same
// flush of the directory makes both durable, and a power cut before it can lose the name of
// the one version that was being replaced.
//
// Where a file may not have two names, or this user may not give it one, the version is
// renamed after the publish, as one that Options.KeepLast keeps (keep.go). A death between
// the two then loses it.

package store

import (
	"context"
	"errors"
	"io/fs"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// maxBumps is how often a name that is taken is changed.
const maxBumps = 100

// look looks whether the version that was read is to be kept when it is displaced. By is the
// transaction that does it, if any. The caller holds the document's lock.
func (a *attempt) look(by string) error {
	a.past = past{file: a.past.file}
	if a.current.version.IsAbsent() {
		return nil
	}
	opts, err := a.d.historyNow(a.path)
	if err == nil && opts != nil && a.isWhole() {
		a.past.opts, a.past.by = opts, by
	}
	return err
}

// past is how an attempt keeps the version that it displaces.
type past struct {
	file    fsys.Info       // the document under the lock; it may not be the one that was read
	opts    *HistoryOptions // nil: it does not
	by      string          // the transaction, if any
	deletes bool
	key     uint64
	entry   string // the name that the version has got, or nothing yet
}

// setKey sets the place of the version among those that are kept: when it is replaced by
// next, or deleted if that is nil.
func (a *attempt) setKey(next *fsys.Info) {
	after := a.past.file.Mtime
	switch {
	case next != nil && next.Mtime > after:
		after = next.Mtime
	default:
		after = max(a.d.files.Now(), after+1)
	}
	a.past.key, a.past.deletes = uint64(max(after, 0)), next == nil
}

// entryName is the name of the version that is kept.
func (a *attempt) entryName() string {
	version := a.current.version
	if a.mode != VersionHash {
		version = hashVersion(a.current.data)
	}
	return names.History(a.path, names.Entry{Key: a.past.key, Hash: digitsOf(version),
		Transaction: a.past.by, Deleted: a.past.deletes})
}

// digitsOf is the hash in a version by content, without the length.
func digitsOf(version Version) string {
	const before = len("h:")
	text := version.String()
	return text[before : before+names.HashDigits]
}

// linkEntry gives the document the name of a kept version, before next replaces it. Where
// that is impossible the version gets it after the publish. The error is a conflict.
func (a *attempt) linkEntry(next *fsys.Info) error {
	if a.past.opts == nil {
		return nil
	}
	a.setKey(next)
	files := a.d.files
	for range maxBumps {
		name := a.entryName()
		linkErr := files.Link(a.path, name)
		if linkErr == nil && a.d.opts.Durability == Volatile && a.past.file.Links == 1 {
			a.past.entry = name // the next look would take longer than it pays
			return nil
		}
		now, err := files.Lstat(name)
		switch {
		case err == nil && now.SameFile(a.past.file):
			a.past.entry = name
			if now.Links > 2 {
				a.removeTwins(name)
			}
			return nil
		case err == nil && linkErr == nil:
			// Another program has replaced the document in the last moment.
			_ = files.Remove(name)
			return a.conflict(Absent) // nothing is known of its version
		case err != nil:
			return nil
		}
		a.past.key++ // the name is taken
	}
	return nil
}

// renameEntry gives a displaced version, which has a temporary name or is the document that
// is deleted, the name of a kept one.
func (a *attempt) renameEntry(displaced string) (bool, error) {
	var err error
	for range maxBumps {
		name := a.entryName()
		err = a.d.files.Rename(displaced, name, fsys.NoReplace)
		now, lstatErr := a.d.files.Lstat(name)
		is := lstatErr == nil && now.SameFile(a.past.file)
		if is && now.Links > 1 {
			a.removeTwins(name)
		}
		if is || err == nil { // it may have happened although it has reported an error
			a.past.entry = name
			return true, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		a.past.key++
	}
	return false, err
}

// removeTwins removes the other names as a kept version that the file at name has, which
// dead writers have left.
func (a *attempt) removeTwins(name string) {
	all, err := a.d.entries(a.path)
	if err != nil {
		return
	}
	for _, e := range all {
		if now, err := a.d.files.Lstat(e.path); err == nil && e.path != name &&
			now.SameFile(a.past.file) {
			_ = a.d.files.Remove(e.path)
		}
	}
}

// unlinkEntry takes the name back that a version has got which was not displaced.
func (a *attempt) unlinkEntry() {
	if a.past.entry == "" {
		return
	}
	now, err := a.d.files.Lstat(a.path)
	if err == nil && now.SameFile(a.past.file) {
		_ = a.d.files.Remove(a.past.entry)
	}
	a.past.entry = ""
}

// keepFinished keeps the old version of a document of a committed transaction, before that
// is finished. The caller holds the lock.
func (d *fileDriver) keepFinished(path, id string, c change) error {
	var next *fsys.Info
	if !c.deletes() {
		staged, err := d.files.Lstat(names.Transaction(path, id))
		if err != nil {
			return ignoreNotExist(err)
		}
		next = &staged
	}
	if c.Old == (identity{}) {
		return nil
	}
	if opts, err := d.history(path); err != nil || opts == nil {
		return err
	}
	a := d.attempt("", VersionHash)
	defer a.Close()
	a.path = path
	var err error
	if a.current, err = d.load(context.Background(), path, VersionHash); err != nil {
		return err
	}
	a.past.file = a.current.info
	if err := a.look(id); err != nil {
		return err
	}
	_ = a.linkEntry(next) // a conflict: another program has replaced the old one
	return nil
}
