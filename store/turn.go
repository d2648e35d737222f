// The goroutines of one handle take turns at each document: among themselves they need
// not conflict.

package store

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/petermattis/goid"
)

// turnstile lets one goroutine at a time through for each key.
type turnstile struct {
	mu    sync.Mutex
	byKey map[string]*turn
}

type turn struct {
	waiting int           // goroutines that have or want the turn; guarded by turnstile.mu
	holder  int64         // the goroutine whose function may be running, else 0; likewise
	token   chan struct{} // filled while somebody has the turn; waiters are served in order
}

// errNested is what would be a deadlock, and is an error even where it would by
// chance go well.
var errNested = errors.New("called from the function of an update of the same document, which would wait for itself; " +
	"return the new content from that function, or do this after the update")

// take waits for the turn, as long as lockTable.acquire waits for a lock, and returns the function that
// passes it on. It refuses to wait for the caller's own goroutine.
func (t *turnstile) take(ctx context.Context, key string, wait time.Duration) (pass func(), err error) {
	self := currentGoroutine()
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, errLockWait(wait))
		defer cancel()
	}
	t.mu.Lock()
	entry := t.byKey[key]
	if entry == nil {
		entry = &turn{token: make(chan struct{}, 1)}
		if t.byKey == nil {
			t.byKey = map[string]*turn{}
		}
		t.byKey[key] = entry
	}
	if entry.holder == self {
		t.mu.Unlock()
		return nil, errNested
	}
	if wait < 0 && entry.waiting > 0 {
		t.mu.Unlock()
		return nil, errLockBusy
	}
	entry.waiting++
	t.mu.Unlock()

	leave := func() {
		entry.waiting--
		if entry.waiting == 0 {
			delete(t.byKey, key)
		}
	}
	select {
	case entry.token <- struct{}{}:
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		leave()
		return nil, context.Cause(ctx)
	}
	t.mu.Lock()
	entry.holder = self
	t.mu.Unlock()
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		entry.holder = 0
		<-entry.token
		leave()
	}), nil
}

// checkNested refuses a write from the function of an update of the same document: when
// the update holds the lock, the write would wait for it for ever.
func (t *turnstile) checkNested(key string) error {
	t.mu.Lock()
	entry := t.byKey[key]
	var holder int64
	if entry != nil {
		holder = entry.holder
	}
	t.mu.Unlock()
	if holder != 0 && holder == currentGoroutine() {
		return errNested
	}
	return nil
}

// currentGoroutine returns the number of the calling goroutine. The runtime tells it only in a
// stack trace, which takes longer than a small update may; package goid knows
// where the runtime keeps it. Since that may change, it is believed only if it agrees
// with the trace when the program first asks.
func currentGoroutine() int64 {
	if goidWorks() {
		return goid.Get()
	}
	return goroutineFromTrace()
}

var goidWorks = sync.OnceValue(func() bool { return goid.Get() == goroutineFromTrace() })

func goroutineFromTrace() int64 {
	var buf [64]byte
	trace := buf[:runtime.Stack(buf[:], false)]
	number, _, _ := bytes.Cut(bytes.TrimPrefix(trace, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return -1 // equal to no holder's, since a holder has this only where all have
	}
	return id
}
