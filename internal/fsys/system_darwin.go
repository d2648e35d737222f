package fsys

import (
	"errors"

	"golang.org/x/sys/unix"
)

const (
	flagNoReplace = unix.RENAME_EXCL
	flagExchange  = unix.RENAME_SWAP
)

func renameat(fromDir int, from string, toDir int, to string, flags uint) error {
	return unix.RenameatxNp(fromDir, from, toDir, to, uint32(flags))
}

// fsync flushes the device too, as package os does. It is plain fsync where a file
// system does not support that.
func fsync(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	if errors.Is(err, errors.ErrUnsupported) {
		return unix.Fsync(fd)
	}
	return err
}
