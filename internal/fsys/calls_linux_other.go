//go:build linux && !(amd64 || arm64)

package fsys

import "golang.org/x/sys/unix"

func renameat(fromDir int, from string, toDir int, to string, flags uint) error {
	return unix.Renameat2(fromDir, from, toDir, to, flags)
}
