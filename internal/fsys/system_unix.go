//go:build unix

package fsys

import (
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// O_NONBLOCK is for what turns out to be a fifo; regular files ignore it.
	openFlags  = unix.O_NOFOLLOW | unix.O_NONBLOCK
	canSyncDir = true
)

// isSymlinkError: Linux and macOS say ELOOP for O_NOFOLLOW on a link, FreeBSD EMLINK.
func isSymlinkError(err error) bool {
	return errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK)
}

// forFile takes the whole system: a path that is looked up at each call follows its
// directory when that is moved away and another is put in its place.
func forFile(path string) (FS, string, error) { return New(), path, nil }

func (f file) Chown(uid, gid uint32) error { return f.File.Chown(int(uid), int(gid)) }

func (s system) describe(_ string, info fs.FileInfo) (Info, error) {
	return infoOf(info), nil
}

func (f file) describe(info fs.FileInfo) (Info, error) {
	return infoOf(info), nil
}

func infoOf(info fs.FileInfo) Info {
	st := info.Sys().(*syscall.Stat_t)
	return Info{
		Mode:  info.Mode(),
		Size:  info.Size(),
		Mtime: info.ModTime().UnixNano(),
		Ctime: ctime(st),
		Dev:   uint64(st.Dev),
		Ino:   st.Ino,
		Links: uint64(st.Nlink),
		UID:   st.Uid,
		GID:   st.Gid,
	}
}

// control runs a system call on the file's descriptor, again if a signal cut it short.
func (f file) control(call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		for {
			callErr = call(int(fd))
			if callErr != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return callErr
}

func (f file) Lock() error {
	if err := f.control(func(fd int) error { return unix.Flock(fd, unix.LOCK_EX) }); err != nil {
		return f.lockError(err)
	}
	return nil
}

func (f file) TryLock() (bool, error) {
	err := f.control(func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, f.lockError(err)
	}
	return true, nil
}

func (f file) Unlock() error {
	return f.control(func(fd int) error { return unix.Flock(fd, unix.LOCK_UN) })
}
