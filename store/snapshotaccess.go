// Who may read a snapshot: who may read every document in it.
//
// The owner of the snapshot has read them. Of its group and of others, those may who have the
// permission for each document, and may enter the directories on the way to it from that of the
// snapshot. Where an access control list is on one of these, only the owner may.

package store

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// snapshotAccess finds out who may read a snapshot.
type snapshotAccess struct {
	d    *fileDriver
	own  fsys.Info   // of the snapshot's file
	bits fs.FileMode // of group and others
	dirs map[string]bool
}

// document narrows the access to those who may read a document, which was just opened.
func (a *snapshotAccess) document(e *collected) error {
	if a.bits == 0 {
		return nil
	}
	a.narrow(e.s.info, e.s.info.Mode.Perm())
	if a.bits != 0 && e.s.file != nil {
		a.list(e.s.file)
	}
	for dir := filepath.Dir(e.path); dir != "." && a.bits != 0 && !a.dirs[dir]; {
		info, err := a.d.files.Lstat(dir)
		if err != nil {
			return err
		}
		a.narrow(info, info.Mode.Perm()<<2) // who may enter it may read what is in it
		if file, err := a.d.files.Open(dir, fsys.OpenExisting, 0); err == nil {
			a.list(file)
			file.Close()
		} else {
			a.bits = 0
		}
		if a.dirs == nil {
			a.dirs = map[string]bool{}
		}
		a.dirs[dir] = true
		dir = filepath.Dir(dir)
	}
	return nil
}

// narrow takes away what a mode does not give. Those whom it keeps out as a group are not
// those of the snapshot's group if that is another one.
func (a *snapshotAccess) narrow(info fsys.Info, mode fs.FileMode) {
	a.bits &= mode
	if mode&0o400 == 0 || info.GID != a.own.GID && mode&0o044 != 0o044 {
		a.bits = 0
	}
}

// list takes away all if an access control list is on a file or a directory.
func (a *snapshotAccess) list(file fsys.File) {
	attributes, err := file.Attributes()
	if _, has := attributes[fsys.ACLName]; has || err != nil &&
		!errors.Is(err, errors.ErrUnsupported) {
		a.bits = 0
	}
}

// set gives the snapshot's file its access.
func (a *snapshotAccess) set(file fsys.File) error {
	if a.bits == 0 {
		return nil
	}
	return file.Chmod(0o600 | a.bits)
}
