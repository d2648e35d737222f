// Locks: what a program opens and takes.

package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/store"
)

var (
	// ErrLocked: the lock was not free within Options.Wait. It is store.ErrLocked.
	ErrLocked = store.ErrLocked
	// ErrClosed: the Lock was closed. It is store.ErrClosed.
	ErrClosed = store.ErrClosed
	// ErrUpgrade: this process is within a command to which a shared lock was lent, and has
	// asked for an exclusive one, which would wait for the command. It is ErrLocked too.
	ErrUpgrade = filelock.ErrUpgrade
	// ErrNotPassed: this process is within a command that has the lock, and was not passed
	// its open file. It is ErrLocked too.
	ErrNotPassed = filelock.ErrNotPassed
)

// Options are the options of a Lock. The zero value has the defaults.
type Options struct {
	// Wait limits how long one call waits; then the error is ErrLocked. 0 means as long as
	// its context lasts, negative means not at all.
	Wait time.Duration
	// Perm is the mode of a lock file that is made, before the umask. Its owner can always
	// read it, since that is needed to lock it. The lock file of a document that exists has
	// the mode of that. Default 0600.
	Perm fs.FileMode
}

// Lock is the lock of a document or a file. Its methods may be called concurrently.
type Lock struct {
	name  string     // for messages
	path  string     // of the file, if it is not that of a document
	doc   *store.Doc // else nil
	opts  Options
	table filelock.Table[struct{}]
}

// Open returns the lock on the file at path, which is made when it is locked first. A symbolic
// link is not followed, except on the way to its directory. Nobody may replace the file by
// another one while the lock is in use, as documents are replaced by each update: for those
// there is OpenDocument. Opts may be nil.
func Open(path string, opts *Options) (*Lock, error) {
	l := newLock(path, opts)
	absolute, err := filepath.Abs(path)
	if err != nil || path == "" {
		return nil, l.wrap(cmp.Or(err, errors.New("the path is empty")))
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		absolute = filepath.Join(dir, filepath.Base(absolute))
	}
	if _, own := names.Own(filepath.Base(absolute)); own && !names.IsLock(absolute) {
		return nil, l.wrap(fmt.Errorf("%w: the store has such a name for files of its own; "+
			"lock another file", store.ErrKey))
	}
	l.path = absolute
	return l, nil
}

// OpenDocument returns the lock that writers of the document or the journal at path take. It
// is a file beside it; symbolic links are followed to the document, at each locking. The
// document need not exist, but its directory must. Opts may be nil.
func OpenDocument(path string, opts *Options) (*Lock, error) {
	l := newLock(path, opts)
	// What is on a network file system may be locked too; only its writers need to know.
	doc, err := store.OpenFile(path, &store.Options{AllowNetwork: true})
	if err != nil {
		return nil, err
	}
	l.doc = doc
	return l, nil
}

func newLock(name string, opts *Options) *Lock {
	l := &Lock{name: name}
	if opts != nil {
		l.opts = *opts
	}
	l.table.Files, l.table.Inherited = fsys.New(), filelock.OfProcess()
	l.table.Make = func(path string) (string, struct{}) { return path, struct{}{} }
	return l
}

// Path returns the path of the file that is locked now, with symbolic links resolved.
func (l *Lock) Path() (string, error) {
	path, _, err := l.locate()
	return path, l.wrap(err)
}

// Lock takes an exclusive lock, and waits for it. Unlock releases it; later calls of unlock
// do nothing. If the context ends, the error is its cause.
func (l *Lock) Lock(ctx context.Context) (unlock func(), err error) { return l.take(ctx, false) }

// LockShared takes a lock that others may share, as Lock does.
func (l *Lock) LockShared(ctx context.Context) (unlock func(), err error) {
	return l.take(ctx, true)
}

func (l *Lock) take(ctx context.Context, shared bool) (func(), error) {
	held, err := l.acquire(ctx, shared)
	if err != nil {
		return nil, l.wrap(err)
	}
	var released atomic.Bool
	return func() {
		if !released.Swap(true) {
			held.Release()
		}
	}, nil
}

// Loan is a lock that a process holds for a command and all that the command starts.
type Loan struct {
	lock *Lock
	loan *filelock.Loan
}

// Lend takes the lock for a command, as Lock or LockShared do. What the command starts, and
// that uses this package or a store, has the lock then: Start says how it knows. It is the
// caller's to end the loan, by End or Abandon.
func (l *Lock) Lend(ctx context.Context, shared bool) (*Loan, error) {
	held, err := l.acquire(ctx, shared)
	if err != nil {
		return nil, l.wrap(err)
	}
	loan, err := held.Lend()
	if err != nil {
		held.Release()
		return nil, l.wrap(err)
	}
	return &Loan{l, loan}, nil
}

// Start calls start, which is to start the command with the variable, NAME=value, in its
// environment. Processes that are started meanwhile inherit the lock, others do not. Where the
// system cannot pass a lock on (Windows), what is in the command and asks for the lock gets
// ErrNotPassed.
func (n *Loan) Start(start func(variable string) error) error {
	variable, done, err := n.loan.Pass()
	if err != nil {
		return n.lock.wrap(err)
	}
	defer done()
	return start(variable)
}

// End takes the lock back from the command, which has ended, and from what it has left
// running, and releases it. Before that it waits for those that hold the lock within the
// command at that moment. If the context ends first, it is as Abandon, and an error.
func (n *Loan) End(ctx context.Context) error { return n.lock.wrap(n.loan.End(ctx)) }

// Abandon leaves the lock to those that have inherited it: it is released when the last of them
// has ended. One empty file beside the lock file stays behind, which Doc.Sweep removes. Where
// the lock is not passed on, Abandon releases it.
func (n *Loan) Abandon() { n.loan.Abandon() }

func (l *Lock) acquire(ctx context.Context, shared bool) (*filelock.Held[struct{}], error) {
	path, perm, err := l.locate()
	if err != nil {
		return nil, err
	}
	if wait := l.opts.Wait; wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, fmt.Errorf(
			"%w for more than %v; wait longer, or see who holds it", ErrLocked, wait))
		defer cancel()
	}
	held := &filelock.Held[struct{}]{}
	err = l.table.Acquire(ctx, path, &filelock.Request{
		Shared: shared, Perm: perm, NoWait: l.opts.Wait < 0, Spin: spin,
	}, held)
	switch {
	case errors.Is(err, filelock.ErrBusy):
		err = fmt.Errorf("%w; wait for it, or try again later", ErrLocked)
	case errors.Is(err, filelock.ErrClosed):
		err = ErrClosed
	case errors.Is(err, ErrUpgrade), errors.Is(err, ErrNotPassed):
		err = fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return held, err
}

// spin is how long a wait polls before it sleeps.
const spin = 20 * time.Microsecond

// locate returns the path of the lock file, and the mode of a new one.
func (l *Lock) locate() (path string, perm fs.FileMode, err error) {
	perm = l.opts.Perm.Perm()
	if l.doc == nil {
		return l.path, fsys.LockMode(cmp.Or(perm, 0o600)), nil
	}
	if path, err = l.doc.LockFile(); err != nil {
		return "", 0, err
	}
	if info, err := os.Stat(l.name); err == nil {
		perm = info.Mode().Perm() // who may change the document must be able to lock it
	}
	return path, fsys.LockMode(cmp.Or(perm, 0o600)), nil
}

// Close ends the use of the Lock. Later calls return ErrClosed. Locks that are held stay held
// until they are released, and calls that wait go on waiting.
func (l *Lock) Close() error {
	l.table.Close()
	if l.doc != nil {
		return l.doc.Close()
	}
	return nil
}

// wrap gives an error the name of the lock, unless it has that of the document.
func (l *Lock) wrap(err error) error {
	var named *store.Error
	if err == nil || errors.As(err, &named) {
		return err
	}
	return &store.Error{Op: "lock", Name: l.name, Err: err}
}
