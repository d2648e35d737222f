//go:build linux || darwin

// Renames that do not replace, where the system has a call for them.

package fsys

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

func (s system) renameNoReplace(from, to string) error {
	err := s.renameFlags(from, to, flagNoReplace)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return s.renameByLink(from, to)
	case errors.Is(err, unix.EPERM):
		// Filters for system calls that do not know renameat2 say so too. Where names may
		// not be made at all, a link may not either.
		linkErr := s.renameByLink(from, to)
		if linkErr == nil || errors.Is(linkErr, fs.ErrExist) {
			return linkErr
		}
	}
	return err
}

func (s system) exchange(from, to string) error { return s.renameFlags(from, to, flagExchange) }

// renameFlags is errors.ErrUnsupported where the file system or the kernel does not have the flag.
func (s system) renameFlags(from, to string, flags uint) error {
	return s.renameWith(from, to, func(fromDir int, from string, toDir int, to string) error {
		err := renameat(fromDir, from, toDir, to, flags)
		if err == unix.EINVAL {
			err = unix.ENOTSUP // which is errors.ErrUnsupported, as ENOSYS is
		}
		return err
	})
}
