//go:build unix

// Renames, links and removals on Unix.

package fsys

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func (s system) Rename(from, to string, how RenameHow) error {
	switch how {
	case NoReplace:
		return s.renameNoReplace(from, to)
	case Exchange:
		return s.exchange(from, to)
	}
	return s.renameWith(from, to, rename)
}

// renameWith renames within one directory by a system call.
func (s system) renameWith(
	from, to string, call func(fromDir int, from string, toDir int, to string) error,
) error {
	place, err := s.enter(from)
	if err != nil {
		return err
	}
	defer place.leave()
	base := s.baseOf(to)
	err = again(func() error { return call(place.dir, place.base, place.dir, base) })
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// baseOf is the part of a name that is looked up in the directory of enter.
func (s system) baseOf(name string) string {
	if s.root == nil {
		return name
	}
	return filepath.Base(name)
}

// renameByLink renames without replacing where the system has no call for it. A crash
// between the two steps leaves both names on one file: the old name is litter.
func (s system) renameByLink(from, to string) error {
	if err := s.Link(from, to); err != nil {
		return err
	}
	// The rename has happened; an error here must not suggest otherwise.
	_ = s.Remove(from)
	return nil
}

func (s system) Link(name, second string) error {
	if s.root != nil && filepath.Dir(name) != filepath.Dir(second) {
		return s.root.Link(name, second)
	}
	place, err := s.enter(name)
	if err != nil {
		return err
	}
	defer place.leave()
	base := s.baseOf(second)
	err = again(func() error { return linkat(place.dir, place.base, place.dir, base) })
	if err != nil {
		return &os.LinkError{Op: "link", Old: name, New: second, Err: err}
	}
	return nil
}

func (s system) Remove(name string) error {
	place, err := s.enter(name)
	if err != nil {
		return err
	}
	defer place.leave()
	if err := unlink(place.dir, place.base); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

func unlink(dir int, name string) error {
	err := again(func() error { return unlinkat(dir, name, 0) })
	if err == unix.EISDIR || err == unix.EPERM { // POSIX's errors for directories
		rmdirErr := again(func() error { return unlinkat(dir, name, unix.AT_REMOVEDIR) })
		if rmdirErr != unix.ENOTDIR {
			return rmdirErr
		}
	}
	return err
}
