//go:build linux || darwin

// Renames that do not replace, where the system has a call for them.

package fsys

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func (s system) renameNoReplace(from, to string) error {
	err := s.renameFlags(from, to, flagNoReplace)
	if errors.Is(err, errors.ErrUnsupported) {
		return s.renameByLink(from, to)
	}
	return err
}

func (s system) exchange(from, to string) error { return s.renameFlags(from, to, flagExchange) }

// renameFlags is errors.ErrUnsupported where the file system or the kernel does not have the flag.
func (s system) renameFlags(from, to string, flags uint) error {
	fromDir, fromName, toDir, toName := unix.AT_FDCWD, from, unix.AT_FDCWD, to
	if s.root != nil {
		dir, err := s.openDir(filepath.Dir(from))
		if err != nil {
			return err
		}
		defer dir.Close()
		fromDir, toDir = int(dir.Fd()), int(dir.Fd())
		fromName, toName = filepath.Base(from), filepath.Base(to)
	}
	for {
		err := renameat(fromDir, fromName, toDir, toName, flags)
		switch err {
		case nil:
			return nil
		case unix.EINTR:
			continue
		case unix.EINVAL:
			err = unix.ENOTSUP // which is errors.ErrUnsupported, as ENOSYS is
		}
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
}
