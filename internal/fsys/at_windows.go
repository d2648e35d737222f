// Access to files by name in an open directory, with calls of the NT kernel. The layers
// above have no call that describes a file which another program has opened
// exclusively, that renames without replacing, or that distinguishes a file being
// removed from one that may not be opened.

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

// place opens the directory of a name. No symbolic link is followed after this, so that
// a name beneath a root stays there.
func (s system) place(name string) (place, error) {
	dir, base := filepath.Dir(name), filepath.Base(name)
	switch {
	case base == "." || base == ".." || len(base) == 1 && os.IsPathSeparator(base[0]):
		dir, base = name, ""
	case strings.ContainsRune(base, ':'), strings.TrimRight(base,
		". ") != base, !filepath.IsLocal(base):
		return place{}, fmt.Errorf("%w: Windows takes this for another name, or a device",
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
	// onlyLook conflicts with no other open, not even an exclusive one.
	onlyLook = windows.SYNCHRONIZE | windows.FILE_READ_ATTRIBUTES
)

// open opens the file at the place. A symbolic link is ErrSymlink, unless the options
// ask for the link itself.
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

// errno converts an error of the kernel to that of the Win32 calls, if they have one.
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

// renaming is the kernel's argument of a rename.
type renaming struct {
	flags  uint32 // of the newer class; in the older one, a byte that says whether to replace
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

// lacks reports whether an error says that the newer form of a call is missing: the
// file system is not NTFS, the system is older, or it is Wine.
func lacks(err error) bool {
	switch err {
	case windows.STATUS_INVALID_INFO_CLASS, windows.STATUS_INVALID_PARAMETER,
		windows.STATUS_NOT_SUPPORTED, windows.STATUS_NOT_IMPLEMENTED,
		windows.STATUS_INVALID_DEVICE_REQUEST:
		return true
	}
	return false
}

// setInformation changes a property of an open file.
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
	// POSIX semantics: the name is gone at once, even if other handles are open.
	flags := uint32(dispositionDelete | dispositionPosix | dispositionIgnoreReadOnly)
	err = setInformation(handle, &flags, windows.FileDispositionInformationEx)
	if lacks(err) {
		// Here the name is gone when all handles are closed.
		gone := byte(1)
		err = setInformation(handle, &gone, windows.FileDispositionInformation)
	}
	return errno(err)
}

// rename renames the file at the place, within its directory.
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
	// POSIX semantics: an open file is replaced if its other handles share it for
	// deletion.
	what.flags = flags | windows.FILE_RENAME_POSIX_SEMANTICS
	err = setInformation(handle, &what, fileRenameInformationEx)
	if lacks(err) {
		what.flags = flags // here an open file is not replaced
		err = setInformation(handle, &what, windows.FileRenameInformation)
	}
	return errno(err)
}
