// Package filelock is the lock that the store, journals and package lock have in common: a
// kernel lock on a file.
//
// The file stays when its lock is released, so that "flock FILE command" excludes all of
// them. A lock holder may delete the file: after each locking, the file with the name is
// compared with the locked file. Deleting it without the lock takes the lock from its
// holder.
//
// The callers of one table queue for a file, first come, first served: only one of them
// waits in the kernel. A lock may be exclusive or shared; gate.go has what keeps shared ones
// from starving an exclusive one, wait.go the wait in the kernel, inherit.go and lend.go the
// locks that a process lends to a command.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

var (
	// ErrBusy is the error of a Request without Wait if the lock is not free.
	ErrBusy = errors.New("the lock is held")
	// ErrClosed is the error after Close.
	ErrClosed = errors.New("the locks are closed")
	// ErrUpgrade is the error of a request for an exclusive lock within a command to which a
	// shared one is lent: who has lent it waits for the command.
	ErrUpgrade = errors.New("the command that this is a part of has only a shared lock, and an " +
		"exclusive one would wait for it; take the exclusive lock around the command")
	// ErrNotPassed is the error instead of waiting for a lock within the command to which it
	// is lent, if the command did not pass it on.
	ErrNotPassed = errors.New("the command that this is a part of has the lock, but did not pass " +
		"its open file on to this process; let it inherit all descriptors")
)

// Table has the locks that one handle holds or waits for. A caller names a lock by a key;
// Of is what the caller keeps for each. The exported fields are set before the first use.
type Table[T any] struct {
	Files fsys.FS
	// Make returns the lock file of a key, and what the caller keeps for it.
	Make func(key string) (path string, of T)
	// Busy is called when a caller finds the lock not free, before it waits. It may be nil.
	Busy func()
	// Explain returns the error for a lock file that cannot be opened. It may be nil.
	Explain func(path string, err error) error
	// Inherited are the locks that this process was lent, or nil.
	Inherited *Inherited
	// Block returns when one condition is ready; nil except in simulations.
	Block func(ready ...func() bool) int

	mu     sync.Mutex
	byKey  map[string]*Entry[T]
	unused []string // keys of entries without users, with files kept open; the latest is last
	closed bool
}

// maxUnused is how many lock files are kept open for their next use: an open takes as
// long as all other operations on the file.
const maxUnused = 64

// Entry is one lock of a table. Callers queue for it, so that only one of them waits in the
// kernel.
type Entry[T any] struct {
	Key, Path string
	// For the caller that has an exclusive lock:
	Of   T
	Info fsys.Info // of the locked file, as it was when it was opened

	users int            // callers and the goroutines of pending waits; guarded by Table.mu
	queue chan struct{}  // holds a token while a caller has its turn; the rest is for that caller
	idle  opened         // open and not locked, if it has a file
	waits [2]*kernelWait // waits whose callers left, else nil: exclusive, shared
}

// opened is an open lock file.
type opened struct {
	file fsys.File
	info fsys.Info // which file it is
}

// Request is how a lock is to be taken.
type Request struct {
	// Shared asks for a lock that others may share.
	Shared bool
	// Perm is the mode of a new lock file: every user who may change what is locked must be
	// able to lock it.
	Perm fs.FileMode
	// NoWait makes the error ErrBusy instead of waiting.
	NoWait bool
	// Spin is how long to poll before sleeping.
	Spin time.Duration
	// Tried says that a NoWait just now found the lock not free.
	Tried bool
	// NoGate does without the gate: an exclusive lock may then have to wait longer.
	NoGate bool
}

// Held is a lock that a caller holds.
type Held[T any] struct {
	Entry *Entry[T]
	// File is the lock file; Named is what Lstat said of its name when the lock was had.
	File   fsys.File
	Named  fsys.Info
	Shared bool
	// Lent: the lock is within one that this process was lent.
	Lent bool

	table *Table[T]
	inner fsys.File // what is locked within a lock that was lent, else nil
}

// Acquire takes a lock. It waits until the context ends, and fills held. An exclusive lock
// is held by one caller of all processes, and shared ones by any number while there is no
// exclusive one. The linearization point is the comparison of the locked file with its name.
func (t *Table[T]) Acquire(ctx context.Context, key string, how *Request, held *Held[T]) error {
	entry, err := t.enter(key)
	if err != nil {
		return err
	}
	select {
	case entry.queue <- struct{}{}:
	default:
		t.busy(how)
		if how.NoWait {
			t.leave(entry)
			return ErrBusy
		}
		if t.Block != nil {
			t.Block(func() bool { return len(entry.queue) == 0 })
		}
		select {
		case entry.queue <- struct{}{}:
		case <-ctx.Done():
			t.leave(entry)
			return context.Cause(ctx)
		}
	}
	*held = Held[T]{Entry: entry, table: t, Shared: how.Shared}
	err = t.lock(ctx, how, held)
	if err != nil || how.Shared {
		// Others may share the lock, or wait for it in the kernel, in the order of the queue.
		<-entry.queue
	}
	if err != nil {
		t.leave(entry)
	}
	return err
}

func (t *Table[T]) busy(how *Request) {
	if !how.Tried && t.Busy != nil {
		t.Busy()
	}
}

func (t *Table[T]) enter(key string) (*Entry[T], error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	entry := t.byKey[key]
	if entry == nil {
		entry = &Entry[T]{Key: key, queue: make(chan struct{}, 1)}
		entry.Path, entry.Of = t.Make(key)
		if t.byKey == nil {
			t.byKey = map[string]*Entry[T]{}
		}
		t.byKey[key] = entry
	}
	if entry.users == 0 {
		t.unused = slices.DeleteFunc(t.unused, func(other string) bool { return other == key })
	}
	entry.users++
	return entry, nil
}

// leave ends the use of a lock by a caller that does not have its turn.
func (t *Table[T]) leave(entry *Entry[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	entry.users--
	switch {
	case entry.users > 0:
	case t.closed || entry.idle.file == nil:
		t.forget(entry.Key)
	default:
		t.unused = append(t.unused, entry.Key)
		if len(t.unused) > maxUnused {
			t.forget(t.unused[0])
			t.unused = t.unused[1:]
		}
	}
}

// Users is how many calls hold one of the locks or wait for it.
func (t *Table[T]) Users() (users int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, entry := range t.byKey {
		users += entry.users
	}
	return users
}

// forget closes the file of a lock without users. The caller holds mu.
func (t *Table[T]) forget(key string) {
	if idle := t.byKey[key].idle; idle.file != nil {
		idle.file.Close()
	}
	delete(t.byKey, key)
}

// Close closes the lock files without users; the others close when their users leave.
func (t *Table[T]) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, key := range t.unused {
		t.forget(key)
	}
	t.unused = nil
}

// lock opens and locks the file, for the caller whose turn it is.
func (t *Table[T]) lock(ctx context.Context, how *Request, held *Held[T]) error {
	if t.Inherited != nil {
		if done, err := t.lockWithin(ctx, how, held); done || err != nil {
			return err
		}
	}
	entry := held.Entry
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got, err := t.lockOnce(ctx, entry, how)
		if err != nil {
			return err
		}
		if got.file == nil {
			continue // the joined wait was just over
		}
		named, same, err := t.stillNamed(entry.Path, got.info)
		if same {
			held.has(got, named)
			return nil
		}
		got.file.Close() // a lock on a removed file excludes no writer
		if err != nil {
			return err
		}
	}
}

func (h *Held[T]) has(got opened, named fsys.Info) {
	h.File, h.Named = got.file, named
	if !h.Shared { // others may have the turn
		h.Entry.Info = got.info
	}
}

// stillNamed reports whether the locked file still has the name: it is open, so no other
// file can have its inode number.
func (t *Table[T]) stillNamed(path string, locked fsys.Info) (fsys.Info, bool, error) {
	named, err := t.Files.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return named, false, nil
	}
	return named, err == nil && named.SameFile(locked), err
}

func (t *Table[T]) lockOnce(ctx context.Context, entry *Entry[T], how *Request) (opened, error) {
	wait := &entry.waits[waitOf(how.Shared)]
	if *wait == nil {
		f, err := t.open(entry, how)
		if err != nil {
			return opened{}, err
		}
		if !how.Tried {
			locked, err := t.try(f.file, entry.Path, how)
			if locked || err != nil {
				return f.unless(err)
			}
		}
		t.busy(how)
		switch {
		case how.NoWait:
			entry.idle = f
			return opened{}, ErrBusy
		case t.Inherited != nil && t.Inherited.missesDescriptor(t.Files, entry.Path, ""):
			return f.unless(ErrNotPassed)
		case ctx.Done() == nil:
			return f.unless(t.wait(f.file, entry.Path, how))
		}
		*wait = t.startWait(entry, f, *how)
	} else if how.NoWait {
		t.busy(how)
		return opened{}, ErrBusy
	}
	f, over, err := (*wait).join(ctx)
	if over {
		*wait = nil
	}
	return f, err
}

// open opens the lock file, which is made if it is missing.
func (t *Table[T]) open(entry *Entry[T], how *Request) (opened, error) {
	if f := entry.idle; f.file != nil {
		entry.idle = opened{}
		return f, nil
	}
	file, err := t.Files.Open(entry.Path, fsys.OpenLock, how.Perm)
	if err != nil {
		if t.Explain != nil {
			err = t.Explain(entry.Path, err)
		}
		return opened{}, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode.IsRegular() {
		err = fmt.Errorf("the lock file %s is no plain file; remove it", entry.Path)
	}
	return opened{file, info}.unless(err)
}

// unless closes the file if there is an error, and returns the caller's results.
func (f opened) unless(err error) (opened, error) {
	if err != nil {
		f.file.Close()
		return opened{}, err
	}
	return f, nil
}

// Release releases the lock.
func (h *Held[T]) Release() {
	switch {
	case h.inner != nil: // a process that was started has it too, if it is lent again
		_ = h.inner.Unlock()
		h.inner.Close()
	case h.Shared:
		_ = h.File.Unlock() // a process that is just being started may have the file
		h.File.Close()
	case h.File.Unlock() == nil:
		h.Entry.idle = opened{h.File, h.Entry.Info}
	default:
		h.File.Close()
	}
	h.leave()
}

// leave is the end of a release.
func (h *Held[T]) leave() {
	if !h.Shared {
		<-h.Entry.queue
	}
	h.table.leave(h.Entry)
}
