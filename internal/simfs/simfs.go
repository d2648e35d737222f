// Package simfs is a file system in memory that runs the store's real code, one
// operation at a time, in an order that a test chooses. It models what the protocol
// depends on: names that refer to inodes, inode numbers that are reused at once, link
// and open counts, advisory locks that end with the last descriptor, times in steps,
// and the part of all this that is on the device, from which it derives what a power
// cut would leave.
//
// This file has the state; process.go and file.go the operations of a process;
// thread.go its threads; explore.go, sample.go and sequential.go the orders; crash.go
// power cuts; broken.go a failing device; faults.go injected faults.
package simfs

import (
	"encoding/binary"
	"hash/maphash"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// World is a file system and the processes that use it.
type World struct {
	// Clock is in nanoseconds. It stands still except for Tick, which is the worst case
	// for versions by time.
	Clock int64
	// Step is the granularity of stored times, in nanoseconds.
	Step int64

	// Journal makes OneJournal true. The store then survives power cuts in the ordered
	// model only.
	Journal bool

	// Closed makes an open document keep its name, as on Windows. Replacing or removing
	// it waits until other processes have closed it, and fails if the caller has it
	// open.
	Closed bool

	// NoLinks makes Symlink unsupported.
	NoLinks bool

	// Kind is the type that the file system reports.
	Kind string

	// Root is the directory that always exists; others may be made in it.
	Root string

	// Sticky makes the root directory sticky. It belongs to user 0.
	Sticky bool

	// Quiet reports whether an operation happens together with the one before, because
	// no other process could tell the difference: that reduces the number of orders.
	// The names are those of the methods of fsys.FS and fsys.File, in lower case.
	Quiet func(op, name string) bool

	// Timed makes a look at Uptime an operation.
	Timed bool

	// Asking is the process whose operation Quiet is about.
	Asking *Process

	// OnPublish is called at each change of a name that does not begin with a dot, with
	// the old and the new content, nil for none. Its error is a violation.
	OnPublish func(by *Process, name string, old, new []byte) error

	names      map[string]*inode
	live       []*inode // inodes that have a name or are open
	generation uint64
	processes  []*Process
	threads    []*thread // threads that have not ended
	letters    []letter  // in use by threads and processes
	violation  error
	broken     *broken       // nil while the device works
	ticks      bool          // the clock has advanced
	uptime     time.Duration // what was paused
	disks      [models]disk
}

type inode struct {
	number, generation uint64
	data               []byte
	synced             bool   // data is on the device
	written            bool   // data is on the device, but its block addresses are not
	grows              bool   // it was opened for appending: writes and reads of it are operations
	durable            []byte // what was on the device when data was last synced
	grown              int    // the last bytes of data, with which only the size has changed
	mtime, ctime       int64
	mode               fs.FileMode
	uid                uint32
	links, opens       int
	locked             locks
}

// locks are the holders of the lock on an inode, by mount.
type locks [2]holders

// holders are the descriptions that have a lock: one, or several that share it.
type holders struct {
	by     []*description
	shared bool
}

// free reports whether another description can have the lock now.
func (h *holders) free(shared bool) bool { return len(h.by) == 0 || shared && h.shared }

func (h *holders) has(d *description) bool { return slices.Contains(h.by, d) }

func (h *holders) add(d *description, shared bool) {
	h.by, h.shared = append(h.by, d), shared
}

func (h *holders) drop(d *description) {
	h.by = slices.DeleteFunc(h.by, func(e *description) bool { return e == d })
}

// description is what an open makes, and what has locks. Processes that inherit a file
// share it.
type description struct {
	opener int // the index of the process that has opened it
	files  int // that refer to it
}

// New returns an empty file system.
func New() *World {
	w := &World{Kind: "simfs", Root: "/dir", Clock: 1_700_000_000_123_456_789, Step: 1,
		names: map[string]*inode{}}
	for i := range w.disks {
		w.disks[i].names = map[string]*inode{}
	}
	return w
}

// isDir reports whether a directory exists.
func (w *World) isDir(name string) bool {
	n := w.names[name]
	return name == w.Root || n != nil && n.mode.IsDir()
}

// isOpen reports whether any process has the file with a name open.
func (w *World) isOpen(name string) bool {
	n := w.names[name]
	return n != nil && n.opens > 0
}

// allocate makes an inode with the lowest free number, as ext4 does.
func (w *World) allocate(mode fs.FileMode) *inode {
	number := uint64(1)
	for slices.ContainsFunc(w.live, func(n *inode) bool { return n.number == number }) {
		number++
	}
	w.generation++
	n := &inode{number: number, generation: w.generation, mode: mode,
		mtime: w.round(w.Clock), data: []byte{}}
	w.changed(n)
	w.live = append(w.live, n)
	return n
}

// changed sets an inode's ctime.
func (w *World) changed(n *inode) { n.ctime = w.round(w.Clock) }

func (w *World) round(ns int64) int64 { return ns - ns%w.Step }

// forget drops an inode that has no name and is not open.
func (w *World) forget(n *inode) {
	if n.links == 0 && n.opens == 0 {
		w.live = slices.DeleteFunc(w.live, func(m *inode) bool { return m == n })
	}
}

func (n *inode) content() []byte {
	if n == nil {
		return nil
	}
	return n.data[:len(n.data):len(n.data)] // not nil
}

// assignment is the new inode of a name, nil for none.
type assignment struct {
	name string
	to   *inode
}

// point assigns inodes to names, all at once.
func (w *World) point(by *Process, change ...assignment) {
	var before []*inode
	for _, c := range change {
		old := w.names[c.name]
		before = append(before, old)
		if c.to != nil {
			c.to.links++
			w.changed(c.to)
			w.names[c.name] = c.to
		} else {
			delete(w.names, c.name)
		}
		if w.OnPublish != nil && w.violation == nil &&
			!strings.HasPrefix(filepath.Base(c.name), ".") {
			w.violation = w.OnPublish(by, c.name, old.content(), c.to.content())
		}
	}
	for _, old := range before {
		if old != nil {
			old.links--
			w.changed(old)
			w.forget(old)
		}
	}
	w.pend(change)
}

// Names lists all names in order.
func (w *World) Names() []string { return slices.Sorted(maps.Keys(w.names)) }

// Content returns the content of the file with a name, or nil if there is none.
func (w *World) Content(name string) []byte { return w.names[name].content() }

// AppendFiles appends the names and contents of all files to a key: that of two worlds is the
// same if these are.
func (w *World) AppendFiles(key []byte) []byte {
	for _, name := range w.Names() {
		content := w.Content(name)
		key = append(append(append(key, 0), name...), 0)
		key = binary.AppendUvarint(key, uint64(len(content)))
		key = append(key, content...)
	}
	return key
}

// Put adds a file as if it had always existed.
func (w *World) Put(name, content string) {
	n := w.allocate(0o600)
	n.data, n.synced = []byte(content), true
	n.links++
	w.names[name] = n
	for i := range w.disks {
		w.disks[i].names[name] = n
	}
}

// PutDir adds a directory as if it had always existed.
func (w *World) PutDir(name string) {
	w.Put(name, "")
	w.names[name].mode = fs.ModeDir | 0o777
}

// hash covers the whole state that can influence later events: the file system, and
// what each process has seen.
func (w *World) hash(seed maphash.Seed) uint64 {
	buf := make([]byte, 0, 512)
	number := func(n uint64) { buf = binary.AppendUvarint(buf, n) }
	names := func(all map[string]*inode) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			buf = append(append(buf, name...), 0)
			number(all[name].number)
		}
		number(0)
	}
	names(w.names)
	number(uint64(w.Clock))
	number(uint64(w.uptime))
	if w.broken != nil {
		buf = append(buf, 'b')
		if w.broken.told {
			buf = append(buf, 't')
		}
	}
	live := slices.Clone(w.live)
	slices.SortFunc(live, func(a, b *inode) int { return int(a.number) - int(b.number) })
	for _, n := range live {
		number(n.number)
		number(uint64(n.mtime))
		number(uint64(n.ctime))
		number(uint64(n.links))
		number(uint64(n.opens))
		for _, holders := range n.locked {
			number(uint64(len(holders.by)))
			if holders.shared {
				number(1)
			}
			owners := make([]int, 0, 4)
			for _, d := range holders.by {
				owners = append(owners, d.opener)
			}
			slices.Sort(owners) // who came first makes no difference
			for _, owner := range owners {
				number(uint64(owner))
			}
		}
		number(uint64(n.mode))
		number(uint64(n.uid))
		number(uint64(len(n.data)))
		buf = append(buf, n.data...)
	}
	for _, p := range w.processes {
		number(uint64(p.state))
		number(uint64(p.pending))
		buf = binary.LittleEndian.AppendUint64(buf, p.seen)
		for _, t := range w.threads { // a process's threads are in the order of their ids
			if t.process == p {
				number(t.id)
				buf = binary.LittleEndian.AppendUint64(buf, t.seen)
			}
		}
	}
	return maphash.Bytes(seed, buf)
}
