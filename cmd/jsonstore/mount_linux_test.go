// A file system that is soon full, which only root can have.

package main

import "syscall"

// mountSmall mounts a file system of 128 KiB on a directory.
func mountSmall(dir string) error {
	return syscall.Mount("none", dir, "tmpfs", 0, "size=128k")
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
