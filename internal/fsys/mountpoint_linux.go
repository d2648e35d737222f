// Detects files that are mount points.

package fsys

import "golang.org/x/sys/unix"

// IsMountPoint reports whether a file is a mount point, which no other file can
// replace. It is false if unknown: before Linux 5.8 and on other systems.
func IsMountPoint(path string) bool { return isMountPoint(unix.AT_FDCWD, path) }

// IsMountPoint implements FS.
func (s system) IsMountPoint(name string) (is bool) {
	if s.root == nil {
		return IsMountPoint(name)
	}
	err := s.beside(name, func(dir int, base string) error {
		is = isMountPoint(dir, base)
		return nil
	})
	return err == nil && is
}

func isMountPoint(dir int, name string) bool {
	var st unix.Statx_t
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_STATX_DONT_SYNC
	err := again(func() error { return unix.Statx(dir, name, flags, unix.STATX_TYPE, &st) })
	return err == nil && st.Attributes&st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}
