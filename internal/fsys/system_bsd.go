//go:build unix && !linux

package fsys

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

func (f *file) Generation() (uint64, bool) { return 0, false }

// setPlainMode is for systems whose access control lists are supported.
func (f *file) setPlainMode(fs.FileMode) bool { return false }

// Network uses the mount's flag for local file systems.
func (s system) Network(name string) (string, error) {
	st, err := s.statfs(name)
	if err != nil || uint64(st.Flags)&unix.MNT_LOCAL != 0 {
		return "", err
	}
	return "network", nil
}

func (s system) Type(name string) (string, error) {
	st, err := s.statfs(name)
	if err != nil {
		return "", err
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}

func (s system) statfs(name string) (st unix.Statfs_t, err error) {
	err = s.onDir(name, func(fd int) error { return unix.Fstatfs(fd, &st) })
	return st, err
}
