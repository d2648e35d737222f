package fsys

import "golang.org/x/sys/unix"

func (s system) renameNoReplace(from, to string) error { return s.renameByLink(from, to) }

func fsync(fd int) error { return unix.Fsync(fd) }
