//go:build linux && (amd64 || arm64)

// Lstat without an allocation: it is all that a read of an unchanged document does.

package fsys

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fstatat is unix.Fstatat, which puts a copy of the name on the heap.
func fstatat(dir int, name string, st *unix.Stat_t, flags int) error {
	var path [256]byte // with the zero at its end that the system wants
	if len(name) >= len(path) || strings.IndexByte(name, 0) >= 0 {
		return unix.Fstatat(dir, name, st, flags)
	}
	copy(path[:], name)
	_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(dir), uintptr(unsafe.Pointer(&path)), uintptr(unsafe.Pointer(st)), uintptr(flags), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
