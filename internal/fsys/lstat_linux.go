//go:build linux && (amd64 || arm64)

// Lstat and Readlink without allocations: Lstat is the whole cost of reading an
// unchanged document, and Readlink finds no link in almost every update.

package fsys

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shortName holds a name with its terminating zero.
type shortName [256]byte

func (n *shortName) set(name string) bool {
	if len(name) >= len(n) || strings.IndexByte(name, 0) >= 0 {
		return false
	}
	copy(n[:], name)
	return true
}

// fstatat is unix.Fstatat, which puts a copy of the name on the heap.
func fstatat(dir int, name string, st *unix.Stat_t, flags int) error {
	var path shortName
	if !path.set(name) {
		return unix.Fstatat(dir, name, st, flags)
	}
	_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(dir),
		uintptr(unsafe.Pointer(&path)), uintptr(unsafe.Pointer(st)), uintptr(flags), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// readlinkAt is unix.Readlinkat, likewise. Buf is not empty.
func readlinkAt(dir int, name string, buf []byte) (int, error) {
	var path shortName
	if !path.set(name) {
		return unix.Readlinkat(dir, name, buf)
	}
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&path)),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
