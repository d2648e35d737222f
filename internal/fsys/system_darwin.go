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

// fsync is what flushes the device here too, as package os does it: where a file system
// does not know it, plain fsync.
func fsync(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	if errors.Is(err, errors.ErrUnsupported) {
		return unix.Fsync(fd)
	}
	return err
}
