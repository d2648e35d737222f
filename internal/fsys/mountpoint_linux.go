// Detects files that are mount points.

package fsys

import "golang.org/x/sys/unix"

// IsMountPoint reports whether a file is a mount point, which no other file can
// replace. It is false if unknown: before Linux 5.8 and on other systems.
func IsMountPoint(path string) bool {
	var st unix.Statx_t
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_STATX_DONT_SYNC
	err := again(func() error {
		return unix.Statx(unix.AT_FDCWD, path, flags, unix.STATX_TYPE,
			&st)
	})
	return err == nil && st.Attributes&st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}
