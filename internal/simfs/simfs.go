// Package simfs is a file system in memory that runs the store's real code, one operation at
// a time, in an order that a test chooses. It keeps what the protocol depends on: names that point at inodes,
// inode numbers that are given out again at once, link and open counts, advisory locks that go with
// the last descriptor, and times in steps.
package simfs

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// World is a file system and the processes that use it.
type World struct {
	Clock int64 // nanoseconds; it stands still, which is the worst case for times as versions
	Step  int64 // times are kept in multiples of this

	// TempAtOnce makes operations on temporary files happen together with the one before: only a
	// sweep looks at another process's, and there are far fewer orders to try.
	TempAtOnce bool

	// OnPublish is told of each change of a name that is not a temporary one: what it stood
	// for and what it stands for now, nil for nothing. Its error is a violation.
	OnPublish func(by *Process, name string, old, new []byte) error

	names      map[string]*inode
	live       []*inode // that have a name or are open
	generation uint64
	processes  []*Process
	violation  error
}

type inode struct {
	number, generation uint64
	data               []byte
	mtime              int64
	mode               fs.FileMode
	links, opens       int
	locked             *file // who holds the lock, else nil
}

// New returns a file system with nothing in it.
func New() *World {
	return &World{Clock: 1_700_000_000_123_456_789, Step: 1, names: map[string]*inode{}}
}

// allocate makes an inode with the lowest number that is free, as ext4 does.
func (w *World) allocate(mode fs.FileMode) *inode {
	number := uint64(1)
	for slices.ContainsFunc(w.live, func(n *inode) bool { return n.number == number }) {
		number++
	}
	w.generation++
	n := &inode{number: number, generation: w.generation, mode: mode, mtime: w.round(w.Clock)}
	w.live = append(w.live, n)
	return n
}

func (w *World) round(ns int64) int64 { return ns - ns%w.Step }

// settle forgets an inode that has no name and is not open.
func (w *World) settle(n *inode) {
	if n.links == 0 && n.opens == 0 {
		w.live = slices.DeleteFunc(w.live, func(m *inode) bool { return m == n })
	}
}

func (n *inode) content() []byte {
	if n == nil {
		return nil
	}
	return n.data
}

// point makes a name stand for an inode, nil for nothing.
func (w *World) point(by *Process, name string, to *inode) {
	old := w.names[name]
	if to != nil {
		to.links++
		w.names[name] = to
	} else {
		delete(w.names, name)
	}
	if base := filepath.Base(name); w.OnPublish != nil && !strings.HasPrefix(base, ".") && w.violation == nil {
		w.violation = w.OnPublish(by, name, old.content(), to.content())
	}
	if old != nil {
		old.links--
		w.settle(old)
	}
}

// Names lists the names that there are, in order.
func (w *World) Names() []string { return slices.Sorted(maps.Keys(w.names)) }

// Content returns what a name stands for, nil for nothing.
func (w *World) Content(name string) []byte { return w.names[name].content() }

// Put makes a file at once, as if it had always been there.
func (w *World) Put(name, content string) {
	n := w.allocate(0o600)
	n.data = []byte(content)
	n.links++
	w.names[name] = n
}

// hash stands for all that can make a difference for what happens from here on: the file system, and
// of each process what it has seen.
func (w *World) hash(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, name := range w.Names() {
		fmt.Fprintf(&h, "%s=%d;", name, w.names[name].number)
	}
	live := slices.Clone(w.live)
	slices.SortFunc(live, func(a, b *inode) int { return int(a.number) - int(b.number) })
	for _, n := range live {
		owner := -1
		if n.locked != nil {
			owner = n.locked.process.index
		}
		fmt.Fprintf(&h, "%d:%d,%d,%d,%d,%o:%s;", n.number, n.mtime, n.links, n.opens, owner, n.mode, n.data)
	}
	for _, p := range w.processes {
		fmt.Fprintf(&h, "%v,%d,%x;", p.state, p.pending, p.seen)
	}
	return h.Sum64()
}

var errDead = errors.New("the process is dead")

// process is the file system as one process sees it; each operation on names or locks waits for its turn.

func (p *Process) fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Open implements fsys.FS.
func (p *Process) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	if err := p.turn("open", name, nil); err != nil {
		return nil, err
	}
	n := p.world.names[name]
	switch {
	case n == nil && how == fsys.OpenExisting:
		return nil, p.saw(p.fail("open", name, fs.ErrNotExist))
	case n != nil && how == fsys.OpenNew:
		return nil, p.saw(p.fail("open", name, fs.ErrExist))
	case n == nil:
		n = p.world.allocate(perm)
		p.world.point(p, name, n)
	}
	n.opens++
	f := &file{process: p, inode: n, name: name}
	p.open = append(p.open, f)
	// Published inodes do not change, so that what is in one is seen when it is opened.
	_ = p.saw(n.number, n.mtime, string(n.data))
	return f, nil
}

func (p *Process) info(n *inode) fsys.Info {
	return fsys.Info{Mode: n.mode, Size: int64(len(n.data)), Mtime: n.mtime, Ctime: 1, Dev: 1, Ino: n.number, Links: uint64(n.links)}
}

// Lstat implements fsys.FS.
func (p *Process) Lstat(name string) (fsys.Info, error) {
	if err := p.turn("lstat", name, nil); err != nil {
		return fsys.Info{}, err
	}
	n := p.world.names[name]
	if n == nil {
		return fsys.Info{}, p.saw(p.fail("lstat", name, fs.ErrNotExist))
	}
	_ = p.saw(n.number, n.mtime, len(n.data))
	return p.info(n), nil
}

// Readlink implements fsys.FS: there are no links.
func (p *Process) Readlink(name string) (string, error) {
	return "", p.fail("readlink", name, errors.ErrUnsupported)
}

// Rename implements fsys.FS.
func (p *Process) Rename(from, to string, how fsys.RenameHow) error {
	if err := p.turn("rename", to, nil); err != nil {
		return err
	}
	n := p.world.names[from]
	switch {
	case n == nil:
		return p.saw(p.fail("rename", from, fs.ErrNotExist))
	case how == fsys.NoReplace && p.world.names[to] != nil:
		return p.saw(p.fail("rename", to, fs.ErrExist))
	case how == fsys.Exchange && p.world.names[to] == nil:
		return p.saw(p.fail("rename", to, fs.ErrNotExist))
	}
	// The new name first: an inode without a name and not open is forgotten.
	var displaced *inode
	if how == fsys.Exchange {
		displaced = p.world.names[to]
		displaced.links++
		defer func() { displaced.links-- }()
	}
	p.world.point(p, to, n)
	p.world.point(p, from, displaced)
	return p.saw(nil)
}

// Link implements fsys.FS.
func (p *Process) Link(name, second string) error {
	if err := p.turn("link", second, nil); err != nil {
		return err
	}
	n := p.world.names[name]
	switch {
	case n == nil:
		return p.saw(p.fail("link", name, fs.ErrNotExist))
	case p.world.names[second] != nil:
		return p.saw(p.fail("link", second, fs.ErrExist))
	}
	p.world.point(p, second, n)
	return p.saw(nil)
}

// Remove implements fsys.FS.
func (p *Process) Remove(name string) error {
	if err := p.turn("remove", name, nil); err != nil {
		return err
	}
	if p.world.names[name] == nil {
		return p.saw(p.fail("remove", name, fs.ErrNotExist))
	}
	p.world.point(p, name, nil)
	return p.saw(nil)
}

// Mkdir implements fsys.FS: there is one directory, with whatever is in a name.
func (p *Process) Mkdir(string, fs.FileMode) error { return nil }

// ReadDir implements fsys.FS.
func (p *Process) ReadDir(name string) ([]fsys.Entry, error) {
	if err := p.turn("readdir", name, nil); err != nil {
		return nil, err
	}
	var entries []fsys.Entry
	for _, found := range p.world.Names() {
		if filepath.Dir(found) == filepath.Clean(name) {
			entries = append(entries, fsys.Entry{Name: filepath.Base(found)})
		}
	}
	return entries, p.saw(nil, entries)
}

// SyncDir implements fsys.FS: nobody else can see whether it was done.
func (p *Process) SyncDir(string) error { return p.alive() }

// Network implements fsys.FS.
func (p *Process) Network(string) (string, error) { return "", nil }

// Now implements fsys.FS.
func (p *Process) Now() int64 { return p.world.Clock }

// Random implements fsys.FS: never the same twice, and the same in each run.
func (p *Process) Random() uint64 {
	p.random++
	return uint64(p.index+1)<<32 | p.random
}

// Close implements fsys.FS.
func (p *Process) Close() error { return nil }

// file is an open file of a process.
type file struct {
	process *Process
	inode   *inode
	name    string
	offset  int
	closed  bool
}

func (f *file) Read(buf []byte) (int, error) {
	if err := f.process.alive(); err != nil {
		return 0, err
	}
	if f.offset == len(f.inode.data) {
		return 0, io.EOF
	}
	n := copy(buf, f.inode.data[f.offset:])
	f.offset += n
	return n, nil
}

func (f *file) Write(data []byte) (int, error) {
	if err := f.process.alive(); err != nil {
		return 0, err
	}
	f.inode.data = append(bytes.Clone(f.inode.data), data...)
	f.inode.mtime = f.process.world.round(f.process.world.Clock)
	return len(data), nil
}

func (f *file) Stat() (fsys.Info, error) { return f.process.info(f.inode), f.process.alive() }

// Generation is not to be had: versions by time have to do without.
func (f *file) Generation() (uint64, bool) { return 0, false }

func (f *file) Chmod(mode fs.FileMode) error {
	f.inode.mode = mode
	return f.process.alive()
}

func (f *file) Chown(uint32, uint32) error { return f.process.alive() }

func (f *file) SetMtime(ns int64) error {
	if err := f.process.alive(); err != nil {
		return err
	}
	f.inode.mtime = f.process.world.round(ns)
	return nil
}

func (f *file) Sync() error { return f.process.alive() }

func (f *file) Lock() error {
	if err := f.process.turn("lock", f.name, f.inode); err != nil {
		return err
	}
	f.inode.locked = f
	return f.process.saw(nil)
}

func (f *file) TryLock() (bool, error) {
	if err := f.process.turn("trylock", f.name, nil); err != nil {
		return false, err
	}
	free := f.inode.locked == nil
	if free {
		f.inode.locked = f
	}
	return free, f.process.saw(nil, free)
}

func (f *file) Unlock() error {
	if err := f.process.turn("unlock", f.name, nil); err != nil {
		return err
	}
	f.release()
	return f.process.saw(nil)
}

func (f *file) release() {
	if f.inode.locked == f {
		f.inode.locked = nil
	}
}

// Close is an operation of its own only where it gives a lock back.
func (f *file) Close() error {
	if f.closed || f.process.alive() != nil {
		return nil
	}
	if f.inode.locked == f {
		if err := f.process.turn("close", f.name, nil); err != nil {
			return err
		}
	}
	f.close()
	return nil
}

func (f *file) close() {
	f.closed = true
	f.release()
	f.inode.opens--
	f.process.world.settle(f.inode)
	f.process.open = slices.DeleteFunc(f.process.open, func(g *file) bool { return g == f })
}
