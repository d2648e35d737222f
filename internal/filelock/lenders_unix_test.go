//go:build unix

package filelock_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// wantWait asks for an exclusive lock that is not free, and wants an error instead of waiting;
// context.Canceled if it waits.
func (l *lent) wantWait(t *testing.T, value string, want error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	by := table(fsys.New(), filelock.Inherit(value))
	by.Busy = cancel
	held := filelock.Held[struct{}]{}
	wantErr(t, by.Acquire(ctx, l.path, &filelock.Request{Perm: 0o600}, &held), want)
}

// TestStaleLender: a lender was killed. A command of its without the descriptor lends the lock
// anew, and the kernel gives that the same number. All within use the second lender's file.
func TestStaleLender(t *testing.T) {
	stale := lend(t, false)
	stale.loan.Abandon()
	unix.Close(stale.fd)
	t.Setenv(filelock.Variable, stale.value)

	held := filelock.Held[struct{}]{}
	err := table(fsys.New(), filelock.Inherit(stale.value)).Acquire(t.Context(), stale.path,
		&filelock.Request{Perm: 0o600}, &held)
	wantErr(t, err, nil)
	loan, err := held.Lend()
	wantErr(t, err, nil)
	assignment, done, err := loan.Pass()
	wantErr(t, err, nil)
	defer done()
	both := strings.TrimPrefix(assignment, filelock.Variable+"=")
	last := both[strings.LastIndex(both, ",")+1:]
	if !strings.HasPrefix(last, fmt.Sprintf("%d:", stale.fd)) {
		t.Fatalf("the number in %s is not %d, that of the stale lender", last, stale.fd)
	}
	l := &lent{path: stale.path, loan: loan}
	release, err := l.try(t, both, false)
	wantErr(t, err, nil)
	_, err = l.try(t, last, false)
	wantErr(t, err, filelock.ErrBusy)
	l.wantWait(t, both, context.Canceled) // not an error: the stale lender's file says nothing
	release()
	wantErr(t, loan.End(t.Context()), nil)
}

// TestMissesInner: who has the descriptor of the outer lender only would wait for the inner
// one, which waits for it.
func TestMissesInner(t *testing.T) {
	for _, shared := range []bool{false, true} {
		l := lend(t, false)
		inner := lendBy(t, table(fsys.New(), filelock.Inherit(l.value)), l.path, shared)
		value := l.value + ",:" + inner.digits
		l.wantWait(t, value, filelock.ErrNotPassed)
		l.wantWait(t, l.value, context.Canceled) // it is not within
		wantErr(t, inner.loan.End(t.Context()), nil)
		release, err := l.try(t, value, false)
		wantErr(t, err, nil)
		release()
		l.end(t)
	}
}
