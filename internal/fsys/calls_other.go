//go:build unix && !(linux && (amd64 || arm64))

package fsys

import "golang.org/x/sys/unix"

func fstatat(dir int, name string, st *unix.Stat_t, flags int) error {
	return unix.Fstatat(dir, name, st, flags)
}

func readlinkat(dir int, name string, buf []byte) (int, error) {
	return unix.Readlinkat(dir, name, buf)
}

func openat(dir int, name string, flags int, perm uint32) (int, error) {
	return unix.Openat(dir, name, flags, perm)
}

func unlinkat(dir int, name string, flags int) error { return unix.Unlinkat(dir, name, flags) }

func linkat(fromDir int, from string, toDir int, to string) error {
	return unix.Linkat(fromDir, from, toDir, to, 0)
}

func rename(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat(fromDir, from, toDir, to)
}

func symlinkat(target string, dir int, name string) error {
	return unix.Symlinkat(target, dir, name)
}
