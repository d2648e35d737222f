// The home document of a transaction: which of the documents it is.
//
// A reader of one of the documents reads the home's intent too while the transaction is
// under way. That intent has the paths, sizes and times of the documents, and the readers
// of the home document. So the home is a document whose readers include the readers of all
// others: if one document is public, that one. If there is none, as among documents of
// several groups, a reader who may not read the home's intent waits for the document's
// lock, and gets an error if the transaction's process is dead (see.go).

package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// homeFirst moves the home to the front of the written documents, which are in the order
// of their locks. It stays the first one if no other is better.
func homeFirst(written []*txDoc) []*txDoc {
	apart := slices.ContainsFunc(written, func(e *txDoc) bool {
		return filepath.Dir(e.where) != filepath.Dir(written[0].where)
	})
	found := make([]access, len(written))
	for i, e := range written {
		found[i] = e.access(apart)
	}
	for i := range written {
		if !slices.ContainsFunc(found, func(a access) bool { return !found[i].includes(a) }) {
			home := written[i]
			return slices.Insert(slices.Delete(written, i, i+1), 0, home)
		}
	}
	return written
}

// access says who may read a file.
type access struct {
	file, dir fsys.Info
	in        string // the directory
}

// access returns who may read the intent of a document. Apart is whether documents of the
// transaction are in several directories.
func (e *txDoc) access(apart bool) access {
	a := access{file: e.a.current.info, in: filepath.Dir(e.where)}
	if !e.read.exists {
		a.file = fsys.Info{Mode: e.a.d.opts.Perm, UID: uint32(os.Geteuid()),
			GID: uint32(os.Getegid())}
	}
	if apart {
		// If this fails, nobody may search the directory.
		a.dir, _ = e.a.d.files.Lstat(filepath.Dir(e.path))
	}
	return a
}

// includes reports whether all who may read b may read a. It knows neither access control
// lists nor the directories above.
func (a access) includes(b access) bool {
	const read, search = 0o444, 0o111
	return permits(a.file, b.file, read) && (a.in == b.in || permits(a.dir, b.dir, search))
}

// permits reports whether all who have the permission for b, one bit for each class of
// users, have it for a.
func permits(a, b fsys.Info, permission fs.FileMode) bool {
	const owner, group, others = 0o700, 0o070, 0o007
	has := func(i fsys.Info, class fs.FileMode) bool { return i.Mode&permission&class != 0 }
	switch {
	case has(a, owner) && has(a, group) && has(a, others):
		return true
	case has(b, others), has(b, owner) && (a.UID != b.UID || !has(a, owner)):
		return false
	}
	return !has(b, group) || a.GID == b.GID && has(a, group)
}
