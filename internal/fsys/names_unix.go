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
	var err error
	if s.root == nil {
		err = again(func() error { return call(unix.AT_FDCWD, from, unix.AT_FDCWD, to) })
	} else {
		err = s.beside(from, func(dir int, base string) error {
			return again(func() error { return call(dir, base, dir, filepath.Base(to)) })
		})
	}
	if _, ok := err.(unix.Errno); ok {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return err
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

func link(name, second string) error {
	err := again(func() error { return linkat(unix.AT_FDCWD, name, unix.AT_FDCWD, second) })
	if err != nil {
		return &os.LinkError{Op: "link", Old: name, New: second, Err: err}
	}
	return nil
}

func (s system) Remove(name string) error {
	var err error
	if s.root == nil {
		err = unlink(unix.AT_FDCWD, name)
	} else {
		err = s.beside(name, unlink)
	}
	if _, ok := err.(unix.Errno); ok {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return err
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
