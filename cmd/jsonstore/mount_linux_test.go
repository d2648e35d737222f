// File systems that are soon full, and files that are mounted, which only root can have.

package main

import "syscall"

// mountSmall mounts a file system of 128 KiB on a directory.
func mountSmall(dir string) error {
	return syscall.Mount("none", dir, "tmpfs", 0, "size=128k")
}

// mountFile mounts a file on another one.
func mountFile(file, on string) error { return syscall.Mount(file, on, "", syscall.MS_BIND, "") }

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
