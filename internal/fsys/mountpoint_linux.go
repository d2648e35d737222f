// Files that something is mounted on.

package fsys

import "golang.org/x/sys/unix"

// IsMountPoint reports whether something is mounted on a file, so that no other file can
// take its place. What cannot be found out, before Linux 5.8 or on other systems, is false.
func IsMountPoint(path string) bool {
	var st unix.Statx_t
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_STATX_DONT_SYNC
	err := again(func() error {
		return unix.Statx(unix.AT_FDCWD, path, flags, unix.STATX_TYPE,
			&st)
	})
	return err == nil && st.Attributes&st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}
