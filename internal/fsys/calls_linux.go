//go:build linux && (amd64 || arm64)

// System calls without allocations. Those of package unix put a copy of each name on the heap.

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

// readlinkat needs a buf that is not empty.
func readlinkat(dir int, name string, buf []byte) (int, error) {
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

func openat(dir int, name string, flags int, perm uint32) (int, error) {
	var path shortName
	if !path.set(name) {
		return unix.Openat(dir, name, flags, perm)
	}
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&path)),
		uintptr(flags|unix.O_LARGEFILE), uintptr(perm), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func unlinkat(dir int, name string, flags int) error {
	var path shortName
	if !path.set(name) {
		return unix.Unlinkat(dir, name, flags)
	}
	_, _, errno := unix.Syscall(unix.SYS_UNLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&path)),
		uintptr(flags))
	if errno != 0 {
		return errno
	}
	return nil
}

func rename(fromDir int, from string, toDir int, to string) error {
	return withNames(unix.SYS_RENAMEAT, fromDir, from, toDir, to, 0,
		func() error { return unix.Renameat(fromDir, from, toDir, to) })
}

func renameat(fromDir int, from string, toDir int, to string, flags uint) error {
	return withNames(unix.SYS_RENAMEAT2, fromDir, from, toDir, to, flags,
		func() error { return unix.Renameat2(fromDir, from, toDir, to, flags) })
}

func linkat(fromDir int, from string, toDir int, to string) error {
	return withNames(unix.SYS_LINKAT, fromDir, from, toDir, to, 0,
		func() error { return unix.Linkat(fromDir, from, toDir, to, 0) })
}

func symlinkat(target string, dir int, name string) error {
	var a, b shortName
	if !a.set(target) || !b.set(name) {
		return unix.Symlinkat(target, dir, name)
	}
	_, _, errno := unix.Syscall(unix.SYS_SYMLINKAT, uintptr(unsafe.Pointer(&a)), uintptr(dir),
		uintptr(unsafe.Pointer(&b)))
	if errno != 0 {
		return errno
	}
	return nil
}

// withNames makes a system call with two names, or calls long if one is.
func withNames(
	trap uintptr, fromDir int, from string, toDir int, to string, flags uint, long func() error,
) error {
	var a, b shortName
	if !a.set(from) || !b.set(to) {
		return long()
	}
	_, _, errno := unix.Syscall6(trap, uintptr(fromDir), uintptr(unsafe.Pointer(&a)),
		uintptr(toDir), uintptr(unsafe.Pointer(&b)), uintptr(flags), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
