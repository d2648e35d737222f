// Package fsys is the seam between the store and the file system: an interface with the
// few system calls of the publish protocol. The store accesses files only through it,
// so that the same code runs on the real system (New) and, in proofs, on a simulated
// one.
package fsys

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"
)

// FS is a file system. Names depend on the implementation: any path for the whole
// system, slash-separated relative paths for a root. Methods may be called
// concurrently. No call writes through a symbolic link in the last component of its
// name.
type FS interface {
	// Open opens a file in one of a few ways; perm is for a new file.
	Open(name string, how How, perm fs.FileMode) (File, error)
	// Lstat describes the file with a name, without following a link.
	Lstat(name string) (Info, error)
	// Readlink returns the target of a symbolic link. If the name does not exist the
	// error is plain fs.ErrNotExist, without the name, to avoid an allocation.
	Readlink(name string) (string, error)
	// Symlink makes a symbolic link; fs.ErrExist if the name exists.
	Symlink(target, name string) error
	// Rename moves a file within one directory, atomically.
	Rename(from, to string, how RenameHow) error
	// Link gives a file a second name; fs.ErrExist if that name exists.
	Link(name, second string) error
	// Remove removes the name of a file, or an empty directory.
	Remove(name string) error
	// Mkdir makes one directory.
	Mkdir(name string, perm fs.FileMode) error
	// ReadDir lists a directory, in no particular order.
	ReadDir(name string) ([]Entry, error)
	// OpenDir opens a directory, to flush it later.
	OpenDir(name string) (Dir, error)
	// NeedsClosed reports whether an open file keeps its name, even if only this
	// process has it open: a rename over it is refused, and a removal takes effect at
	// the last close.
	NeedsClosed() bool
	// LstatMount is Lstat, and reports whether a file is a mount point, which no other
	// file can replace. That is false if unknown: before Linux 5.8 and on other systems.
	LstatMount(name string) (info Info, isMount bool, err error)
	// OneJournal reports whether one journal has all changes of a directory's file
	// system, in order, so that File.Sync of any file makes all earlier changes of
	// names durable, and File.SyncData works.
	OneJournal(name string) bool
	// Network names the file system of a directory if it is not known to be local:
	// another machine, or a second mount of the same files, may then change them
	// without the locks of this kernel. It is empty for a local one.
	Network(name string) (string, error)
	// Type names the file system of a directory, such as ext4 or apfs; it is empty if
	// unknown, and a number if the system has no name for it.
	Type(name string) (string, error)
	// LockOwner returns the process that holds the lock of a file, and the name of its
	// command if known. It is false if the lock is free or its holder unknown.
	LockOwner(locked Info) (pid int, command string, ok bool)
	// Now is the real-time clock in nanoseconds since 1970, at its full resolution.
	Now() int64
	// Uptime is a clock that only goes forward, at one rate for all processes of the
	// machine. Its zero is any.
	Uptime() time.Duration
	// Pause returns when Uptime is later by d, or with the error of a context that has ended.
	Pause(ctx context.Context, d time.Duration) error
	// Random returns 64 random bits.
	Random() uint64
	// Close releases the resources of the FS.
	Close() error
}

// The ways to open a file. All are close-on-exec, and none blocks on a fifo.
type How int

const (
	// OpenExisting opens for reading; a symbolic link is ErrSymlink.
	OpenExisting How = iota
	// OpenNew creates a file for reading and writing; fs.ErrExist if the name exists.
	OpenNew
	// OpenGrowing is OpenNew for a file that others read while it is written.
	OpenGrowing
	// OpenLock opens for reading, and writing if permitted, and creates a missing file.
	OpenLock
	// OpenAppend opens for reading and writing, and creates a missing file. Each write goes
	// to the end of the file.
	OpenAppend
)

// RenameHow says what a rename does with an existing target.
type RenameHow int

const (
	// Replace replaces an existing file.
	Replace RenameHow = iota
	// NoReplace fails with fs.ErrExist if the target exists.
	NoReplace
	// Exchange swaps the two names atomically. It fails with fs.ErrNotExist if the
	// target does not exist, and errors.ErrUnsupported where the system cannot do it.
	Exchange
)

// File is an open file, for one goroutine at a time.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	Stat() (Info, error)
	// Truncate sets the size in bytes; new bytes are zeros.
	Truncate(size int64) error
	// Generation distinguishes successive files with the same inode number; false where
	// unknown.
	Generation() (uint64, bool)
	// Chmod sets the mode. If that gives the group permissions, the file's access
	// control list is removed: the bits would apply to its entries too.
	Chmod(mode fs.FileMode) error
	Chown(uid, gid uint32) error
	// Attributes returns a file's attributes by name: an access control list (ACLName),
	// a security label, and those that programs have attached. It is nil if there are
	// none, or where the system has none.
	Attributes() (map[string][]byte, error)
	// SetAttribute sets one attribute; errors.ErrUnsupported where the system has none.
	SetAttribute(name string, value []byte) error
	// SetMtime sets the modification time in nanoseconds since 1970; file systems round
	// it.
	SetMtime(ns int64) error
	// Touch sets the time of the last change, Ctime, to now, and changes nothing else that
	// anybody could want to keep. It is fs.ErrPermission for a file of another user. Where
	// the system has no such time it does nothing.
	Touch() error
	// Sync makes content and metadata durable. It must not be retried after an error:
	// the kernel drops the pages that it could not write.
	Sync() error
	// BeginSync starts to write the content to the device, and does not wait: several
	// files are then written at the same time. It is a hint, without effect where the
	// system has no such call.
	BeginSync()
	// SyncData waits until the content is on the device. It does not commit the block
	// addresses: a change of names that reaches the journal later does. It is
	// errors.ErrUnsupported where the system has no such call.
	SyncData() error
	// WriteBack reports the error that closing the file would: network file systems
	// report a lack of space only then.
	WriteBack() error
	// StillWrites is an error if the file system has stopped writing. When a journal
	// fails, only one of the callers whose flush waits for it is sure to get an error;
	// the others get one when they begin a change. StillWrites begins one without
	// changing anything. It is fs.ErrPermission if this user may not change the file.
	StillWrites() error
	// Lock takes an exclusive lock on the file, and blocks until it has it. The kernel
	// releases the lock when the last descriptor is closed, so a dead process holds
	// none. It may poll for up to spin before it sleeps: a wake-up takes longer than a
	// lock that is held for microseconds.
	Lock(spin time.Duration) error
	// TryLock is Lock, but reports false instead of waiting.
	TryLock() (bool, error)
	// LockShared is Lock for a lock that others may share. A file that has an exclusive
	// lock must not be locked so: that would give the exclusive one up.
	LockShared() error
	// TryLockShared is LockShared, but reports false instead of waiting.
	TryLockShared() (bool, error)
	// Unlock releases the lock and keeps the file open.
	Unlock() error
	Close() error
}

// Dir is an open directory.
type Dir interface {
	// Sync makes the names in it durable. It must not be retried after an error.
	Sync() error
	// StillWrites is as in File.
	StillWrites() error
	Close() error
}

// SyncDir makes the names in a directory durable.
func SyncDir(files FS, name string) error {
	dir, err := files.OpenDir(name)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if closeErr := dir.Close(); err == nil {
		err = closeErr
	}
	return err
}

// RemoveAll removes a file, or a directory with its content. A missing name is no
// error.
func RemoveAll(files FS, name string) error {
	info, err := files.Lstat(name)
	if err == nil && info.Mode.IsDir() {
		var entries []Entry
		entries, err = files.ReadDir(name)
		for _, entry := range entries {
			err = errors.Join(err, RemoveAll(files, filepath.Join(name, entry.Name)))
		}
	}
	if err == nil {
		err = files.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Info describes a file.
type Info struct {
	Mode     fs.FileMode
	Size     int64 // bytes
	Mtime    int64 // nanoseconds since 1970
	Ctime    int64 // nanoseconds since 1970; 0 where the system has none
	Dev, Ino uint64
	Links    uint64
	UID, GID uint32
}

// SameFile reports whether two Infos describe one inode.
func (i Info) SameFile(j Info) bool { return i.Dev == j.Dev && i.Ino == j.Ino }

// LocksFor reports whether all users who may change the document can lock this lock
// file: it has the document's owner, group and mode.
func (i Info) LocksFor(document Info) bool {
	return i.UID == document.UID && i.GID == document.GID &&
		i.Mode.Perm() == LockMode(document.Mode)
}

// LockMode is the mode of a document's lock file. Locking a file needs permission to
// read it.
func LockMode(document fs.FileMode) fs.FileMode { return document.Perm() | 0o400 }

// Entry is a name in a directory.
type Entry struct {
	Name string
	Type fs.FileMode // only the type bits
}

// ErrSymlink says that the name is a symbolic link, which the call does not follow.
var ErrSymlink = errors.New("is a symbolic link")
