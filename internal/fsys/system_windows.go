// The file system of Windows. Differences from others:
//
//   - An open file can keep its name: a rename over it is refused, and a removal is
//     refused or takes effect at the last close. Current NTFS behaves as POSIX if all
//     handles share the file for deletion, as ours do; FAT, network shares and Wine do
//     not. So NeedsClosed is true, and calls that other programs block are retried for
//     some time.
//   - A directory cannot be flushed; NTFS has a journal for names.
//   - There are no exchange, owners or modes.

package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// system is the whole file system or, with a root, the files beneath it.
type system struct {
	root *os.Root // nil: the whole system
	dir  *os.File // the root's own directory
}

func forFile(path string) (FS, string, error) {
	files, err := Beneath(filepath.Dir(path))
	return files, filepath.Base(path), err
}

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
	return system{root, opened}, nil
}

func (s system) Close() error {
	if s.root == nil {
		return nil
	}
	return errors.Join(s.dir.Close(), s.root.Close())
}

func (s system) Link(name, second string) error {
	if s.root == nil {
		return os.Link(name, second)
	}
	return s.root.Link(name, second)
}

// NeedsClosed implements FS.
func (s system) NeedsClosed() bool { return true }

func (s system) Open(name string, how How, perm fs.FileMode) (File, error) {
	f, err := s.open(name, how)
	if how == OpenLock && errors.Is(err, fs.ErrPermission) {
		// A lock file that we may only read works as well.
		if readable, err := s.open(name, OpenExisting); err == nil {
			return readable, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (s system) open(name string, how How) (f file, err error) {
	at, err := s.place(name)
	if err != nil {
		return file{}, pathError("open", name, err)
	}
	defer at.close()
	access, disposition, options := uint32(windows.FILE_GENERIC_READ|windows.FILE_GENERIC_WRITE),
		uint32(windows.FILE_OPEN_IF), uint32(windows.FILE_NON_DIRECTORY_FILE)
	switch how {
	case OpenExisting:
		access, disposition, options = windows.FILE_GENERIC_READ, windows.FILE_OPEN, 0
	case OpenNew, OpenGrowing:
		disposition = windows.FILE_CREATE
		options |= windows.FILE_OPEN_REPARSE_POINT
	case toFlush:
		disposition = windows.FILE_OPEN
	}
	err = insist(func() error {
		handle, err := at.open(access, windows.FILE_ATTRIBUTE_NORMAL, disposition, options)
		if err == nil {
			f = file{File: os.NewFile(uintptr(handle), name), in: s, name: name,
				appends: how == OpenAppend}
		}
		return err
	}, func(err error) bool {
		return isShared(err) || how == OpenLock && errors.Is(err, windows.ERROR_DELETE_PENDING)
	})
	if errors.Is(err, windows.ERROR_DELETE_PENDING) {
		// It is being removed, until its last handle is closed: it cannot be read, but
		// its name is in use.
		err = fs.ErrNotExist
		if how != OpenExisting {
			err = fs.ErrExist
		}
	}
	return f, pathError("open", name, err)
}

// toFlush is an internal How: open an existing file for writing.
const toFlush How = -1

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// OpenDir opens nothing.
func (s system) OpenDir(string) (Dir, error) { return noDir{}, nil }

type noDir struct{}

func (noDir) Sync() error        { return nil }
func (noDir) StillWrites() error { return nil }
func (noDir) Close() error       { return nil }

// Lstat does not conflict with other handles, and blocks others no longer than its
// call.
func (s system) Lstat(name string) (Info, error) {
	at, err := s.place(name)
	if err != nil {
		return Info{}, pathError("lstat", name, err)
	}
	defer at.close()
	handle, err := at.open(onlyLook, 0, windows.FILE_OPEN, windows.FILE_OPEN_REPARSE_POINT)
	if errors.Is(err, windows.ERROR_DELETE_PENDING) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Info{}, pathError("lstat", name, err)
	}
	defer windows.CloseHandle(handle)
	info, err := describe(handle)
	return info, pathError("lstat", name, err)
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
	if how == Exchange {
		return s.exchange(from, to)
	}
	fail := func(err error) error {
		return &os.LinkError{Op: "rename", Old: from, New: to,
			Err: err}
	}
	at, err := s.place(from)
	if err != nil {
		return fail(err)
	}
	defer at.close()
	err = insist(
		func() error { return at.rename(filepath.Base(to), how == Replace) },
		func(err error) bool { return isBusy(err) && !s.isFixed(to) })
	if err != nil {
		return fail(err)
	}
	return nil
}

// isFixed reports whether retries are useless: the name is a directory's, or the file
// is read-only.
func (s system) isFixed(name string) bool {
	info, err := s.Lstat(name)
	return err == nil && (info.Mode.IsDir() || info.Mode&0o200 == 0)
}

func (s system) Remove(name string) error {
	at, err := s.place(name)
	if err == nil {
		defer at.close()
		err = insist(at.remove, func(err error) bool {
			// The removal may already be under way, which is enough for the caller.
			return isBusy(err) && !errors.Is(err, windows.ERROR_DELETE_PENDING)
		})
	}
	if errors.Is(err, windows.ERROR_DELETE_PENDING) {
		err = fs.ErrNotExist
	}
	return pathError("remove", name, err)
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
		err = windows.GetVolumeInformation(&volume[0], nil, 0, nil, nil, nil, &kind[0],
			uint32(len(kind)))
	}
	if err != nil {
		return "", &fs.PathError{Op: "ask for the volume of", Path: name, Err: err}
	}
	return strings.ToLower(windows.UTF16ToString(kind)), nil
}
