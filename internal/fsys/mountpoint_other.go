//go:build !linux

package fsys

// IsMountPoint reports whether something is mounted on a file, so that no other file can
// take its place. What cannot be found out, before Linux 5.8 or on other systems, is false.
func IsMountPoint(path string) bool { return false }
