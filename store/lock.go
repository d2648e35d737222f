// The lock of a document: a kernel lock on a file beside it.
//
// The lock file stays when the document is deleted, so that "flock .NAME.lock command"
// keeps excluding the store. A lock holder may still delete the file: after each
// locking, the file with the name is compared with the locked file. Deleting it without
// the lock takes the lock from its holder. lockfile.go has the file, lockwait.go the
// wait in the kernel.

package store

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// lockTable has the locks that this handle holds or waits for, by the document's path.
type lockTable struct {
	files  fsys.FS
	stats  *counters
	remote atomic.Bool // the size of a file may be stale
	// joined is the lock file of other programs, used instead of the store's own.
	joined string
	opened int64                          // when the handle was opened
	block  func(ready ...func() bool) int // returns when one is ready; nil except in simulations
	// bound is the length of a bounded wait in simulations: this many tries, or endless if
	// negative.
	bound int

	mu     sync.Mutex
	byPath map[string]*docLock
	unused []string // locks without users, with files kept open; the latest is last
	closed bool
}

// maxUnused is how many lock files are kept open for their next use: an open takes as
// long as all other operations on the file.
const maxUnused = 64

// docLock is the lock of one document within this handle. Callers queue for it, so that
// only one of them waits in the kernel.
type docLock struct {
	document     string
	path, intent string // of its lock file, and of the intent that a dead guard may have left
	announced    uint64 // the inode of the lock file whose mark this handle has flushed

	users int           // callers and the goroutine of a pending wait; guarded by lockTable.mu
	queue chan struct{} // holds a token while a caller has its turn; the rest is for that caller
	idle  fsys.File     // open and not locked, else nil
	info  fsys.Info     // which file was opened last
	wait  *kernelWait   // a wait whose caller left, else nil
}

// locking is how a lock is to be taken.
type locking struct {
	// perm is the mode of a new lock file: every user who may change the document must
	// be able to lock it.
	perm fs.FileMode
	// like has the owner, group and mode that the lock file gets; nil if absent.
	like *fsys.Info
	wait time.Duration // the limit of the wait; 0 means no limit, negative no wait
	spin time.Duration // how long to poll before sleeping
	// tried: a TryLock just now found the lock not free.
	tried bool
	// guards: the caller may make an intent.
	guards bool
}

// acquire takes the lock of a document. It waits until the context ends, or as long as
// how says; then the error is ErrLocked.
func (t *lockTable) acquire(
	ctx context.Context, document string, how locking,
) (*heldLock, error) {
	if how.wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, how.wait, errLockWait(how.wait))
		defer cancel()
	}
	lock, err := t.enter(document)
	if err != nil {
		return nil, err
	}
	select {
	case lock.queue <- struct{}{}:
	default:
		t.busy(how)
		if how.wait < 0 {
			t.leave(lock)
			return nil, errLockBusy
		}
		if t.block != nil {
			t.block(func() bool { return len(lock.queue) == 0 })
		}
		select {
		case lock.queue <- struct{}{}:
		case <-ctx.Done():
			t.leave(lock)
			return nil, context.Cause(ctx)
		}
	}
	held, err := t.lockFile(ctx, lock, how)
	if err != nil {
		<-lock.queue
		t.leave(lock)
		return nil, err
	}
	held.findIntent(how.guards)
	return held, nil
}

// busy counts a lock that is not free, once.
func (t *lockTable) busy(how locking) {
	if !how.tried {
		t.stats.lockWaits.Add(1)
	}
}

var errLockBusy = fmt.Errorf("%w by another writer; wait for it, or try again later", ErrLocked)

func errLockWait(wait time.Duration) error {
	return fmt.Errorf("%w by another writer for more than %v; wait longer, or see who holds it",
		ErrLocked, wait)
}

// pathOf returns the file that is locked for the document at a path.
func (t *lockTable) pathOf(document string) string {
	if t.joins(document) {
		return t.joined
	}
	return names.Lock(document)
}

// joins reports whether the lock file of other programs is locked for a document, and
// not the document's own.
func (t *lockTable) joins(document string) bool {
	return t.joined != "" && t.joined != names.Lock(document)
}

func (t *lockTable) enter(document string) (*docLock, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, ErrClosed
	case document == t.joined: // a link leads there by now
		return nil, errLocksItself
	}
	lock := t.byPath[document]
	if lock == nil {
		lock = &docLock{document: document, path: t.pathOf(document),
			intent: names.Intent(document),
			queue:  make(chan struct{}, 1)}
		if t.byPath == nil {
			t.byPath = map[string]*docLock{}
		}
		t.byPath[document] = lock
	}
	if lock.users == 0 {
		t.unused = slices.DeleteFunc(t.unused, func(other string) bool { return other == document })
	}
	lock.users++
	return lock, nil
}

// leave ends the use of a lock by a caller that does not have its turn.
func (t *lockTable) leave(lock *docLock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lock.users--
	switch {
	case lock.users > 0:
	case t.closed || lock.idle == nil:
		t.forget(lock.document)
	default:
		t.unused = append(t.unused, lock.document)
		if len(t.unused) > maxUnused {
			t.forget(t.unused[0])
			t.unused = t.unused[1:]
		}
	}
}

// forget closes the file of a lock without users. The caller holds mu.
func (t *lockTable) forget(document string) {
	if idle := t.byPath[document].idle; idle != nil {
		idle.Close()
	}
	delete(t.byPath, document)
}

// close closes the lock files without users; the others close when their users leave.
func (t *lockTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, document := range t.unused {
		t.forget(document)
	}
	t.unused = nil
}

// lockFile opens and locks the file, for the caller whose turn it is.
func (t *lockTable) lockFile(ctx context.Context, lock *docLock, how locking) (*heldLock, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		file, err := t.lockOnce(ctx, lock, how)
		if err != nil {
			return nil, err
		}
		if file == nil {
			continue // the joined wait was just over
		}
		named, same, err := t.stillNamed(lock, file, how.like)
		if same {
			held := &heldLock{table: t, lock: lock, file: file, mark: markIntents}
			if !t.joins(lock.document) {
				held.mark, held.ours = lockMark(named.Size), t.trusts(lock, named, how.like)
			}
			return held, nil
		}
		file.Close() // a lock on a removed file excludes no writer
		if err != nil {
			return nil, err
		}
	}
}

func (t *lockTable) lockOnce(ctx context.Context, lock *docLock, how locking) (fsys.File, error) {
	if lock.wait == nil {
		perm := how.perm | 0o400
		if how.like != nil {
			perm = fsys.LockMode(how.like.Mode)
		}
		file, err := t.openLock(lock, perm)
		if err != nil {
			return nil, err
		}
		if !how.tried {
			if locked, err := file.TryLock(); locked || err != nil {
				return closeOn(err, file)
			}
		}
		t.busy(how)
		if how.wait < 0 {
			lock.idle = file
			return nil, errLockBusy
		}
		if ctx.Done() == nil {
			return closeOn(file.Lock(how.spin), file)
		}
		lock.wait = t.startWait(lock, file, how.spin)
	} else if how.wait < 0 {
		t.busy(how)
		return nil, errLockBusy
	}
	file, over, err := lock.wait.join(ctx)
	if over {
		lock.wait = nil
	}
	return file, err
}

// closeOn closes the file if there is an error, and returns the caller's results.
func closeOn(err error, file fsys.File) (fsys.File, error) {
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
