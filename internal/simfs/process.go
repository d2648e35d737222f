// Processes run the store's code, which stops before each operation that others could
// observe.

package simfs

import (
	"errors"
	"hash/maphash"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Process is a process of a World, and the file system that its code uses.
type Process struct {
	Name string

	world   *World
	index   int
	letter  letter // of its first thread
	state   state
	current *thread // the running one
	made    uint64  // number of threads so far
	pending int     // operations done
	seen    uint64  // a hash of what its threads may have seen of each other
	seed    maphash.Seed
	random  uint64
	open    []*file
	err     error

	// UID is the owner of the files that it creates.
	UID uint32
	// Mount is its mount of the file system: 0, or 1 for a second mount with separate
	// locks.
	Mount int
}

type state int

const (
	running state = iota
	done
	dead
)

var _ fsys.FS = (*Process)(nil)

// Go adds a process. Its code must be deterministic, and may start goroutines only with
// Spawn and Alarm. The process ends when all of these have ended.
func (w *World) Go(name string, run func(files fsys.FS) error) *Process {
	p := &Process{Name: name, world: w, index: len(w.processes), seed: processSeed}
	t := p.thread(name, false, func() {
		if err := run(p); p.state == running {
			p.fails(err)
		}
	})
	p.letter = t.letters[0]
	w.processes = append(w.processes, p)
	return p
}

// fails records the first error.
func (p *Process) fails(err error) {
	if p.err == nil {
		p.err = err
	}
}

// processSeed is common to all processes, so that states of different runs can be
// compared.
var processSeed = maphash.MakeSeed()

// Err is the error of a process that was not killed.
func (p *Process) Err() error { return p.err }

// Done reports whether a process has finished its code.
func (p *Process) Done() bool { return p.state == done }

var errDead = errors.New("the process is dead")

func (p *Process) alive() error {
	if p.state == dead {
		return errDead
	}
	return nil
}

// turn waits until the thread may do its next operation and, for a lock, until the lock
// is free.
func (p *Process) turn(op, name string, lock *inode) error {
	if p.state == dead {
		return errDead
	}
	t := p.current
	t.op, t.on, t.wants = op, filepath.Base(name), lock
	p.world.Asking = p
	// Waiting for a lock is never quiet: the explorer must see who waits.
	if lock == nil && p.world.Quiet != nil && p.world.Quiet(op, name) {
		return nil
	}
	// A second lock is a step of its own: the explorer must see who asks for it.
	if lock == nil && t.atOnce && !strings.HasPrefix(op, "trylock") {
		t.atOnce = false
		return nil
	}
	t.atOnce = false
	t.stand()
	p.pending++
	return nil
}

// saw records the result of an operation, on which the thread's next steps may depend.
func (p *Process) saw(err error, results ...uint64) error {
	t := p.current
	if t == nil {
		return err
	}
	var buf [64]byte
	b := append(append(append(buf[:0], t.op...), ' '), t.on...)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		b = append(b, 1)
	case errors.Is(err, fs.ErrExist):
		b = append(b, 2)
	default:
		b = append(b, err.Error()...)
	}
	t.sees(b, results...)
	return err
}

// kill is SIGKILL: open files are closed, and no further operation happens.
func (p *Process) kill() {
	for _, f := range slices.Clone(p.open) {
		f.close()
	}
	p.state = dead
	p.endThreads()
}

// Note distinguishes states in which a process has learned different things by means
// other than the file system.
func (p *Process) Note(told ...uint64) {
	p.sync()
	p.current.sees(nil, told...)
	p.sync()
}

// OpenFiles returns the names of a process's open files.
func (p *Process) OpenFiles() (names []string) {
	for _, f := range p.open {
		names = append(names, f.name)
	}
	return names
}

// Holds reports whether a process holds the lock of a file.
func (p *Process) Holds(name string) bool {
	return slices.ContainsFunc(p.open, func(f *file) bool {
		return f.name == name && f.lock().has(f.of)
	})
}

func (p *Process) fail(op, name string, err error) error {
	return p.saw(&fs.PathError{Op: op, Path: name, Err: err})
}

func (p *Process) sawInode(n *inode) {
	_ = p.saw(nil, n.number, uint64(n.mtime), uint64(n.ctime), maphash.Bytes(p.seed, n.data))
}

// The operation names of Quiet and Faulty for the ways to open and rename.
var (
	openNames = [...]string{
		fsys.OpenExisting: "open", fsys.OpenNew: "create", fsys.OpenGrowing: "create growing",
		fsys.OpenLock:   "open lock",
		fsys.OpenAppend: "open append",
	}
	renameNames = [...]string{
		fsys.Replace: "rename", fsys.NoReplace: "rename new", fsys.Exchange: "exchange",
	}
)

// Open implements fsys.FS.
func (p *Process) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	if err := p.turn(openNames[how], name, nil); err != nil {
		return nil, err
	}
	n := p.world.names[name]
	switch {
	case n == nil && (how == fsys.OpenExisting || !p.world.isDir(filepath.Dir(name))):
		return nil, p.fail("open", name, fs.ErrNotExist)
	case n != nil && (how == fsys.OpenNew || how == fsys.OpenGrowing):
		return nil, p.fail("open", name, fs.ErrExist)
	case n != nil && n.mode&fs.ModeSymlink != 0:
		return nil, p.fail("open", name, fsys.ErrSymlink)
	case n == nil:
		n = p.world.allocate(perm)
		n.uid = p.UID
		p.world.point(p, assignment{name, n})
	}
	n.opens++
	f := &file{process: p, inode: n, name: name, of: &description{p.index, 1}}
	p.open = append(p.open, f)
	n.grows = n.grows || how == fsys.OpenAppend || how == fsys.OpenGrowing
	if n.grows {
		_ = p.saw(nil, n.number)
		return f, nil
	}
	// Other published inodes do not change, so the content counts as seen at open.
	p.sawInode(n)
	return f, nil
}

func (p *Process) info(n *inode) fsys.Info {
	return fsys.Info{Mode: n.mode, Size: int64(len(n.data)), Mtime: n.mtime, Ctime: n.ctime,
		Dev: 1, Ino: n.number, Links: uint64(n.links), UID: n.uid}
}

// rootInode is the inode number of the root directory.
const rootInode = 1 << 32

// Lstat implements fsys.FS. The root's Info never changes, so it is no visible
// operation.
func (p *Process) Lstat(name string) (fsys.Info, error) {
	if name == p.world.Root {
		mode := fs.ModeDir | 0o777
		if p.world.Sticky {
			mode |= fs.ModeSticky
		}
		return fsys.Info{Mode: mode, Dev: 1, Ino: rootInode}, p.alive()
	}
	if err := p.turn("lstat", name, nil); err != nil {
		return fsys.Info{}, err
	}
	n := p.world.names[name]
	if n == nil {
		return fsys.Info{}, p.fail("lstat", name, fs.ErrNotExist)
	}
	_ = p.saw(nil, n.number, uint64(n.mtime), uint64(n.ctime), uint64(len(n.data)))
	return p.info(n), nil
}

// Readlink implements fsys.FS.
func (p *Process) Readlink(name string) (string, error) {
	if err := p.turn("readlink", name, nil); err != nil {
		return "", err
	}
	n := p.world.names[name]
	switch {
	case n == nil:
		return "", p.saw(fs.ErrNotExist)
	case n.mode&fs.ModeSymlink == 0:
		return "", p.fail("readlink", name, fs.ErrInvalid)
	}
	p.sawInode(n)
	return string(n.data), nil
}

// Symlink implements fsys.FS.
func (p *Process) Symlink(target, name string) error {
	if p.world.NoLinks {
		return p.fail("symlink", name, errors.ErrUnsupported)
	}
	if err := p.turn("symlink", name, nil); err != nil {
		return err
	}
	if p.world.names[name] != nil {
		return p.fail("symlink", name, fs.ErrExist)
	}
	n := p.world.allocate(fs.ModeSymlink | 0o777)
	// The target is in the journal, as names are.
	n.data, n.synced, n.uid = []byte(target), true, p.UID
	p.world.point(p, assignment{name, n})
	return p.saw(nil)
}

// Rename implements fsys.FS.
func (p *Process) Rename(from, to string, how fsys.RenameHow) error {
	noticed := to
	if !strings.HasPrefix(filepath.Base(from), ".") {
		noticed = from // the removal of this name is as visible as its replacement
	}
	taken := to
	if how != fsys.Replace {
		taken = ""
	}
	if err := p.turnToTake(renameNames[how], noticed, taken); err != nil {
		return err
	}
	n, displaced := p.world.names[from], p.world.names[to]
	switch {
	case n == nil:
		return p.fail("rename", from, fs.ErrNotExist)
	case how == fsys.NoReplace && displaced != nil:
		return p.fail("rename", to, fs.ErrExist)
	case how == fsys.Exchange && displaced == nil:
		return p.fail("rename", to, fs.ErrNotExist)
	case how != fsys.Exchange:
		displaced = nil
	}
	p.world.point(p, assignment{to, n}, assignment{from, displaced})
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
		return p.fail("link", name, fs.ErrNotExist)
	case p.world.names[second] != nil:
		return p.fail("link", second, fs.ErrExist)
	}
	p.world.point(p, assignment{second, n})
	return p.saw(nil)
}

// Remove implements fsys.FS.
func (p *Process) Remove(name string) error {
	if err := p.turnToTake("remove", name, name); err != nil {
		return err
	}
	if p.world.names[name] == nil {
		return p.fail("remove", name, fs.ErrNotExist)
	}
	p.world.point(p, assignment{name, nil})
	return p.saw(nil)
}

// turnToTake is turn for an operation that takes the name from the file at from. In a
// Closed world, a document must be closed for that. Waiting stands for the retries
// until it is.
func (p *Process) turnToTake(op, name, from string) error {
	if !p.world.Closed || from == "" || strings.HasPrefix(filepath.Base(from), ".") {
		return p.turn(op, name, nil)
	}
	for _, f := range p.open {
		if f.inode == p.world.names[from] {
			return p.fail(op, from, fs.ErrPermission)
		}
	}
	if p.current != nil {
		p.current.takes = from
		defer func(t *thread) { t.takes = "" }(p.current)
	}
	if err := p.turn(op, name, nil); err != nil {
		return err
	}
	if p.world.isOpen(from) {
		return p.fail(op, from, fs.ErrPermission)
	}
	return nil
}

// Random implements fsys.FS. Numbers never repeat within a run, and are the same in
// each run.
func (p *Process) Random() uint64 {
	p.sync()
	p.random++
	return uint64(p.index+1)<<32 | p.random
}

// Close implements fsys.FS.
func (p *Process) Close() error { return nil }
