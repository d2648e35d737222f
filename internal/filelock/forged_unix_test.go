//go:build unix

package filelock_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// lent is a lock that was lent, and what a command within has been told.
type lent struct {
	path   string
	loan   *filelock.Loan
	fd     int
	digits string
	value  string // of the variable
}

// lend lends the lock of a new file. This process has the descriptor as a command would.
func lend(t *testing.T, shared bool) *lent {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".d.json.lock")
	return lendBy(t, table(fsys.New(), nil), path, shared)
}

func lendBy(t *testing.T, by *filelock.Table[struct{}], path string, shared bool) *lent {
	t.Helper()
	held := filelock.Held[struct{}]{}
	if err := by.Acquire(t.Context(), path, &filelock.Request{Shared: shared, Perm: 0o600},
		&held); err != nil {
		t.Fatal(err)
	}
	loan, err := held.Lend()
	if err != nil {
		t.Fatal(err)
	}
	assignment, done, err := loan.Pass()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	l := &lent{path: path, loan: loan}
	l.value = strings.TrimPrefix(assignment, filelock.Variable+"=")
	if _, err := fmt.Sscanf(l.value, "%d:%s", &l.fd, &l.digits); err != nil {
		t.Fatal(err)
	}
	return l
}

// try takes the lock if it is free, by what the variable says, and reports the error.
func (l *lent) try(t *testing.T, value string, shared bool) (release func(), err error) {
	t.Helper()
	return l.tryBy(t, table(fsys.New(), filelock.Inherit(value)), shared)
}

func (l *lent) tryBy(
	t *testing.T, by *filelock.Table[struct{}], shared bool,
) (release func(), err error) {
	t.Helper()
	held := filelock.Held[struct{}]{}
	err = by.Acquire(t.Context(), l.path,
		&filelock.Request{Shared: shared, NoWait: true, Perm: 0o600}, &held)
	return held.Release, err
}

func (l *lent) end(t *testing.T) {
	t.Helper()
	if err := l.loan.End(t.Context()); err != nil {
		t.Error(err)
	}
	wantNoHeld(t, l.path)
}

func wantNoHeld(t *testing.T, path string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.held")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want) // the rest might wait for what was not to be had
	}
}

// TestLent: who is within the command has the lock, two of them exclude each other, and
// others are excluded. When it has ended, what was told is of no use.
func TestLent(t *testing.T) {
	l := lend(t, false)
	_, err := l.try(t, "", false)
	wantErr(t, err, filelock.ErrBusy)
	for range 2 {
		release, err := l.try(t, l.value, false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.try(t, l.value, false)
		wantErr(t, err, filelock.ErrBusy)
		_, err = l.try(t, l.value, true)
		wantErr(t, err, filelock.ErrBusy)
		release()
	}
	one, err := l.try(t, l.value, true)
	wantErr(t, err, nil)
	two, err := l.try(t, l.value, true)
	wantErr(t, err, nil)
	_, err = l.try(t, l.value, false)
	wantErr(t, err, filelock.ErrBusy)
	one()
	two()
	l.end(t)

	release, err := l.try(t, "", false) // another program has the lock now
	wantErr(t, err, nil)
	_, err = l.try(t, l.value, false)
	wantErr(t, err, filelock.ErrBusy)
	release()
	release, err = l.try(t, l.value, false)
	wantErr(t, err, nil)
	_, err = l.try(t, "", false)
	wantErr(t, err, filelock.ErrBusy)
	release()
}

// TestForged: what a process was told proves nothing.
func TestForged(t *testing.T) {
	open := func(t *testing.T, path string) int {
		t.Helper()
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	for name, forge := range map[string]func(t *testing.T, l *lent) (fd int){
		"another open file of the lock": func(t *testing.T, l *lent) int { return open(t, l.path) },
		"another file":                  func(t *testing.T, l *lent) int { return open(t, l.path+"x") },
		"the lender's own file": func(t *testing.T, l *lent) int {
			return open(t, names.Held(l.path, l.digits, false))
		},
		"a directory": func(t *testing.T, l *lent) int {
			fd, err := unix.Open(filepath.Dir(l.path), unix.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(fd) })
			return fd
		},
		"a number that is not open": func(t *testing.T, l *lent) int {
			fd, _ := unix.Dup(l.fd)
			unix.Close(fd)
			return fd
		},
		"standard error": func(*testing.T, *lent) int { return 2 },
	} {
		t.Run(name, func(t *testing.T) {
			l := lend(t, false)
			value := fmt.Sprintf("%d:%s", forge(t, l), l.digits)
			_, err := l.try(t, value, false)
			wantErr(t, err, filelock.ErrBusy)
			// To wait would be to wait for oneself, if the digits are right.
			ctx, cancel := context.WithCancel(t.Context())
			within := table(fsys.New(), filelock.Inherit(value))
			within.Busy = cancel // who waits gets this error
			held := filelock.Held[struct{}]{}
			err = within.Acquire(ctx, l.path, &filelock.Request{Perm: 0o600}, &held)
			wantErr(t, err, filelock.ErrNotPassed)
			l.end(t)
		})
	}
	for _, value := range []string{
		"", ",", ":", "x", "100", "-1:" + strings.Repeat("0", 32), "3:", "3:zz",
		"99999999999999999999:" + strings.Repeat("0", 32), "100:" + strings.Repeat("0", 32),
		"100:../../" + strings.Repeat("0", 26), strings.Repeat("100:"+strings.Repeat("0", 32)+",", 1000),
	} {
		l := lend(t, false)
		_, err := l.try(t, value, false)
		wantErr(t, err, filelock.ErrBusy)
		l.end(t)
		release, err := l.try(t, value, false)
		wantErr(t, err, nil)
		release()
	}
}

// TestReusedDescriptor: the number is another file's by the time that it is used.
func TestReusedDescriptor(t *testing.T) {
	l := lend(t, false)
	within := table(fsys.New(), filelock.Inherit(l.value))
	other, err := os.Create(l.path + "x")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Dup2(int(other.Fd()), l.fd); err != nil {
		t.Fatal(err)
	}
	_, err = l.tryBy(t, within, false)
	wantErr(t, err, filelock.ErrBusy)
	l.end(t)
}

// TestLenderIsGone: the lender has died, and another program has the lock; or nobody has it.
func TestLenderIsGone(t *testing.T) {
	l := lend(t, false)
	fd, err := unix.Open(l.path, unix.O_RDWR, 0) // without the lock
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	l.loan.Abandon()
	_, err = l.try(t, "", false)
	wantErr(t, err, filelock.ErrBusy) // the command has it still
	release, err := l.try(t, l.value, false)
	wantErr(t, err, nil)
	release()
	unix.Close(l.fd) // the command ends
	release, err = l.try(t, "", false)
	wantErr(t, err, nil)
	_, err = l.try(t, fmt.Sprintf("%d:%s", fd, l.digits), false)
	wantErr(t, err, filelock.ErrBusy)
	release()
}

// TestReplacedFiles: the lock file, or the lender's, was removed, and perhaps made anew.
func TestReplacedFiles(t *testing.T) {
	t.Run("the lock file", func(t *testing.T) {
		l := lend(t, false)
		if err := os.Remove(l.path); err != nil {
			t.Fatal(err)
		}
		release, err := l.try(t, "", false) // of the new file
		wantErr(t, err, nil)
		_, err = l.try(t, l.value, false)
		wantErr(t, err, filelock.ErrBusy)
		release()
		l.end(t)
	})
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("the lender's, again=%v", again), func(t *testing.T) {
			l := lend(t, false)
			name := names.Held(l.path, l.digits, false)
			release, err := l.try(t, l.value, false)
			wantErr(t, err, nil)
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			if again {
				if err := os.Symlink(l.path, name); err != nil {
					t.Fatal(err)
				}
			}
			_, err = l.try(t, l.value, false)
			wantErr(t, err, filelock.ErrBusy)
			release()
			if err := l.loan.End(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEndWaits: the lender waits for who uses the lock within the command, or leaves it to
// them.
func TestEndWaits(t *testing.T) {
	for _, patient := range []bool{true, false} {
		t.Run(fmt.Sprint(patient), func(t *testing.T) {
			l := lend(t, false)
			release, err := l.try(t, l.value, false)
			wantErr(t, err, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			var released atomic.Bool
			go func() {
				err := l.loan.End(ctx)
				if err == nil && !released.Load() {
					err = errors.New("the lock is taken back from its user")
				}
				ended <- err
			}()
			if !patient {
				cancel()
				wantErr(t, <-ended, context.Canceled)
				_, err := l.try(t, "", false)
				wantErr(t, err, filelock.ErrBusy)
				release()
				unix.Close(l.fd)
				release, err = l.try(t, "", false)
				wantErr(t, err, nil)
				release()
				return
			}
			_, err = l.try(t, "", false)
			wantErr(t, err, filelock.ErrBusy)
			released.Store(true)
			release()
			wantErr(t, <-ended, nil)
			wantNoHeld(t, l.path)
			// Not the descriptor that a child still has, but the lock is gone.
			release, err = l.try(t, "", false)
			wantErr(t, err, nil)
			release()
		})
	}
}

// TestLentShared: within a shared lock a shared one is had at once, also when somebody waits
// for an exclusive one, and an exclusive one is an error.
func TestLentShared(t *testing.T) {
	l := lend(t, true)
	held := filelock.Held[struct{}]{}
	within := table(fsys.New(), filelock.Inherit(l.value))
	wantErr(t, within.Acquire(t.Context(), l.path, &filelock.Request{Perm: 0o600}, &held),
		filelock.ErrUpgrade)
	waits := make(chan error, 1)
	go func() {
		held := filelock.Held[struct{}]{}
		err := table(fsys.New(), nil).Acquire(context.Background(), l.path,
			&filelock.Request{Perm: 0o600}, &held)
		if err == nil {
			held.Release()
		}
		waits <- err
	}()
	// When a reader outside has to wait, the writer is at the gate.
	for deadline := time.Now().Add(time.Minute); ; {
		release, err := l.try(t, "", true)
		if errors.Is(err, filelock.ErrBusy) {
			break
		}
		wantErr(t, err, nil)
		release()
		if time.Now().After(deadline) {
			t.Fatal("a writer that waits does not keep readers away")
		}
	}
	release, err := l.try(t, l.value, true)
	wantErr(t, err, nil)
	select {
	case err := <-waits:
		t.Fatal(err)
	default:
	}
	release()
	l.end(t)
	wantErr(t, <-waits, nil)
}

// TestLentOn: a command within the command, and one that is not within that.
func TestLentOn(t *testing.T) {
	l := lend(t, false)
	inner := lendBy(t, table(fsys.New(), filelock.Inherit(l.value)), l.path, false)
	_, err := l.try(t, l.value, false)
	wantErr(t, err, filelock.ErrBusy) // the inner command has it
	_, err = l.try(t, inner.value, false)
	wantErr(t, err, filelock.ErrBusy) // without the outer descriptor
	both := l.value + "," + inner.value
	release, err := l.try(t, both, false)
	wantErr(t, err, nil)
	release()
	if err := inner.loan.End(t.Context()); err != nil {
		t.Error(err)
	}
	release, err = l.try(t, both, false)
	wantErr(t, err, nil)
	release()
	l.end(t)
	wantNoHeld(t, l.path)
	if _, err := os.Lstat(names.Gate(l.path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a gate was made though nobody shares: %v", err)
	}
}
