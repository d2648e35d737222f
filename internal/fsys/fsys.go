// Package fsys is the seam between the store and the file system: the few
// system calls that the publish protocol consists of, as an interface. The store
// opens files through it and in no other way, so that the same code runs on the
// real system (New) and, in proofs, on a simulated one.
package fsys

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"
)

// FS is a file system. Names are what the implementation was made for: any path for
// the whole system, slash-separated paths beneath it for a root. Methods may be called
// concurrently. No call writes through a symbolic link that is the last part of its name.
type FS interface {
	// Open opens a file in one of a few ways; perm matters where one is created.
	Open(name string, how How, perm fs.FileMode) (File, error)
	// Lstat describes what the name stands for, without following a link.
	Lstat(name string) (Info, error)
	// Readlink returns where a symbolic link points. If nothing is there the error is
	// fs.ErrNotExist without the name, so that it costs nothing to find that out.
	Readlink(name string) (string, error)
	// Symlink makes a symbolic link; fs.ErrExist if anything has its name.
	Symlink(target, name string) error
	// Rename moves a file within one directory, atomically.
	Rename(from, to string, how RenameHow) error
	// Link gives a file a second name; fs.ErrExist if anything has that name.
	Link(name, second string) error
	// Remove removes the name of a file, or a directory that is empty.
	Remove(name string) error
	// Mkdir makes one directory.
	Mkdir(name string, perm fs.FileMode) error
	// ReadDir lists a directory, in no particular order.
	ReadDir(name string) ([]Entry, error)
	// OpenDir opens a directory, to flush it later.
	OpenDir(name string) (Dir, error)
	// NeedsClosed reports whether a file keeps its name while anybody has it open, this process
	// too: a rename over it is refused then, and a removal waits for the last to close it.
	NeedsClosed() bool
	// OneJournal reports whether one journal has all changes of the file system that a
	// directory is on, in their order, so that File.Sync of any file makes durable all
	// changes of names before it, and File.SyncData works.
	OneJournal(name string) bool
	// Network names the file system that a directory is on if it is not known to be local:
	// another machine, or the same files mounted twice, may change what is there behind
	// the locks of this kernel. It is empty for a local one.
	Network(name string) (string, error)
	// Type names the file system that a directory is on, as ext4 or apfs; it is empty where
	// the system does not say, and a number where it has no name for it.
	Type(name string) (string, error)
	// LockOwner is the process that has the lock of a file, and its command's name if that
	// is known. It is false if nobody has it, or the system does not say.
	LockOwner(locked Info) (pid int, command string, ok bool)
	// Now is the real-time clock in nanoseconds since 1970, as fine as there is.
	Now() int64
	// Random returns 64 random bits.
	Random() uint64
	// Close frees what the FS holds.
	Close() error
}

// How a file is opened. Every way is close-on-exec, and none blocks on a fifo.
type How int

const (
	// OpenExisting opens for reading; a symbolic link is ErrSymlink.
	OpenExisting How = iota
	// OpenNew creates for reading and writing, and only creates.
	OpenNew
	// OpenLock opens for reading, and writing if it may, and creates what is not there.
	OpenLock
)

// RenameHow says what a rename does with the name that it moves to.
type RenameHow int

const (
	// Replace takes the place of a file that is there.
	Replace RenameHow = iota
	// NoReplace is fs.ErrExist if anything is there.
	NoReplace
	// Exchange gives what is there the old name, in the same instant. It is fs.ErrNotExist if
	// nothing is there, and errors.ErrUnsupported where the system cannot do it.
	Exchange
)

// File is an open file, for one goroutine at a time.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	Stat() (Info, error)
	// Truncate sets the size in bytes; what is added is zeros.
	Truncate(size int64) error
	// Generation tells apart the successive files that had one inode number; false
	// where the system does not say.
	Generation() (uint64, bool)
	// Chmod sets the mode. If that allows the group something, an access control list that
	// the file has goes: its entries would be allowed that too.
	Chmod(mode fs.FileMode) error
	Chown(uid, gid uint32) error
	// Attributes returns what a file has beside its mode, by name: an access control list
	// (ACLName), a security label, and what programs have attached. It is nil if there is
	// nothing, or where the system does not say.
	Attributes() (map[string][]byte, error)
	// SetAttribute sets one of them; errors.ErrUnsupported where the system has none.
	SetAttribute(name string, value []byte) error
	// SetMtime sets the modification time in nanoseconds since 1970; file systems round.
	SetMtime(ns int64) error
	// Sync makes content and metadata durable. After an error it must not be tried
	// again: the system forgets what it could not write.
	Sync() error
	// SyncData waits until the content is on the device. It does not commit what says
	// where on the device that is: a change of names that reaches the journal later
	// brings that along. It is errors.ErrUnsupported where the system has no such call.
	SyncData() error
	// WriteBack reports what closing the file would: network file systems say only then that
	// there was no space.
	WriteBack() error
	// StillWrites is an error if the file system has stopped to write. When a journal fails,
	// only one of those whose flush waits for it is sure to get an error; the others get
	// one when they begin a change, which this does without making any. It is
	// fs.ErrPermission if this user may not change the file.
	StillWrites() error
	// Lock takes an exclusive lock on the file, and blocks until it has it. The kernel
	// frees the lock when the last descriptor is closed, so a dead process holds none.
	// Before it sleeps it may ask again and again for as long as spin says: to be woken
	// takes longer than a lock that is held for microseconds.
	Lock(spin time.Duration) error
	// TryLock is Lock that reports false instead of waiting.
	TryLock() (bool, error)
	// Unlock gives the lock back and keeps the file open.
	Unlock() error
	Close() error
}

// Dir is an open directory.
type Dir interface {
	// Sync makes the names in it durable. After an error it must not be tried again.
	Sync() error
	// StillWrites is as that of File.
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

// RemoveAll removes a directory and what is in it, or a file. It is no error if nothing is there.
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

// LocksFor reports whether a lock file that is so lets those lock it who may change the
// document: it has its owner, group and mode.
func (i Info) LocksFor(document Info) bool {
	return i.UID == document.UID && i.GID == document.GID &&
		i.Mode.Perm() == LockMode(document.Mode)
}

// LockMode is the mode of the lock file of a document with a mode: to lock it is to read it.
func LockMode(document fs.FileMode) fs.FileMode { return document.Perm() | 0o400 }

// Entry is a name in a directory.
type Entry struct {
	Name string
	Type fs.FileMode // only the type bits
}

// ErrSymlink: the name is a symbolic link and was not to be followed.
var ErrSymlink = errors.New("is a symbolic link")
