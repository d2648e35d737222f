package fsys

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

const (
	flagNoReplace = unix.RENAME_NOREPLACE
	flagExchange  = unix.RENAME_EXCHANGE
)

// Generation hashes the file handle that the kernel provides for NFS servers. It
// identifies the inode and its generation, in a layout that depends on the file system.
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
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0,
			uintptr(unsafe.Pointer(&times)), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// Touch sets the time of the last access to now, which changes no other time but that of the
// last change.
func (f *file) Touch() error {
	times := [2]unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_OMIT}}
	return f.do("touch", func(fd int) error {
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0,
			uintptr(unsafe.Pointer(&times)), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

func fsync(fd int) error { return unix.Fsync(fd) }

// localTypes are the file systems known to be local: only this kernel changes their
// content, so its locks exclude all writers. Of others that is unknown; localFUSE
// distinguishes those of FUSE.
var localTypes = []string{"bcachefs", "btrfs", "ecryptfs", "exfat", "ext4", "f2fs", "hfsplus",
	"jffs2", "jfs", "nilfs", "ntfs3", "overlay", "ramfs", "reiserfs", "tmpfs", "ubifs", "udf",
	"vfat", "wslfs", "xfs", "zfs",
	"erofs", "iso9660", "squashfs"} // these are read-only

// localFUSE are the FUSE file systems on a block device of this machine. All others may
// be on another machine, or mount the same files twice.
var localFUSE = []string{"fuseblk", "fuse.ntfs-3g", "fuse.exfat"}

func isLocalFUSE(kind string) bool {
	return slices.Contains(localFUSE, kind) || strings.HasPrefix(kind, "fuseblk.")
}

func (s system) Network(name string) (string, error) {
	kind, err := s.Type(name)
	if err != nil || slices.Contains(localTypes, kind) {
		return "", err
	}
	if kind == "fuse" {
		if kind = s.mountType(name); isLocalFUSE(kind) {
			return "", nil
		}
	}
	return kind, nil
}

// mountType is the type of a FUSE file system as mounted, such as fuse.sshfs or
// virtiofs, or fuse if that is unknown.
func (s system) mountType(name string) string {
	const unknown = "fuse"
	var st unix.Stat_t
	if err := s.onDir(name, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return unknown
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return unknown
	}
	if kind := typeOfDevice(string(mounts), unix.Major(st.Dev), unix.Minor(st.Dev)); kind != "" {
		return kind
	}
	return unknown
}

// typeOfDevice finds the type of the file system with a device number in a mountinfo.
func typeOfDevice(mounts string, major, minor uint32) string {
	device := fmt.Sprintf("%d:%d", major, minor)
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(before); len(fields) > 2 && fields[2] == device {
			if kind := strings.Fields(after); len(kind) > 0 {
				return kind[0]
			}
		}
	}
	return ""
}

// types names file systems by the number from statfs. Ext2 and ext3 have that of ext4.
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
	unix.EROFS_SUPER_MAGIC_V1:  "erofs",
	unix.ISOFS_SUPER_MAGIC:     "iso9660",
	unix.SQUASHFS_MAGIC:        "squashfs",
	0x53464846:                 "wslfs",
	0x24051905:                 "ubifs",
	0x3153464a:                 "jfs",
	0x482b:                     "hfsplus",
	0x72b6:                     "jffs2",
	0x15013346:                 "udf",
	0x7366746e:                 "ntfs3",
}

func (s system) Type(name string) (string, error) {
	st, err := s.statfs(name)
	if err != nil {
		return "", err
	}
	if kind, known := types[uint32(st.Type)]; known {
		return kind, nil
	}
	return fmt.Sprintf("%#x", uint32(st.Type)), nil
}
