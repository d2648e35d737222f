//go:build linux || darwin

// Renames that do not replace and exchanges, where the system has a call for them.

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
		// System-call filters that do not know renameat2 return this too. If no names
		// may be created at all, link fails as well.
		linkErr := s.renameByLink(from, to)
		if linkErr == nil || errors.Is(linkErr, fs.ErrExist) {
			return linkErr
		}
	}
	return err
}

func (s system) exchange(from, to string) error { return s.renameFlags(from, to, flagExchange) }

// renameFlags fails with errors.ErrUnsupported if the file system or the kernel lacks
// the flag.
func (s system) renameFlags(from, to string, flags uint) error {
	return s.renameWith(from, to, func(fromDir int, from string, toDir int, to string) error {
		err := renameat(fromDir, from, toDir, to, flags)
		if err == unix.EINVAL {
			err = unix.ENOTSUP // matches errors.ErrUnsupported, as ENOSYS does
		}
		return err
	})
}
