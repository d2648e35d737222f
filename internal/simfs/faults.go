// A file system with injected faults.

package simfs

import (
	"io"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Fault is the fault of one call; the zero Fault is none.
type Fault struct {
	Err   error
	After bool // the call has its effect, and returns the error
	Short bool // a read or write is done in part, and then returns Err
}

// Faulty is a file system that gets a fault from Inject before each call.
type Faulty struct {
	fsys.FS
	Inject func(op, name string) Fault

	Opened atomic.Int64 // open files

	unsyncable map[string]bool // directories after a failed flush
}

// do makes a call, unless its fault comes first.
func (f *Faulty) do(op, name string, call func() error) error {
	fault := f.Inject(op, name)
	if fault.Err == nil {
		return call()
	}
	if fault.After {
		_ = call()
	}
	return &fs.PathError{Op: op, Path: name, Err: fault.Err}
}

// Open implements fsys.FS.
func (f *Faulty) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	var file fsys.File
	op := openNames[how]
	fault := f.Inject(op, name)
	if fault.Err != nil {
		if fault.After {
			if file, err := f.FS.Open(name, how, perm); err == nil {
				file.Close() // the caller does not get it
			}
		}
		return nil, &fs.PathError{Op: op, Path: name, Err: fault.Err}
	}
	file, err := f.FS.Open(name, how, perm)
	if err != nil {
		return nil, err
	}
	f.Opened.Add(1)
	return &faultyFile{File: file, in: f, name: name}, nil
}

// Lstat implements fsys.FS.
func (f *Faulty) Lstat(name string) (info fsys.Info, err error) {
	err = f.do("lstat", name, func() (err error) { info, err = f.FS.Lstat(name); return err })
	return info, err
}

// LstatMount implements fsys.FS.
func (f *Faulty) LstatMount(name string) (info fsys.Info, isMount bool, err error) {
	err = f.do("lstat", name, func() (err error) {
		info, isMount, err = f.FS.LstatMount(name)
		return err
	})
	return info, isMount, err
}

// Rename implements fsys.FS.
func (f *Faulty) Rename(from, to string, how fsys.RenameHow) error {
	return f.do(renameNames[how], to, func() error { return f.FS.Rename(from, to, how) })
}

// Link implements fsys.FS.
func (f *Faulty) Link(name, second string) error {
	return f.do("link", second, func() error { return f.FS.Link(name, second) })
}

// Readlink implements fsys.FS.
func (f *Faulty) Readlink(name string) (target string, err error) {
	err = f.do("readlink", name, func() (err error) {
		target, err = f.FS.Readlink(name)
		return err
	})
	return target, err
}

// Symlink implements fsys.FS.
func (f *Faulty) Symlink(target, name string) error {
	return f.do("symlink", name, func() error { return f.FS.Symlink(target, name) })
}

// Remove implements fsys.FS.
func (f *Faulty) Remove(name string) error {
	return f.do("remove", name, func() error { return f.FS.Remove(name) })
}

// Mkdir implements fsys.FS.
func (f *Faulty) Mkdir(name string, perm fs.FileMode) error {
	return f.do("mkdir", name, func() error { return f.FS.Mkdir(name, perm) })
}

// ReadDir implements fsys.FS.
func (f *Faulty) ReadDir(name string) (entries []fsys.Entry, err error) {
	err = f.do("readdir", name, func() (err error) {
		entries, err = f.FS.ReadDir(name)
		return err
	})
	return entries, err
}

// OpenDir implements fsys.FS.
func (f *Faulty) OpenDir(name string) (d fsys.Dir, err error) {
	err = f.do("opendir", name, func() (err error) { d, err = f.FS.OpenDir(name); return err })
	switch {
	case err == nil:
		f.Opened.Add(1)
		return &faultyDir{d, f, name}, nil
	case d != nil:
		d.Close() // the caller does not get it
	}
	return nil, err
}

type faultyDir struct {
	fsys.Dir
	in   *Faulty
	name string
}

// Sync flushes a directory. After a failed flush the next one succeeds and does
// nothing, since the kernel has dropped the data that it could not write.
func (d *faultyDir) Sync() error {
	f := d.in
	fault := f.Inject("syncdir", d.name)
	switch {
	case fault.Err != nil && fault.After:
		_ = d.Dir.Sync()
		fallthrough
	case fault.Err != nil:
		if f.unsyncable == nil {
			f.unsyncable = map[string]bool{}
		}
		f.unsyncable[d.name] = true
		return &fs.PathError{Op: "syncdir", Path: d.name, Err: fault.Err}
	case f.unsyncable[d.name]:
		return nil
	}
	return d.Dir.Sync()
}

func (d *faultyDir) StillWrites() error {
	return d.in.do("begin", d.name, d.Dir.StillWrites)
}

func (d *faultyDir) Close() error {
	d.in.Opened.Add(-1)
	return d.Dir.Close()
}

type faultyFile struct {
	fsys.File
	in   *Faulty
	name string

	unsyncable bool // a flush has failed
}

// Read returns one byte for a short read, which is no fault.
func (f *faultyFile) Read(p []byte) (n int, err error) {
	fault := f.in.Inject("read", f.name)
	switch {
	case fault.Short && len(p) > 0:
		return f.File.Read(p[:1])
	case fault.Err != nil:
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fault.Err}
	}
	return f.File.Read(p)
}

// ReadAt reads half of the data before a short read fails.
func (f *faultyFile) ReadAt(p []byte, offset int64) (n int, err error) {
	fault := f.in.Inject("read at", f.name)
	switch {
	case fault.Err == nil:
		return f.File.ReadAt(p, offset)
	case fault.Short:
		n, _ = f.File.ReadAt(p[:len(p)/2], offset)
	}
	return n, &fs.PathError{Op: "read at", Path: f.name, Err: fault.Err}
}

// Write writes half of the data before a short write fails, as on a full device.
func (f *faultyFile) Write(p []byte) (n int, err error) {
	fault := f.in.Inject("write", f.name)
	switch {
	case fault.Err == nil:
		return f.File.Write(p)
	case fault.After:
		n, _ = f.File.Write(p)
	case fault.Short:
		n, _ = f.File.Write(p[:len(p)/2])
	}
	if fault.Err == io.ErrShortWrite {
		return n, fault.Err
	}
	return n, &fs.PathError{Op: "write", Path: f.name, Err: fault.Err}
}

func (f *faultyFile) Stat() (info fsys.Info, err error) {
	err = f.in.do("stat", f.name, func() (err error) { info, err = f.File.Stat(); return err })
	return info, err
}

func (f *faultyFile) Truncate(size int64) error {
	return f.in.do("truncate", f.name, func() error { return f.File.Truncate(size) })
}

func (f *faultyFile) Chmod(mode fs.FileMode) error {
	return f.in.do("chmod", f.name, func() error { return f.File.Chmod(mode) })
}

func (f *faultyFile) Chown(uid, gid uint32) error {
	return f.in.do("chown", f.name, func() error { return f.File.Chown(uid, gid) })
}

func (f *faultyFile) SetMtime(ns int64) error {
	return f.in.do("set mtime", f.name, func() error { return f.File.SetMtime(ns) })
}

func (f *faultyFile) Touch() error { return f.in.do("touch", f.name, f.File.Touch) }

// Sync and SyncData behave like Sync of a directory.
func (f *faultyFile) Sync() error     { return f.sync("sync", f.File.Sync) }
func (f *faultyFile) SyncData() error { return f.sync("syncdata", f.File.SyncData) }

func (f *faultyFile) sync(op string, call func() error) error {
	fault := f.in.Inject(op, f.name)
	switch {
	case fault.Err != nil && fault.After:
		_ = call()
		fallthrough
	case fault.Err != nil:
		f.unsyncable = true
		return &fs.PathError{Op: op, Path: f.name, Err: fault.Err}
	case f.unsyncable:
		return nil
	}
	return call()
}

func (f *faultyFile) WriteBack() error { return f.in.do("write back", f.name, f.File.WriteBack) }

func (f *faultyFile) StillWrites() error { return f.in.do("begin", f.name, f.File.StillWrites) }

func (f *faultyFile) Lock(spin time.Duration) error {
	return f.in.do("lock", f.name, func() error { return f.File.Lock(spin) })
}

func (f *faultyFile) LockShared() error { return f.in.do("lock", f.name, f.File.LockShared) }

func (f *faultyFile) TryLock() (bool, error)       { return f.try(f.File.TryLock) }
func (f *faultyFile) TryLockShared() (bool, error) { return f.try(f.File.TryLockShared) }

func (f *faultyFile) try(lock func() (bool, error)) (locked bool, err error) {
	err = f.in.do("trylock", f.name, func() (err error) {
		locked, err = lock()
		return err
	})
	return locked && err == nil, err
}

func (f *faultyFile) Unlock() error { return f.in.do("unlock", f.name, f.File.Unlock) }

// Close always closes the file, as the kernel does.
func (f *faultyFile) Close() error {
	f.in.Opened.Add(-1)
	fault := f.in.Inject("close", f.name)
	err := f.File.Close()
	if fault.Err != nil {
		return &fs.PathError{Op: "close", Path: f.name, Err: fault.Err}
	}
	return err
}
