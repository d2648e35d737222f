// Package simfs is a file system in memory that runs the store's real code, one
// operation at a time, in an order that a test chooses. It keeps what the protocol
// depends on: names that point at inodes, inode numbers that are given out again at
// once, link and open counts, advisory locks that go with the last descriptor, times in
// steps, and what of all this is on the device, so that it can say what a power cut
// would leave.
//
// This file has the state; process.go and file.go how a process acts on it; thread.go
// its threads; explore.go, sample.go and sequential.go the orders; crash.go what is
// left after a power cut; faults.go a file system whose calls go wrong.
package simfs

import (
	"encoding/binary"
	"hash/maphash"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// World is a file system and the processes that use it.
type World struct {
	// Clock is in nanoseconds. It stands still but for Tick, which is the worst case for times
	// as versions.
	Clock int64
	// Step is what times are kept in multiples of.
	Step int64

	// Journal makes it a file system of which OneJournal is true. There, power cuts are
	// survived in the ordered model only.
	Journal bool

	// Closed: a document that is open keeps its name, as on Windows. To replace or remove it
	// waits until other processes have closed it, and is refused to one that has it open.
	Closed bool

	// Kind is what the file system says that it is.
	Kind string

	// Root is the directory that is always there; others may be made in it.
	Root string

	// Sticky: of its directory others may not replace the files. It is of user 0.
	Sticky bool

	// Quiet says which operations happen together with the one before, because nobody
	// else could tell the difference: there are far fewer orders to try. The operations
	// are those of fsys.FS and fsys.File in lower case.
	Quiet func(op, name string) bool

	// OnPublish is called at each change of a name that does not begin with a dot: what it stood
	// for and what it stands for now, nil for nothing. Its error is a violation.
	OnPublish func(by *Process, name string, old, new []byte) error

	names      map[string]*inode
	live       []*inode // that have a name or are open
	generation uint64
	processes  []*Process
	threads    []*thread // that have not ended
	letters    []letter  // that they have, and those of processes
	violation  error
	broken     *broken // nil while the device works
	ticks      bool    // the clock has gone on
	disks      [models]disk
}

type inode struct {
	number, generation uint64
	data               []byte
	synced             bool // data is on the device
	written            bool // so it is, but not known where
	mtime, ctime       int64
	mode               fs.FileMode
	uid                uint32
	links, opens       int
	locked             locks
}

// locks are who holds the lock on an inode, nil for nobody, by mount.
type locks [2]*file

func (l *locks) by(mount int) **file { return &l[mount] }

// New returns a file system with nothing in it.
func New() *World {
	w := &World{Kind: "simfs", Root: "/dir", Clock: 1_700_000_000_123_456_789, Step: 1,
		names: map[string]*inode{}}
	for i := range w.disks {
		w.disks[i].names = map[string]*inode{}
	}
	return w
}

// isDir reports whether a directory is there.
func (w *World) isDir(name string) bool {
	n := w.names[name]
	return name == w.Root || n != nil && n.mode.IsDir()
}

// isOpen reports whether any process has the file open that a name stands for.
func (w *World) isOpen(name string) bool {
	n := w.names[name]
	return n != nil && n.opens > 0
}

// allocate makes an inode with the lowest number that is free, as ext4 does.
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

// changed sets the time of an inode's last change.
func (w *World) changed(n *inode) { n.ctime = w.round(w.Clock) }

func (w *World) round(ns int64) int64 { return ns - ns%w.Step }

// forget forgets an inode that has no name and is not open.
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

// assignment is what a name stands for from now on, nil for nothing.
type assignment struct {
	name string
	to   *inode
}

// point makes names stand for inodes, all in one instant.
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
	for i := range w.disks {
		w.disks[i].pending = append(w.disks[i].pending, change)
	}
}

// Names lists the names that there are, in order.
func (w *World) Names() []string { return slices.Sorted(maps.Keys(w.names)) }

// Content returns what a name stands for, nil for nothing.
func (w *World) Content(name string) []byte { return w.names[name].content() }

// Put makes a file at once, as if it had always been there.
func (w *World) Put(name, content string) {
	n := w.allocate(0o600)
	n.data, n.synced = []byte(content), true
	n.links++
	w.names[name] = n
	for i := range w.disks {
		w.disks[i].names[name] = n
	}
}

// hash stands for all that can make a difference for what happens from here on: the
// file system, and of each process what it has seen.
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
		for _, holder := range n.locked {
			owner := 0
			if holder != nil {
				owner = holder.process.index + 1
			}
			number(uint64(owner))
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
		for _, t := range w.threads { // those of a process in the order of their numbers
			if t.process == p {
				number(t.id)
				buf = binary.LittleEndian.AppendUint64(buf, t.seen)
			}
		}
	}
	return maphash.Bytes(seed, buf)
}
