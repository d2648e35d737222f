//go:build unix && !linux

package fsys

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

func (f *file) Generation() (uint64, bool) { return 0, false }

// Touch sets the mode to what it is.
func (f *file) Touch() error {
	return f.do("touch", func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		return unix.Fchmod(fd, uint32(st.Mode)&0o7777)
	})
}

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
