package fsys

import "syscall"

func ctime(st *syscall.Stat_t) int64 { return st.Ctimespec.Nano() }

func (s system) renameNoReplace(from, to string) error { return s.renameByLink(from, to) }
