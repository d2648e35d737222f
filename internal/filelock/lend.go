// Lending a lock to a command: the lender's part of inherit.go.

package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// Loan is a lock that is held and lent to a command.
type Loan struct {
	files  fsys.FS
	file   fsys.File // whose lock is lent
	digits string
	shared bool
	path   string    // of the lender's file
	mine   fsys.File // that file
	leave  func()    // the rest of a release
}

// Lend makes the lender's file, in the lock file's directory. The loan then has the lock: End
// or Abandon releases it, and not Release.
func (h *Held[T]) Lend() (*Loan, error) {
	l := &Loan{files: h.table.Files, file: h.File, shared: h.Shared, leave: h.leave}
	if h.inner != nil {
		l.file = h.inner
	}
	l.digits = fmt.Sprintf("%016x%016x", l.files.Random(), l.files.Random())
	l.path = names.Held(h.Entry.Path, l.digits, l.shared)
	var err error
	l.mine, err = l.files.Open(l.path, fsys.OpenNew, h.Named.Mode.Perm())
	if err != nil {
		return nil, fmt.Errorf("make the file of a lock that is lent: %w", err)
	}
	return l, nil
}

// Pass returns the assignment of Variable for the command, with the locks that this process
// was lent itself. Until done is called, the child processes of this process get the lock.
func (l *Loan) Pass() (assignment string, done func(), err error) {
	fd, done, err := fsys.Pass(l.file)
	value := fmt.Sprintf("%d:%s", fd, l.digits)
	switch {
	case errors.Is(err, errors.ErrUnsupported): // what is in the command is told why it fails
		value, done = ":"+l.digits, func() {}
	case err != nil:
		return "", nil, fmt.Errorf("lend the lock: %w", err)
	}
	if lent := withoutNumber(os.Getenv(Variable), fd); lent != "" {
		value = lent + "," + value
	}
	return Variable + "=" + value, done, nil
}

// withoutNumber returns a value of Variable in which no lock has a descriptor's number. This
// process was told that number, but did not get the descriptor: else it would not be free.
func withoutNumber(lent string, fd int) string {
	locks := strings.Split(lent, ",")
	for i, text := range locks {
		if number, digits, _ := strings.Cut(text, ":"); number == strconv.Itoa(fd) {
			locks[i] = ":" + digits
		}
	}
	return strings.Join(locks, ",")
}

// End takes the lock back and releases it, also from the processes that have inherited it.
// First it waits for those that have locked the lender's file, until the context ends: then
// it is as Abandon, and the error is the cause.
func (l *Loan) End(ctx context.Context) error {
	if !l.shared {
		if err := l.lockMine(ctx); err != nil {
			l.Abandon()
			return fmt.Errorf("wait for the last that use the lock: %w", err)
		}
	}
	// Nobody gets the lock by the lender's file from here on.
	if err := ignoreNotExist(l.files.Remove(l.path)); err != nil {
		l.Abandon()
		return fmt.Errorf("remove the file of a lock that is lent: %w", err)
	}
	err := l.file.Unlock()
	l.close()
	return err
}

func (l *Loan) lockMine(ctx context.Context) error {
	if locked, err := l.mine.TryLock(); locked || err != nil {
		return err
	}
	if ctx.Done() == nil {
		return l.mine.Lock(0)
	}
	mine := l.mine
	w := &kernelWait{done: make(chan struct{}), joined: true}
	w.start(opened{file: mine}, func() error { return mine.Lock(0) }, func() {})
	got, _, err := w.join(ctx)
	l.mine = got.file // else the wait closes it
	return err
}

// Abandon leaves the lock to the processes that have inherited it: it is released when the
// last of them ends.
func (l *Loan) Abandon() { l.close() }

func (l *Loan) close() {
	l.file.Close()
	if l.mine != nil {
		l.mine.Close()
	}
	l.leave()
}

// File is the open file whose lock is lent, for simulations of a process that inherits it.
func (l *Loan) File() fsys.File { return l.file }
