// An open file on Windows.

package fsys

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// file is an open file of the real system.
type file struct {
	*os.File
	in   system
	name string // as given to in

	appends bool // each write goes to the end
}

// Write writes at the end of a file that is open for appending. Two handles must not append at
// once: the system has no such write for a handle that can also truncate.
func (f file) Write(p []byte) (int, error) {
	if f.appends {
		if _, err := f.File.Seek(0, io.SeekEnd); err != nil {
			return 0, err
		}
	}
	return f.File.Write(p)
}

func (f file) WriteBack() error   { return nil }
func (f file) StillWrites() error { return nil }
func (f file) Touch() error       { return nil }

func (f file) Stat() (Info, error) {
	info, err := describe(windows.Handle(f.Fd()))
	return info, pathError("stat", f.Name(), err)
}

// describe describes the file of a handle.
func describe(handle windows.Handle) (Info, error) {
	var by windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(handle, &by); err != nil {
		return Info{}, err
	}
	info := Info{
		Mode:  0o666,
		Size:  int64(by.FileSizeHigh)<<32 | int64(by.FileSizeLow),
		Mtime: by.LastWriteTime.Nanoseconds(),
		Dev:   uint64(by.VolumeSerialNumber),
		Ino:   uint64(by.FileIndexHigh)<<32 | uint64(by.FileIndexLow),
		Links: uint64(by.NumberOfLinks),
	}
	if by.FileAttributes&windows.FILE_ATTRIBUTE_READONLY != 0 {
		info.Mode = 0o444
	}
	if by.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0 {
		info.Mode = fs.ModeDir | 0o777
	}
	if by.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 {
		// Other tags than these two are files that are stored elsewhere or in another
		// form.
		var tag struct{ attributes, tag uint32 }
		err := windows.GetFileInformationByHandleEx(handle, windows.FileAttributeTagInfo,
			(*byte)(unsafe.Pointer(&tag)), uint32(unsafe.Sizeof(tag)))
		switch {
		case err != nil:
			return Info{}, err
		case tag.tag == windows.IO_REPARSE_TAG_SYMLINK:
			info.Mode = fs.ModeSymlink | 0o777
		case tag.tag == windows.IO_REPARSE_TAG_MOUNT_POINT:
			info.Mode = fs.ModeIrregular | 0o777
		}
	}
	return info, nil
}

// Sync uses another handle if the file is open read-only: the system flushes only
// through writable ones.
func (f file) Sync() error {
	err := f.File.Sync()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	writable, openErr := f.in.open(f.name, toFlush)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(writable.File.Sync(), writable.Close())
}

// SetMtime rounds to 100 nanoseconds.
func (f file) SetMtime(ns int64) error {
	mtime := windows.NsecToFiletime(ns)
	err := windows.SetFileTime(windows.Handle(f.Fd()), nil, nil, &mtime)
	return pathError("set the time of", f.Name(), err)
}

func (f file) Generation() (uint64, bool) { return 0, false }

// Chmod sets only the read-only attribute, and Chown nothing: access is controlled by
// an ACL, which a new file inherits from its directory.
func (f file) Chmod(fs.FileMode) error    { return nil }
func (f file) Chown(uint32, uint32) error { return nil }

// The lock is on one byte far beyond the end, since locks are mandatory here and would
// keep others from reading the locked range.
const lockOffset = 0x7fffffff

func (f file) lock(flags uint32) error {
	region := windows.Overlapped{OffsetHigh: lockOffset}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &region)
}

// Lock blocks in the kernel. The file must not be used meanwhile, not even closed.
func (f file) Lock(time.Duration) error {
	return f.mustLock(windows.LOCKFILE_EXCLUSIVE_LOCK)
}

func (f file) LockShared() error { return f.mustLock(0) }

func (f file) mustLock(flags uint32) error {
	if err := f.lock(flags); err != nil {
		return lockError(f.Name(), err)
	}
	return nil
}

func (f file) TryLock() (bool, error)       { return f.tryLock(windows.LOCKFILE_EXCLUSIVE_LOCK) }
func (f file) TryLockShared() (bool, error) { return f.tryLock(0) }

func (f file) tryLock(flags uint32) (bool, error) {
	err := f.lock(flags | windows.LOCKFILE_FAIL_IMMEDIATELY)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, syscall.Errno(windows.ERROR_IO_PENDING)) {
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
