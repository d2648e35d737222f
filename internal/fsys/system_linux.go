package fsys

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

func ctime(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }

const (
	flagNoReplace = unix.RENAME_NOREPLACE
	flagExchange  = unix.RENAME_EXCHANGE
)

func renameat(fromDir int, from string, toDir int, to string, flags uint) error {
	return unix.Renameat2(fromDir, from, toDir, to, flags)
}

// Generation folds the file handle that the kernel gives out for NFS: it names the
// inode together with its generation, in a layout of each file system's own.
func (f file) Generation() (uint64, bool) {
	var handle unix.FileHandle
	err := f.control(func(fd int) (err error) {
		handle, _, err = unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
		return err
	})
	if err != nil {
		return 0, false
	}
	return xxh3.Hash(handle.Bytes()), true
}

func (f file) SetMtime(ns int64) error {
	// The C library's futimens: utimensat with a null path means the descriptor itself.
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(ns)}
	err := f.control(func(fd int) error {
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		return &os.PathError{Op: "set the modification time of", Path: f.Name(), Err: err}
	}
	return nil
}

// Network knows the file systems whose locks, names or times another machine can
// change behind our back.
func (s system) Network(name string) (string, error) {
	dir, err := s.openDir(name)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	var st unix.Statfs_t
	for {
		err = unix.Fstatfs(int(dir.Fd()), &st)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return "", &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC:
		return "nfs", nil
	case unix.CIFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "smb", nil
	case unix.AFS_FS_MAGIC:
		return "afs", nil
	case unix.CEPH_SUPER_MAGIC:
		return "ceph", nil
	case unix.V9FS_MAGIC:
		return "9p", nil
	}
	return "", nil
}
