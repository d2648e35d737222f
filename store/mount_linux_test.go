package store

import "golang.org/x/sys/unix"

// mountSmall mounts a file system of 128 KiB on a directory.
func mountSmall(dir string) (unmount func() error, err error) {
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=128k"); err != nil {
		return nil, err
	}
	return func() error { return unix.Unmount(dir, unix.MNT_DETACH) }, nil
}
