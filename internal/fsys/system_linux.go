package fsys

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

const (
	flagNoReplace = unix.RENAME_NOREPLACE
	flagExchange  = unix.RENAME_EXCHANGE
)

func renameat(fromDir int, from string, toDir int, to string, flags uint) error {
	return unix.Renameat2(fromDir, from, toDir, to, flags)
}

// Generation folds the file handle that the kernel gives out for NFS: it names the
// inode together with its generation, in a layout of each file system's own.
func (f *file) Generation() (uint64, bool) {
	var handle unix.FileHandle
	err := again(func() (err error) {
		handle, _, err = unix.NameToHandleAt(f.fd, "", unix.AT_EMPTY_PATH)
		return err
	})
	if err != nil {
		return 0, false
	}
	return xxh3.Hash(handle.Bytes()), true
}

func (f *file) SetMtime(ns int64) error {
	// The C library's futimens: utimensat with a null path means the descriptor itself.
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(ns)}
	return f.do("set the modification time of", func(fd int) error {
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

func fsync(fd int) error { return unix.Fsync(fd) }

// networkTypes are the file systems whose locks, names or times another machine can
// change behind our back.
var networkTypes = []string{"nfs", "smb", "afs", "ceph", "9p"}

func (s system) Network(name string) (string, error) {
	kind, err := s.Type(name)
	if err != nil || !slices.Contains(networkTypes, kind) {
		return "", err
	}
	return kind, nil
}

// types names file systems by the number that statfs tells. Ext2 and ext3 have that of ext4.
var types = map[uint32]string{
	unix.AFS_FS_MAGIC:          "afs",
	unix.BCACHEFS_SUPER_MAGIC:  "bcachefs",
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	unix.CEPH_SUPER_MAGIC:      "ceph",
	unix.CIFS_SUPER_MAGIC:      "smb",
	unix.ECRYPTFS_SUPER_MAGIC:  "ecryptfs",
	unix.EXFAT_SUPER_MAGIC:     "exfat",
	unix.EXT4_SUPER_MAGIC:      "ext4",
	unix.F2FS_SUPER_MAGIC:      "f2fs",
	unix.FUSE_SUPER_MAGIC:      "fuse",
	unix.MSDOS_SUPER_MAGIC:     "vfat",
	unix.NFS_SUPER_MAGIC:       "nfs",
	unix.NILFS_SUPER_MAGIC:     "nilfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	unix.RAMFS_MAGIC:           "ramfs",
	unix.REISERFS_SUPER_MAGIC:  "reiserfs",
	unix.SMB2_SUPER_MAGIC:      "smb",
	unix.SMB_SUPER_MAGIC:       "smb",
	unix.TMPFS_MAGIC:           "tmpfs",
	unix.V9FS_MAGIC:            "9p",
	unix.XFS_SUPER_MAGIC:       "xfs",
	0x2fc12fc1:                 "zfs",
	0x3153464a:                 "jfs",
	0x7366746e:                 "ntfs3",
}

func (s system) Type(name string) (string, error) {
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
	if kind, known := types[uint32(st.Type)]; known {
		return kind, nil
	}
	return fmt.Sprintf("%#x", uint32(st.Type)), nil
}
