// Detects files that are mount points.

package fsys

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// IsMountPoint reports whether a file is a mount point, which no other file can
// replace. It is false if unknown: before Linux 5.8 and on other systems.
func IsMountPoint(path string) bool {
	_, is, err := statxAt(unix.AT_FDCWD, path, path)
	return err == nil && is
}

// LstatMount implements FS.
func (s system) LstatMount(name string) (info Info, isMount bool, err error) {
	place, err := s.enter(name)
	if err != nil {
		return info, false, err
	}
	defer place.leave()
	info, isMount, err = statxAt(place.dir, place.base, name)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // a filter does not know it
		info, err = place.lstat(name)
	}
	return info, isMount, err
}

func statxAt(dir int, base, name string) (info Info, isMount bool, err error) {
	var st unix.Statx_t
	err = again(func() error {
		return unix.Statx(dir, base, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &st)
	})
	if err != nil {
		return info, false, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return Info{
		Mode:  modeOf(uint32(st.Mode)),
		Size:  int64(st.Size),
		Mtime: st.Mtime.Sec*1e9 + int64(st.Mtime.Nsec),
		Ctime: st.Ctime.Sec*1e9 + int64(st.Ctime.Nsec),
		Dev:   unix.Mkdev(st.Dev_major, st.Dev_minor),
		Ino:   st.Ino,
		Links: uint64(st.Nlink),
		UID:   st.Uid,
		GID:   st.Gid,
	}, st.Attributes&st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}
