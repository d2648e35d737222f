// The version that a write replaces or deletes keeps a name, if Options.KeepLast asks for
// it: the file itself is renamed, and nothing is copied.
//
//	replace  exchange the staged file and the document, so that the version before has the
//	         temporary name; rename that to .NAME.kept
//	delete   rename the document to .NAME.kept. This is the linearization point
//
// All is done under the document's lock. A process that dies before the rename leaves the
// version at a temporary name, and the kept one as it was. A power cut may undo the rename,
// and then the version has both names, or undo only the exchange, and then it is the
// document and has the kept name too. So who uses the kept file compares inodes.
//
// Where names cannot be exchanged, or another program holds a lock on the document itself,
// the version gets the temporary name by a link, before the publish.
//
// The content that is kept was read and found valid, and the file is the one that was read.
// Only a deletion cannot tell: it renames what has the name, in the microseconds after the
// check.

package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// keeps reports whether the version that was read is to get a name when it is displaced.
// One with invalid content is not, nor one that has a name in the history.
func (a *attempt) keeps() bool {
	if a.past.opts != nil {
		return a.past.entry == ""
	}
	return a.d.opts.KeepLast && !a.current.version.IsAbsent() && a.isWhole()
}

// isWhole reports whether the content that was read is valid. An update has checked it; for
// other writes this does.
func (a *attempt) isWhole() bool {
	whole := &a.current.whole
	if !whole.Load() {
		whole.Store(splice.Check(a.current.data, a.d.opts.limits()) == nil)
	}
	return whole.Load()
}

// keep gives the displaced version, which has a temporary name, its kept name. If it
// reports false, that version is not kept, and the caller removes it. What another program
// has put in place at the last moment is not kept: nobody has read it. The caller holds the
// document's lock.
func (a *attempt) keep(displaced string) bool {
	if !a.keeps() {
		return false
	}
	now, err := a.d.files.Lstat(displaced)
	read := a.current.info
	if a.past.opts != nil {
		read = a.past.file
	}
	if err != nil || !now.SameFile(read) {
		return false
	}
	if a.past.opts != nil {
		done, _ := a.renameEntry(displaced)
		return done
	}
	how, ok, err := a.makeRoom()
	if err == nil && !ok {
		return false // it has the name
	}
	kept := names.Kept(a.path)
	if err == nil {
		err = a.d.files.Rename(displaced, kept, how)
	}
	if err == nil {
		return true
	}
	if now, lstatErr := a.d.files.Lstat(kept); lstatErr == nil && now.SameFile(a.current.info) {
		return true // the rename has taken effect all the same
	}
	a.d.shared.stats.unkept.Add(1)
	return false
}

// makeRoom returns how to rename a version to its kept name. Ok is false if it has that
// name already, beside another one. The error says that another user's file, or no file,
// has the name.
func (a *attempt) makeRoom() (how fsys.RenameHow, ok bool, err error) {
	kept := names.Kept(a.path)
	found, err := a.d.files.Lstat(kept)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fsys.NoReplace, true, nil
	case err != nil:
		return 0, false, err
	case found.SameFile(a.current.info):
		return 0, false, nil
	}
	// The common case costs no look at the directory.
	believed := found.Mode.IsRegular() && found.Links == 1 && isOurs(found.UID)
	if !believed {
		if believed, err = a.d.believes(a.path, found, 0); err != nil {
			return 0, false, err
		}
	}
	if !believed {
		return 0, false, errNotBelieved
	}
	if a.renameWaits() {
		return fsys.NoReplace, true, a.d.files.Remove(kept)
	}
	return fsys.Replace, true, nil
}

// linkKept gives the document a second name, a temporary one, if it is to be kept. After
// the publish it is the displaced version's.
func (a *attempt) linkKept() {
	if !a.keeps() {
		return
	}
	name := names.Random(a.path, a.d.files.Random())
	if err := a.d.files.Link(a.path, name); err != nil {
		_ = a.d.files.Remove(name) // if it was made all the same
		a.d.shared.stats.unkept.Add(1)
		return
	}
	a.displaced = name
}

// deleteAndKeep deletes the document by giving it its kept name. It reports false if the
// document is not to be kept, or cannot be.
func (a *attempt) deleteAndKeep() (bool, error) {
	if !a.keeps() {
		return false, nil
	}
	if a.past.opts != nil {
		a.setKey(nil)
		if done, err := a.renameEntry(a.path); done || err == nil {
			return done, nil
		}
		return a.isGone()
	}
	how, ok, err := a.makeRoom()
	if err == nil && !ok {
		return false, nil // it has the name
	}
	if err == nil {
		err = a.d.files.Rename(a.path, names.Kept(a.path), how)
		if err == nil {
			return true, nil
		}
		if gone, unknownErr := a.isGone(); gone || unknownErr != nil {
			return gone, unknownErr
		}
	}
	a.d.shared.stats.unkept.Add(1)
	return false, nil
}

// isGone reports whether the document is gone after a rename that has reported an error: it
// was renamed all the same, or another program has deleted it.
func (a *attempt) isGone() (bool, error) {
	switch _, err := a.d.files.Lstat(a.path); {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%w: delete the document: %w", ErrUnknown, err)
	}
	return false, nil
}
