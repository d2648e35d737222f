// Files by their name in an open directory, in the calls of the NT kernel: the layers above it
// have no call that looks at a file which another program has opened for itself alone, that
// renames without replacing, or that tells a file which is being removed from one that may
// not be opened.

package fsys

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// place is a name in an open directory.
type place struct {
	dir  *os.File
	base string // empty for the directory itself
	own  bool   // dir is open for this place only
}

func (p place) close() {
	if p.own {
		p.dir.Close()
	}
}

// place finds the directory of a name. No symbolic link is followed after this, so that
// beneath a root the name stays there.
func (s system) place(name string) (place, error) {
	dir, base := filepath.Dir(name), filepath.Base(name)
	switch {
	case base == "." || base == ".." || len(base) == 1 && os.IsPathSeparator(base[0]):
		dir, base = name, ""
	case strings.ContainsRune(base, ':'), strings.TrimRight(base,
		". ") != base, !filepath.IsLocal(base):
		return place{}, fmt.Errorf("%w: to Windows this is another name, or a device",
			fs.ErrInvalid)
	}
	if dir == "." && s.root != nil {
		return place{s.dir, base, false}, nil
	}
	opened, err := s.openDir(dir)
	return place{opened, base, true}, err
}

const (
	shareAll = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	// onlyLook is shared with everybody, also with those who share with nobody.
	onlyLook = windows.SYNCHRONIZE | windows.FILE_READ_ATTRIBUTES
)

// open opens what is at the place. Unless the link is asked for by the options, a symbolic
// link is ErrSymlink.
func (p place) open(access, attributes, disposition, options uint32) (windows.Handle, error) {
	name, err := windows.NewNTUnicodeString(p.base)
	if err != nil {
		return windows.InvalidHandle, fs.ErrInvalid
	}
	at := windows.OBJECT_ATTRIBUTES{
		RootDirectory: windows.Handle(p.dir.Fd()),
		ObjectName:    name,
		Attributes:    windows.OBJ_CASE_INSENSITIVE | windows.OBJ_DONT_REPARSE,
	}
	at.Length = uint32(unsafe.Sizeof(at))
	var handle windows.Handle
	err = windows.NtCreateFile(&handle, windows.SYNCHRONIZE|access, &at,
		&windows.IO_STATUS_BLOCK{}, nil, attributes, shareAll, disposition,
		windows.FILE_SYNCHRONOUS_IO_NONALERT|windows.FILE_OPEN_FOR_BACKUP_INTENT|options, 0, 0)
	return handle, errno(err)
}

// errno is the error of a call of the kernel as the system's other calls have it, but for
// those that they have no word for.
func errno(err error) error {
	status, ok := err.(windows.NTStatus)
	switch {
	case !ok:
		return err
	case status == windows.STATUS_REPARSE_POINT_ENCOUNTERED:
		return ErrSymlink
	case status == windows.STATUS_DELETE_PENDING:
		return windows.ERROR_DELETE_PENDING
	case status == windows.STATUS_OBJECT_NAME_COLLISION:
		return windows.ERROR_FILE_EXISTS
	}
	return status.Errno()
}

// renaming is what the kernel is told of a rename.
type renaming struct {
	flags  uint32 // of the newer class; the older one has here whether to replace, in a byte
	root   windows.Handle
	length uint32 // of the name, in bytes
	name   [windows.MAX_PATH]uint16
}

const (
	fileRenameInformationEx = 65

	dispositionDelete         = 0x1
	dispositionPosix          = 0x2
	dispositionIgnoreReadOnly = 0x10
)

// lacks reports whether an error says that the newer form of a call is not there: the file
// system is not NTFS, the system is older, or it is Wine.
func lacks(err error) bool {
	switch err {
	case windows.STATUS_INVALID_INFO_CLASS, windows.STATUS_INVALID_PARAMETER,
		windows.STATUS_NOT_SUPPORTED, windows.STATUS_NOT_IMPLEMENTED,
		windows.STATUS_INVALID_DEVICE_REQUEST:
		return true
	}
	return false
}

// setInformation tells the kernel something of an open file.
func setInformation[T any](handle windows.Handle, what *T, class uint32) error {
	return windows.NtSetInformationFile(handle, &windows.IO_STATUS_BLOCK{},
		(*byte)(unsafe.Pointer(what)), uint32(unsafe.Sizeof(*what)), class)
}

// remove removes the name.
func (p place) remove() error {
	handle, err := p.open(windows.DELETE|windows.FILE_READ_ATTRIBUTES, 0, windows.FILE_OPEN,
		windows.FILE_OPEN_REPARSE_POINT)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(handle)
	// As in POSIX, the name is gone at once even if others have the file open.
	flags := uint32(dispositionDelete | dispositionPosix | dispositionIgnoreReadOnly)
	err = setInformation(handle, &flags, windows.FileDispositionInformationEx)
	if lacks(err) {
		// Here it is gone when all have closed it.
		gone := byte(1)
		err = setInformation(handle, &gone, windows.FileDispositionInformation)
	}
	return errno(err)
}

// rename renames what is at the place, within its directory.
func (p place) rename(to string, replace bool) error {
	name, err := windows.UTF16FromString(to)
	if err != nil || len(name) > windows.MAX_PATH {
		return fs.ErrInvalid
	}
	handle, err := p.open(windows.DELETE, 0, windows.FILE_OPEN, windows.FILE_OPEN_REPARSE_POINT)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(handle)
	what := renaming{root: windows.Handle(p.dir.Fd()), length: uint32(len(name)-1) * 2}
	copy(what.name[:], name)
	var flags uint32
	if replace {
		flags = windows.FILE_RENAME_REPLACE_IF_EXISTS
	}
	// As in POSIX, a file that others have open is replaced if they share it for that.
	what.flags = flags | windows.FILE_RENAME_POSIX_SEMANTICS
	err = setInformation(handle, &what, fileRenameInformationEx)
	if lacks(err) {
		what.flags = flags // here it is not
		err = setInformation(handle, &what, windows.FileRenameInformation)
	}
	return errno(err)
}
