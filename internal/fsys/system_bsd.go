//go:build unix && !linux

package fsys

import (
	"os"

	"golang.org/x/sys/unix"
)

func (f file) Generation() (uint64, bool) { return 0, false }

// Network goes by the mount's flag for file systems that are stored locally.
func (s system) Network(name string) (string, error) {
	dir, err := s.openDir(name)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return "", &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	if uint64(st.Flags)&unix.MNT_LOCAL == 0 {
		return "network", nil
	}
	return "", nil
}
