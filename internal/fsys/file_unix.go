//go:build unix

// An open file on Unix: a descriptor.

package fsys

import (
	"io"
	"io/fs"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// maxAtOnce bounds one read or write: some systems refuse more.
const maxAtOnce = 1 << 30

// file is an open file of the real system.
type file struct {
	fd   int // -1 after Close
	in   system
	name string // as given to in
}

// WriteBack closes a second descriptor of the file.
func (f *file) WriteBack() error {
	return f.do("write back", func(fd int) error {
		second, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Close(second); err != unix.EINTR {
			return err
		}
		return nil // it is closed; do not close it again
	})
}

func (f *file) StillWrites() error { return f.do("begin a change of", stillWrites) }

// do makes a system call on the file.
func (f *file) do(op string, call func(fd int) error) error {
	err := call(f.fd)
	for err == unix.EINTR {
		err = call(f.fd)
	}
	if err != nil {
		return f.error(op, err)
	}
	return nil
}

func (f *file) error(op string, err error) error {
	if f.fd < 0 {
		err = fs.ErrClosed
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *file) Read(p []byte) (int, error) {
	return f.transfer(p, func(p []byte) (int, error) { return unix.Read(f.fd, p) })
}

// ReadAt fills p, up to the end of the file.
func (f *file) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = f.transfer(p[n:], func(p []byte) (int, error) {
			return unix.Pread(f.fd, p, offset+int64(n))
		})
		n += more
	}
	return n, err
}

// transfer reads into p by one system call.
func (f *file) transfer(p []byte, call func(p []byte) (int, error)) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	p = p[:min(len(p), maxAtOnce)]
	n, err := call(p)
	for err == unix.EINTR {
		n, err = call(p)
	}
	switch {
	case err != nil:
		return 0, f.error("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (written int, err error) {
	for written < len(p) {
		n, err := unix.Write(f.fd, p[written:min(len(p), written+maxAtOnce)])
		written += max(n, 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return written, f.error("write", err)
		case n == 0:
			return written, f.error("write", io.ErrShortWrite)
		}
	}
	return written, nil
}

func (f *file) Stat() (Info, error) {
	var st unix.Stat_t
	err := unix.Fstat(f.fd, &st)
	for err == unix.EINTR {
		err = unix.Fstat(f.fd, &st)
	}
	if err != nil {
		return Info{}, f.error("stat", err)
	}
	return infoOf(&st), nil
}

func (f *file) Chmod(mode fs.FileMode) error {
	const special = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	if mode&0o070 != 0 && f.setPlainMode(mode) && mode&special == 0 {
		return nil
	}
	bits := uint32(mode.Perm())
	for _, bit := range modeBits {
		if mode&bit.mode != 0 {
			bits |= bit.unix
		}
	}
	return f.do("chmod", func(fd int) error { return unix.Fchmod(fd, bits) })
}

func (f *file) Chown(uid, gid uint32) error {
	return f.do("chown", func(fd int) error { return unix.Fchown(fd, int(uid), int(gid)) })
}

func (f *file) Truncate(size int64) error {
	return f.do("truncate", func(fd int) error { return unix.Ftruncate(fd, size) })
}

func (f *file) Sync() error { return f.do("sync", fsync) }

func (f *file) Lock(spin time.Duration) error {
	if spin > 0 && runtime.NumCPU() > 1 {
		for start := time.Now(); time.Since(start) < spin; {
			if locked, err := f.TryLock(); locked || err != nil {
				return err
			}
		}
	}
	return f.flock(unix.LOCK_EX)
}

func (f *file) LockShared() error { return f.flock(unix.LOCK_SH) }

func (f *file) flock(how int) error {
	for {
		switch err := unix.Flock(f.fd, how); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return lockError(f.name, f.error("flock", err))
		}
	}
}

func (f *file) TryLock() (bool, error)       { return f.tryFlock(unix.LOCK_EX) }
func (f *file) TryLockShared() (bool, error) { return f.tryFlock(unix.LOCK_SH) }

func (f *file) tryFlock(how int) (bool, error) {
	for {
		switch err := unix.Flock(f.fd, how|unix.LOCK_NB); err {
		case nil:
			return true, nil
		case unix.EWOULDBLOCK:
			return false, nil
		case unix.EINTR:
		default:
			return false, lockError(f.name, f.error("flock", err))
		}
	}
}

func (f *file) Unlock() error {
	return f.do("unlock", func(fd int) error { return unix.Flock(fd, unix.LOCK_UN) })
}

// Close closes the file at the first call and fails at later ones. Other errors of
// close are ignored: the descriptor is gone in any case, and important data was flushed
// before.
func (f *file) Close() error {
	fd := f.fd
	if fd < 0 {
		return f.error("close", fs.ErrClosed)
	}
	f.fd = -1
	if err := unix.Close(fd); err != nil && err != unix.EINTR {
		return &fs.PathError{Op: "close", Path: f.name, Err: err}
	}
	return nil
}
