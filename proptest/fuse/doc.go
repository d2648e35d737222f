// Package fuse shows, with two FUSE mounts of one directory, why a file system that is
// not known to be local is refused: the locks of one mount do not exclude
// processes on the other.
package fuse
