package filelock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// TestLeftWait: a wait whose caller has left gives the lock back, or to the next caller, and
// does not keep a closed table open.
func TestLeftWait(t *testing.T) {
	for _, shared := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "l")
		holder, waiter := table(fsys.New(), nil), table(fsys.New(), nil)
		acquire := func(ctx context.Context, by *filelock.Table[struct{}], shared bool) (
			*filelock.Held[struct{}], error,
		) {
			held := &filelock.Held[struct{}]{}
			_, waits := ctx.Deadline()
			return held, by.Acquire(ctx, path,
				&filelock.Request{Shared: shared, Perm: 0o600, NoWait: !waits}, held)
		}
		held, err := acquire(t.Context(), holder, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err = acquire(ctx, waiter, shared)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if users := waiter.Users(); users != 1 {
			t.Errorf("%d waits are left behind, want 1", users)
		}
		held.Release()
		for deadline := time.Now().Add(time.Minute); waiter.Users() > 0; {
			if time.Now().After(deadline) {
				t.Fatal("the wait has not ended")
			}
			time.Sleep(time.Millisecond)
		}
		if free, err := acquire(t.Context(), holder, false); err != nil {
			t.Fatalf("the wait has kept the lock: %v", err)
		} else {
			free.Release()
		}
		waiter.Close()
		holder.Close()
	}
}
