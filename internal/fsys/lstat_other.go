//go:build unix && !(linux && (amd64 || arm64))

package fsys

import "golang.org/x/sys/unix"

func fstatat(dir int, name string, st *unix.Stat_t, flags int) error {
	return unix.Fstatat(dir, name, st, flags)
}

func readlinkAt(dir int, name string, buf []byte) (int, error) {
	return unix.Readlinkat(dir, name, buf)
}
