package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"
)

const (
	openFlags = 0
	// A directory cannot be flushed; NTFS journals its names.
	canSyncDir = false
)

// forFile takes a root on the directory: files opened through a root are shared for
// deletion, without which an open file cannot be replaced.
func forFile(path string) (FS, string, error) {
	files, err := Beneath(filepath.Dir(path))
	return files, filepath.Base(path), err
}

func isSymlinkError(error) bool { return false }

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

func (s system) renameNoReplace(from, to string) error { return s.renameByLink(from, to) }

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

func (f file) Lock() error {
	if err := f.lock(windows.LOCKFILE_EXCLUSIVE_LOCK); err != nil {
		return f.lockError(err)
	}
	return nil
}

func (f file) TryLock() (bool, error) {
	err := f.lock(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, syscall.Errno(windows.ERROR_IO_PENDING)) {
		return false, nil
	}
	if err != nil {
		return false, f.lockError(err)
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
