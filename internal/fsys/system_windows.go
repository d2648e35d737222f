package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// system is the whole file system, or, with a root, only what is beneath it.
type system struct {
	root *os.Root // nil: the whole system
}

// forFile takes a root on the directory: files opened through a root are shared for
// deletion, without which an open file cannot be replaced.
func forFile(path string) (FS, string, error) {
	files, err := Beneath(filepath.Dir(path))
	return files, filepath.Base(path), err
}

func beneath(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return system{root}, nil
}

func (s system) Close() error {
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

func (s system) Open(name string, how How, perm fs.FileMode) (File, error) {
	var f file
	var err error
	switch how {
	case OpenNew:
		f, err = s.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	case OpenLock:
		f, err = s.open(name, os.O_RDWR|os.O_CREATE, perm)
		if errors.Is(err, fs.ErrPermission) {
			// A lock file that we may only read serves as well.
			if readable, err := s.open(name, os.O_RDONLY, 0); err == nil {
				return readable, nil
			}
		}
	default:
		f, err = s.open(name, os.O_RDONLY, 0)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (s system) open(name string, flag int, perm fs.FileMode) (file, error) {
	var f *os.File
	var err error
	if s.root == nil {
		f, err = os.OpenFile(name, flag, perm)
	} else {
		// A root follows links that stay inside; the caller wants to know of them. That
		// the link may change between the two calls does no harm: the root still confines.
		info, statErr := s.root.Lstat(name)
		if statErr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return file{}, &fs.PathError{Op: "open", Path: name, Err: ErrSymlink}
		}
		f, err = s.root.OpenFile(name, flag, perm)
	}
	if err != nil {
		return file{}, err
	}
	return file{File: f, in: s, name: name}, nil
}

// OpenDir opens nothing: a directory cannot be flushed, and NTFS journals its names.
func (s system) OpenDir(string) (Dir, error) { return noDir{}, nil }

type noDir struct{}

func (noDir) Sync() error        { return nil }
func (noDir) StillWrites() error { return nil }
func (noDir) Close() error       { return nil }

func (s system) Lstat(name string) (Info, error) {
	var info fs.FileInfo
	var err error
	if s.root == nil {
		info, err = os.Lstat(name)
	} else {
		info, err = s.root.Lstat(name)
	}
	if err != nil {
		return Info{}, err
	}
	return s.describe(name, info)
}

func (s system) Symlink(target, name string) error {
	var err error
	if s.root == nil {
		err = os.Symlink(target, name)
	} else {
		err = s.root.Symlink(target, name)
	}
	if errors.Is(err, windows.ERROR_PRIVILEGE_NOT_HELD) {
		return errors.ErrUnsupported
	}
	return err
}

func (s system) Readlink(name string) (string, error) {
	if s.root == nil {
		return os.Readlink(name)
	}
	return s.root.Readlink(name)
}

func (s system) Rename(from, to string, how RenameHow) error {
	switch {
	case how == NoReplace:
		return s.renameByLink(from, to)
	case how == Exchange:
		return s.exchange(from, to)
	case s.root == nil:
		return os.Rename(from, to)
	}
	return s.root.Rename(from, to)
}

func (s system) Remove(name string) error {
	if s.root == nil {
		return os.Remove(name)
	}
	return s.root.Remove(name)
}

// file is an open file of the real system.
type file struct {
	*os.File
	in   system
	name string // as in was asked for it
}

func (f file) WriteBack() error   { return nil }
func (f file) StillWrites() error { return nil }

func (f file) Stat() (Info, error) {
	info, err := f.File.Stat()
	if err != nil {
		return Info{}, err
	}
	return f.describe(info)
}

// describe opens the file once more: the inode's number is not in what Lstat returns.
func (s system) describe(name string, info fs.FileInfo) (Info, error) {
	if !info.Mode().IsRegular() {
		return Info{Mode: info.Mode(), Size: info.Size(), Mtime: info.ModTime().UnixNano(), Links: 1}, nil
	}
	f, err := s.open(name, os.O_RDONLY, 0)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	return f.Stat()
}

func (f file) describe(info fs.FileInfo) (Info, error) {
	var by windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &by); err != nil {
		return Info{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return Info{
		Mode:  info.Mode(),
		Size:  info.Size(),
		Mtime: info.ModTime().UnixNano(),
		Dev:   uint64(by.VolumeSerialNumber),
		Ino:   uint64(by.FileIndexHigh)<<32 | uint64(by.FileIndexLow),
		Links: uint64(by.NumberOfLinks),
	}, nil
}

// Sync flushes a file that is open for reading only by another handle: the system flushes
// what may be written to.
func (f file) Sync() error {
	err := f.File.Sync()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	writable, openErr := f.in.open(f.name, os.O_RDWR, 0)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(writable.File.Sync(), writable.Close())
}

func (f file) Generation() (uint64, bool) { return 0, false }

// Chmod keeps only what Windows has, and Chown nothing: access is by ACL there,
// which a new file inherits from its directory.
func (f file) Chmod(fs.FileMode) error    { return nil }
func (f file) Chown(uint32, uint32) error { return nil }

// The lock is on one byte far behind the end, since locks are mandatory here and
// would keep others from reading what they cover.
const lockOffset = 0x7fffffff

func (f file) lock(flags uint32) error {
	region := windows.Overlapped{OffsetHigh: lockOffset}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &region)
}

func (f file) Lock(time.Duration) error {
	if err := f.lock(windows.LOCKFILE_EXCLUSIVE_LOCK); err != nil {
		return lockError(f.Name(), err)
	}
	return nil
}

func (f file) TryLock() (bool, error) {
	err := f.lock(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, syscall.Errno(windows.ERROR_IO_PENDING)) {
		return false, nil
	}
	if err != nil {
		return false, lockError(f.Name(), err)
	}
	return true, nil
}

func (f file) Unlock() error {
	region := windows.Overlapped{OffsetHigh: lockOffset}
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &region)
}

func (s system) Network(string) (string, error) { return "", nil }

func (s system) Type(name string) (string, error) {
	if s.root != nil {
		name = filepath.Join(s.root.Name(), name)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	path, err := windows.UTF16PtrFromString(abs)
	if err != nil {
		return "", err
	}
	volume, kind := make([]uint16, len(abs)+windows.MAX_PATH), make([]uint16, windows.MAX_PATH)
	err = windows.GetVolumePathName(path, &volume[0], uint32(len(volume)))
	if err == nil {
		err = windows.GetVolumeInformation(&volume[0], nil, 0, nil, nil, nil, &kind[0], uint32(len(kind)))
	}
	if err != nil {
		return "", &fs.PathError{Op: "ask for the volume of", Path: name, Err: err}
	}
	return strings.ToLower(windows.UTF16ToString(kind)), nil
}
