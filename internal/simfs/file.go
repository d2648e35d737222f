// Open files of a process.

package simfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// file is an open file of a process.
type file struct {
	process *Process
	inode   *inode
	name    string
	offset  int
	closed  bool
	of      *description
}

// look is the beginning of a read. Reading a file that grows is an operation.
func (f *file) look() error {
	if !f.inode.grows {
		return f.process.alive()
	}
	if err := f.process.turn("read", f.name, nil); err != nil {
		return err
	}
	f.process.sawInode(f.inode)
	return nil
}

func (f *file) Read(buf []byte) (int, error) {
	if err := f.look(); err != nil {
		return 0, err
	}
	if f.offset >= len(f.inode.data) {
		return 0, io.EOF
	}
	n := copy(buf, f.inode.data[f.offset:])
	f.offset += n
	return n, nil
}

func (f *file) ReadAt(buf []byte, offset int64) (int, error) {
	if err := f.look(); err != nil {
		return 0, err
	}
	return bytes.NewReader(f.inode.data).ReadAt(buf, offset)
}

// Write writes at the end. A write to a file that grows is two operations, each for half of the
// data: others see the first half, and the process may die before the second.
func (f *file) Write(data []byte) (int, error) {
	if !f.inode.grows || len(data) < 2 {
		return f.writeAtOnce(data)
	}
	half := len(data) / 2
	n, err := f.writeAtOnce(data[:half])
	if err == nil {
		var more int
		more, err = f.writeAtOnce(data[half:])
		n += more
	}
	return n, err
}

func (f *file) writeAtOnce(data []byte) (int, error) {
	if f.inode.grows {
		if err := f.process.turn("write", f.name, nil); err != nil {
			return 0, err
		}
	}
	if err := f.process.alive(); err != nil {
		return 0, err
	}
	f.inode.leavesDevice()
	f.inode.data = append(bytes.Clone(f.inode.data), data...)
	f.inode.mtime = f.process.world.round(f.process.world.Clock)
	f.process.world.changed(f.inode)
	if f.inode.grows {
		return len(data), f.process.saw(nil)
	}
	return len(data), nil
}

// leavesDevice says that the data is about to differ from what is on the device.
func (n *inode) leavesDevice() {
	if n.synced {
		n.durable = n.data
	}
	n.synced, n.written, n.grown = false, false, 0
}

// Truncate is visible to other processes: the size of a lock file is a mark. A file that
// others read while it changes grows by a change in the journal: of its size, not of its
// content.
func (f *file) Truncate(size int64) error {
	if err := f.process.turn("truncate", f.name, nil); err != nil {
		return err
	}
	n, w := f.inode, f.process.world
	if more := int(size) - len(n.data); n.grows && more > 0 {
		n.grown += more
		w.pend([]assignment{{sizeOf, n}})
	} else {
		n.leavesDevice()
	}
	n.data = append(bytes.Clone(n.data), make([]byte, size)...)[:size]
	n.mtime = w.round(w.Clock)
	w.changed(n)
	return f.process.saw(nil)
}

// Stat is an operation if the file grows.
func (f *file) Stat() (fsys.Info, error) {
	if f.inode.grows {
		if err := f.process.turn("stat", f.name, nil); err != nil {
			return fsys.Info{}, err
		}
		_ = f.process.saw(nil, uint64(len(f.inode.data)), uint64(f.inode.links))
	}
	return f.process.info(f.inode), f.process.alive()
}

// Generation is unavailable: versions by time have to do without.
func (f *file) Generation() (uint64, bool) { return 0, false }

func (f *file) Chmod(mode fs.FileMode) error {
	f.inode.mode = mode
	f.process.world.changed(f.inode)
	return f.process.alive()
}

func (f *file) Chown(uint32, uint32) error { return f.process.alive() }

// Attributes returns none.
func (f *file) Attributes() (map[string][]byte, error) { return nil, f.process.alive() }

// SetAttribute implements fsys.File.
func (f *file) SetAttribute(string, []byte) error { return errors.ErrUnsupported }

func (f *file) SetMtime(ns int64) error {
	if err := f.process.alive(); err != nil {
		return err
	}
	f.inode.mtime = f.process.world.round(ns)
	f.process.world.changed(f.inode)
	return nil
}

// Touch implements fsys.File.
func (f *file) Touch() error {
	if err := f.process.turn("touch", f.name, nil); err != nil {
		return err
	}
	f.process.world.changed(f.inode)
	return f.process.saw(nil)
}

func (f *file) Sync() error {
	if err := f.process.turn("sync", f.name, nil); err != nil {
		return err
	}
	w := f.process.world
	if w.broken != nil {
		return f.process.saw(w.broken.flush(!f.inode.synced && !f.inode.written))
	}
	w.syncFile(f.inode)
	return f.process.saw(nil)
}

// BeginSync does nothing: a power cut may find the content on the device in any case.
func (f *file) BeginSync() {}

func (f *file) SyncData() error {
	if err := f.process.turn("syncdata", f.name, nil); err != nil {
		return err
	}
	w := f.process.world
	if w.broken != nil {
		return f.process.saw(w.broken.flush(!f.inode.synced && !f.inode.written))
	}
	w.syncData(f.inode)
	return f.process.saw(nil)
}

func (f *file) WriteBack() error { return f.process.alive() }

func (f *file) StillWrites() error { return f.process.stillWrites(f.name) }

// Lock, and a successful TryLock, happen together with the operation after: anything
// that other processes do in between they could have done before, or not at all.
// Likewise, Unlock happens together with the operation before, but not for other
// threads of the process, which know more than that the lock is held.
func (f *file) Lock(time.Duration) error { return f.wait(false) }

// LockShared implements fsys.File.
func (f *file) LockShared() error { return f.wait(true) }

func (f *file) wait(shared bool) error {
	op := "lock"
	if shared {
		op = "lock shared"
	}
	if f.process.current != nil {
		f.process.current.shares = shared
	}
	if err := f.process.turn(op, f.name, f.inode); err != nil {
		return err
	}
	f.process.sync()
	f.lock().add(f.of, shared)
	f.process.current.atOnce = true
	return f.process.saw(nil)
}

func (f *file) TryLock() (bool, error) { return f.try("trylock", false) }

// TryLockShared implements fsys.File.
func (f *file) TryLockShared() (bool, error) { return f.try("trylock shared", true) }

// try takes the lock if it is free. A description that has the lock has it again; if it
// asks for the other kind, it first gives up the one that it has, as the kernel does.
func (f *file) try(op string, shared bool) (bool, error) {
	if err := f.process.turn(op, f.name, nil); err != nil {
		return false, err
	}
	f.process.sync()
	if l := f.lock(); !l.has(f.of) || l.shared != shared {
		l.drop(f.of)
		if !l.free(shared) {
			return false, f.process.saw(nil, 0)
		}
		l.add(f.of, shared)
	}
	f.process.current.atOnce = true
	return true, f.process.saw(nil, 1)
}

func (f *file) Unlock() error {
	err := f.beforeUnlock("unlock")
	if err == nil {
		f.lock().drop(f.of)
	}
	return err
}

// beforeUnlock lets other threads of the process run before the lock is released.
func (f *file) beforeUnlock(op string) error {
	if f.process.made > 1 && f.lock().has(f.of) {
		err := f.process.turn(op, f.name, nil)
		f.process.sync()
		return err
	}
	return f.process.alive()
}

// lock has the holders of the lock on the file, as seen through the process's mount.
func (f *file) lock() *holders { return &f.inode.locked[f.process.Mount] }

// Inherit returns a file that another process has open, and its lock, for this process,
// which began before that process could give up the lock.
func (p *Process) Inherit(opened fsys.File) fsys.File {
	parent := opened.(*file)
	f := &file{process: p, inode: parent.inode, name: parent.name, of: parent.of}
	f.of.files++
	f.inode.opens++
	p.open = append(p.open, f)
	return f
}

// Close is visible to others only if it releases a lock, as Unlock does.
func (f *file) Close() error {
	if !f.closed && f.beforeUnlock("close") == nil {
		f.close()
	}
	return nil
}

func (f *file) close() {
	f.closed = true
	if f.of.files--; f.of.files == 0 {
		f.lock().drop(f.of)
	}
	f.inode.opens--
	f.process.world.forget(f.inode)
	f.process.open = slices.DeleteFunc(f.process.open, func(g *file) bool { return g == f })
}
