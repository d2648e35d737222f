//go:build unix

// Open files that a process passes on to a child, with the lock that they have.

package fsys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// passFrom is the lowest number of a descriptor that is passed on: scripts use small ones.
const passFrom = 100

// Pass makes a descriptor of an open file that child processes inherit, with its lock,
// until release is called. It is errors.ErrUnsupported where a child cannot share a lock.
func Pass(opened File) (fd int, release func(), err error) {
	f, ok := opened.(*file)
	if !ok {
		return 0, nil, errors.ErrUnsupported
	}
	err = f.do("pass on", func(int) error {
		fd, err = unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD, passFrom)
		if err == unix.EINVAL || err == unix.EMFILE { // the limit is lower
			fd, err = unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD, 3)
		}
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return fd, func() { _ = unix.Close(fd) }, nil
}

// Adopt returns the file of a descriptor that was passed on by the parent process. It is
// the caller's to find out what file that is. The descriptor stays as it is, and is not to be
// closed.
func Adopt(fd int) (File, error) {
	if fd < 3 {
		return nil, errors.ErrUnsupported // standard input, output and error
	}
	f := &file{fd: fd, name: "an inherited descriptor"}
	err := f.do("adopt", func(fd int) error {
		var st unix.Stat_t
		return unix.Fstat(fd, &st)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}
