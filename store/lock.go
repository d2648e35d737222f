// The lock of a document: a kernel lock on a file beside it.
//
// The lock file stays when the document is deleted, so that "flock .NAME.lock command"
// keeps excluding us. Whoever holds the lock may delete the file all the same: after each
// locking its name is compared with what was locked. To delete it without holding it takes
// the lock from whoever does. lockfile.go has the file, lockwait.go the wait in the kernel.

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
	remote atomic.Bool // the size of a file may be an old one
	// joined is the file that other programs lock, which is locked instead of one of ours.
	joined string
	opened int64                          // when the handle was opened
	block  func(ready ...func() bool) int // returns when one is ready; nil, but in simulations

	mu     sync.Mutex
	byPath map[string]*docLock
	unused []string // those that nobody uses, whose files are kept open; the latest is the last
	closed bool
}

// maxUnused is how many lock files are kept open for their next use: to open one takes
// as long as all else that is done to it.
const maxUnused = 64

// docLock is the lock of one document within this handle. Callers queue for it, so that
// only one of them waits in the kernel.
type docLock struct {
	document     string
	path, intent string // of its lock file, and of what a guard that died may have left
	announced    uint64 // the inode of the lock file whose mark this handle has flushed

	users int           // callers and the goroutine of a pending wait; guarded by lockTable.mu
	queue chan struct{} // holds a token while somebody has its turn; the rest is theirs
	idle  fsys.File     // open and not locked, else nil
	info  fsys.Info     // which file was opened last
	wait  *kernelWait   // a wait whose caller left, else nil
}

// locking is how a lock is to be taken.
type locking struct {
	// perm is that of a new lock file: whoever may change the document must be able to lock it.
	perm fs.FileMode
	// like is the document whose owner, group and mode it is to have; nil if it is absent.
	like *fsys.Info
	wait time.Duration // for at most so long; 0 is without limit, negative not at all
	spin time.Duration // before sleeping, ask again and again for so long
	// tried: it was asked for just now, and was not free.
	tried bool
	// guards: the caller may make an intent.
	guards bool
}

// acquire takes the lock of a document. It waits until the context ends, or as long as how
// says; then the error is ErrLocked.
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

// pathOf is the file that is locked for the document at a path.
func (t *lockTable) pathOf(document string) string {
	if t.joins(document) {
		return t.joined
	}
	return names.Lock(document)
}

// joins reports whether the file that is locked for a document is one that other programs
// lock, and not the document's own lock file.
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

// leave is called by one that has not its turn, or no longer.
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

// forget closes the file of a lock that nobody uses. The caller holds mu.
func (t *lockTable) forget(document string) {
	if idle := t.byPath[document].idle; idle != nil {
		idle.Close()
	}
	delete(t.byPath, document)
}

// close closes the lock files that nobody uses; the others go when their users leave.
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
			continue // the wait that we joined was just over
		}
		named, same, err := t.stillNamed(lock, file, how.like)
		if same {
			held := &heldLock{table: t, lock: lock, file: file, mark: markIntents}
			if !t.joins(lock.document) {
				held.mark, held.ours = lockMark(named.Size), isLockOf(named, how.like)
			}
			return held, nil
		}
		file.Close() // a lock on a file that is gone excludes nobody
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

// closeOn closes the file if there is an error, and returns what is to be returned.
func closeOn(err error, file fsys.File) (fsys.File, error) {
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
