//go:build unix

// The real file system of Unix: each operation is its system call and nothing else.
// Package os would register every file for readiness events, check the target of each
// rename first, and allocate much; an update is some twenty calls of a microsecond
// each, so that shows.

package fsys

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// system is the whole file system or, with a root, the files beneath it.
type system struct {
	root *os.Root // nil: the whole system
	dir  *rootDir // of the root
}

const (
	// O_NONBLOCK is for a file that turns out to be a fifo; regular files ignore it.
	openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
)

// forFile uses the whole system: a path that is resolved at each call follows its
// directory when that is replaced by another.
func forFile(path string) (FS, string, error) { return New(), path, nil }

func beneath(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	opened, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return system{root, newRootDir(opened)}, nil
}

func (s system) Close() error {
	if s.root == nil {
		return nil
	}
	s.dir.close()
	return s.root.Close()
}

// statfs describes the file system of a directory. By the path it takes one call, and no
// right to read the directory.
func (s system) statfs(name string) (st unix.Statfs_t, err error) {
	if s.root != nil {
		err = s.onDir(name, func(fd int) error { return unix.Fstatfs(fd, &st) })
		return st, err
	}
	if err = again(func() error { return unix.Statfs(name, &st) }); err != nil {
		err = &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return st, err
}

// onDir calls do with a descriptor of a directory. Package os would query and change
// the flags of each descriptor, which takes four more calls.
func (s system) onDir(name string, do func(fd int) error) (err error) {
	switch {
	case s.root == nil:
		var dir *directory
		if dir, err = openDirectory(name); err == nil {
			err = again(func() error { return do(dir.fd) })
			_ = dir.Close() // nothing was written through it
		}
	case name == ".":
		place, enterErr := s.enter(name)
		if enterErr != nil {
			return enterErr
		}
		defer place.leave()
		err = again(func() error { return do(place.dir) })
	default:
		dir, openErr := s.root.Open(name)
		if openErr != nil {
			return openErr
		}
		defer dir.Close()
		err = again(func() error { return do(int(dir.Fd())) })
	}
	if _, ok := err.(unix.Errno); ok {
		return &fs.PathError{Op: "use the directory", Path: name, Err: err}
	}
	return err
}

func (s system) OpenDir(name string) (Dir, error) {
	switch {
	case s.root == nil:
		return openDirectory(name)
	case name == ".":
		return rootDirectory{s}, nil
	}
	dir, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	return openedDirectory{dir}, nil
}

// openedDirectory is a directory beneath a root that package os has opened.
type openedDirectory struct{ *os.File }

func (d openedDirectory) StillWrites() error { return stillWrites(int(d.Fd())) }

// directory is an open directory.
type directory struct {
	fd   int
	name string
}

func openDirectory(name string) (*directory, error) {
	d := &directory{name: name}
	err := again(func() (err error) {
		d.fd, err = unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return d, nil
}

func (d *directory) Sync() error {
	if err := again(func() error { return fsync(d.fd) }); err != nil {
		return &fs.PathError{Op: "sync", Path: d.name, Err: err}
	}
	return nil
}

func (d *directory) StillWrites() error { return stillWrites(d.fd) }

func (d *directory) Close() error { return unix.Close(d.fd) }

// rootDirectory is the root, which stays open.
type rootDirectory struct{ in system }

func (d rootDirectory) Sync() error  { return d.in.onDir(".", fsync) }
func (d rootDirectory) Close() error { return nil }

func (d rootDirectory) StillWrites() error { return d.in.onDir(".", stillWrites) }

// again makes a system call, and repeats it while signals interrupt it.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func (s system) Open(name string, how How, perm fs.FileMode) (File, error) {
	f, err := s.open(name, how, perm)
	if err != nil {
		return nil, err // not f, which would be a non-nil File
	}
	return f, nil
}

func (s system) open(name string, how How, perm fs.FileMode) (*file, error) {
	switch how {
	case OpenNew, OpenGrowing:
		return s.openFlag(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, perm)
	case OpenLock:
		// Read-write where possible, because network file systems emulate flock by byte
		// ranges, which need a writable descriptor. Elsewhere another user's lock file
		// that we may only read works as well.
		f, err := s.openFlag(name, unix.O_RDWR|unix.O_CREAT, perm)
		if os.IsPermission(err) {
			if readable, err := s.openFlag(name, unix.O_RDONLY, 0); err == nil {
				return readable, nil
			}
		}
		return f, err
	case OpenAppend:
		return s.openFlag(name, unix.O_RDWR|unix.O_CREAT|unix.O_APPEND, perm)
	}
	return s.openFlag(name, unix.O_RDONLY, 0)
}

func (s system) openFlag(name string, flag int, perm fs.FileMode) (*file, error) {
	place, err := s.enter(name)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	return s.openAt(place, name, flag, perm)
}

func (s system) openAt(place place, name string, flag int, perm fs.FileMode) (*file, error) {
	for {
		fd, err := openat(place.dir, place.base, flag|openFlags, uint32(perm.Perm()))
		switch err {
		case nil:
			return &file{fd: fd, in: s, name: name}, nil
		case unix.EINTR:
			continue
		case unix.ELOOP, unix.EMLINK: // FreeBSD's error for it
			err = ErrSymlink
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
}

func (s system) Lstat(name string) (Info, error) {
	place, err := s.enter(name)
	if err != nil {
		return Info{}, err
	}
	defer place.leave()
	return place.lstat(name)
}

func (p place) lstat(name string) (Info, error) {
	var st unix.Stat_t
	err := fstatat(p.dir, p.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	for err == unix.EINTR {
		err = fstatat(p.dir, p.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return Info{}, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return infoOf(&st), nil
}

func (s system) Symlink(target, name string) error {
	place, err := s.enter(name)
	if err != nil {
		return err
	}
	defer place.leave()
	if err := again(func() error { return symlinkat(target, place.dir, place.base) }); err != nil {
		return &os.LinkError{Op: "symlink", Old: target, New: name, Err: err}
	}
	return nil
}

func (s system) Readlink(name string) (string, error) {
	place, err := s.enter(name)
	if err != nil {
		return "", err
	}
	defer place.leave()
	return place.readlink(name)
}

func (p place) readlink(name string) (string, error) {
	var short [128]byte
	buf := short[:]
	for {
		n, err := readlinkat(p.dir, p.base, buf)
		switch {
		case err == unix.EINTR:
		case err == unix.ENOENT:
			return "", fs.ErrNotExist
		case err != nil:
			return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
		case n < len(buf):
			return string(buf[:n]), nil
		default: // it may be longer
			buf = make([]byte, 2*len(buf))
		}
	}
}

func infoOf(st *unix.Stat_t) Info {
	return Info{
		Mode:  modeOf(uint32(st.Mode)),
		Size:  st.Size,
		Mtime: st.Mtim.Nano(),
		Ctime: st.Ctim.Nano(),
		Dev:   uint64(st.Dev),
		Ino:   st.Ino,
		Links: uint64(st.Nlink),
		UID:   st.Uid,
		GID:   st.Gid,
	}
}

// modeBits are the bits of a mode that fs.FileMode has in other places.
var modeBits = [...]struct {
	unix uint32
	mode fs.FileMode
}{
	{unix.S_ISUID, fs.ModeSetuid},
	{unix.S_ISGID, fs.ModeSetgid},
	{unix.S_ISVTX, fs.ModeSticky},
}

func modeOf(st uint32) fs.FileMode {
	mode := fs.FileMode(st & 0o777)
	switch st & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	default:
		mode |= fs.ModeIrregular
	}
	for _, bit := range modeBits {
		if st&bit.unix != 0 {
			mode |= bit.mode
		}
	}
	return mode
}

// NeedsClosed implements FS.
func (s system) NeedsClosed() bool { return false }
