package fsys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func ctime(st *syscall.Stat_t) int64 { return st.Ctimespec.Nano() }

const (
	flagNoReplace = unix.RENAME_EXCL
	flagExchange  = unix.RENAME_SWAP
)

func renameat(fromDir int, from string, toDir int, to string, flags uint) error {
	return unix.RenameatxNp(fromDir, from, toDir, to, uint32(flags))
}
