//go:build !linux

package fsys

// IsMountPoint reports whether a file is a mount point, which no other file can
// replace. It is false if unknown: before Linux 5.8 and on other systems.
func IsMountPoint(path string) bool { return false }

// LstatMount implements FS.
func (s system) LstatMount(name string) (info Info, isMount bool, err error) {
	info, err = s.Lstat(name)
	return info, false, err
}
