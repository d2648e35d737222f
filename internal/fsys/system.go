// The real file system, in what all systems have in common.

package fsys

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

// system is the whole file system, or, with a root, only what is beneath it.
type system struct {
	root *os.Root // nil: the whole system
}

// New returns the whole file system of this machine.
func New() FS { return system{} }

// ForFile returns a file system for one document and its neighbours, and the
// document's name in it.
func ForFile(path string) (FS, string, error) { return forFile(path) }

// Beneath returns the files beneath a directory, which must exist. No name
// leads out of it, by ".." or by a symbolic link.
func Beneath(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return system{root}, nil
}

func (s system) Open(name string, how How, perm fs.FileMode) (File, error) {
	switch how {
	case OpenNew:
		return s.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	case OpenLock:
		// Read-write where possible, because network file systems emulate flock by byte
		// ranges, which want a writable descriptor. A lock file of another user that we
		// may only read serves as well elsewhere.
		f, err := s.open(name, os.O_RDWR|os.O_CREATE, perm)
		if errors.Is(err, fs.ErrPermission) {
			if readable, err := s.open(name, os.O_RDONLY, 0); err == nil {
				return readable, nil
			}
		}
		return f, err
	}
	return s.open(name, os.O_RDONLY, 0)
}

func (s system) open(name string, flag int, perm fs.FileMode) (File, error) {
	var f *os.File
	var err error
	if s.root == nil {
		f, err = os.OpenFile(name, flag|openFlags, perm)
		if isSymlinkError(err) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: ErrSymlink}
		}
	} else {
		// A root follows links that stay inside; the caller wants to know of them. That
		// the link may change between the two calls does no harm: the root still confines.
		info, statErr := s.root.Lstat(name)
		if statErr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, &fs.PathError{Op: "open", Path: name, Err: ErrSymlink}
		}
		f, err = s.root.OpenFile(name, flag|openFlags, perm)
	}
	if err != nil {
		return nil, err
	}
	return file{File: f, in: s, name: name}, nil
}

func (s system) Lstat(name string) (Info, error) {
	var info fs.FileInfo
	var err error
	if s.root == nil {
		info, err = os.Lstat(name)
	} else {
		info, err = s.root.Lstat(name)
	}
	if err != nil {
		return Info{}, err
	}
	return s.describe(name, info)
}

func (s system) Readlink(name string) (string, error) {
	if s.root == nil {
		return os.Readlink(name)
	}
	return s.root.Readlink(name)
}

func (s system) Rename(from, to string, how RenameHow) error {
	switch {
	case how == NoReplace:
		return s.renameNoReplace(from, to)
	case how == Exchange:
		return s.exchange(from, to)
	case s.root == nil:
		return os.Rename(from, to)
	}
	return s.root.Rename(from, to)
}

func (s system) Link(name, second string) error {
	if s.root == nil {
		return os.Link(name, second)
	}
	return s.root.Link(name, second)
}

// renameByLink is rename without replacing where the system has no call for it. A crash
// between the two steps leaves both names on one file: the second name is litter.
func (s system) renameByLink(from, to string) error {
	if err := s.Link(from, to); err != nil {
		return err
	}
	// The rename has happened: an error here may not say that it has not.
	_ = s.Remove(from)
	return nil
}

func (s system) Remove(name string) error {
	if s.root == nil {
		return os.Remove(name)
	}
	return s.root.Remove(name)
}

func (s system) Mkdir(name string, perm fs.FileMode) error {
	if s.root == nil {
		return os.Mkdir(name, perm)
	}
	return s.root.Mkdir(name, perm)
}

func (s system) openDir(name string) (*os.File, error) {
	if s.root == nil {
		return os.Open(name)
	}
	return s.root.Open(name)
}

func (s system) ReadDir(name string) ([]Entry, error) {
	dir, err := s.openDir(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	found, err := dir.ReadDir(-1)
	entries := make([]Entry, len(found))
	for i, entry := range found {
		entries[i] = Entry{Name: entry.Name(), Type: entry.Type()}
	}
	return entries, err
}

func (s system) SyncDir(name string) error {
	if !canSyncDir {
		return nil
	}
	dir, err := s.openDir(name)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if closeErr := dir.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (s system) Now() int64     { return time.Now().UnixNano() }
func (s system) Random() uint64 { return rand.Uint64() }

func (s system) Close() error {
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

// file is an open file of the real system.
type file struct {
	*os.File
	in   system
	name string // as in was asked for it
}

func (f file) Stat() (Info, error) {
	info, err := f.File.Stat()
	if err != nil {
		return Info{}, err
	}
	return f.describe(info)
}

func (f file) lockError(err error) error {
	return fmt.Errorf("lock %s: %w", f.Name(), err)
}
