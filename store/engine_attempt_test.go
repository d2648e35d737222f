// The attempts of the engine for tests. They tell a step that is out of order, and bytes
// that change while they are staged.

package store_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jsonstore/jsonstore/driver"
)

// attempt is one on an engine.
type attempt struct {
	e   *engine
	key string

	busy    atomic.Bool // in a step
	closed  bool
	held    chan struct{} // the lock, nil if it is not held
	isRead  bool
	version driver.Version
	staged  []byte // as it was given
	copied  []byte // what it was then
	done    bool   // published
}

// step does one: do is what it does.
func (a *attempt) step(s step, allowed bool, do func() error) error {
	if !a.busy.CompareAndSwap(false, true) {
		a.wrong("%s beside another step", s)
	}
	defer a.busy.Store(false)
	if a.closed || !allowed {
		a.wrong("%s out of order", s)
	}
	a.e.mu.Lock()
	a.e.count[s]++
	before, after := a.e.before, a.e.after
	a.e.mu.Unlock()
	if a.key != "doc" {
		before, after = nil, nil
	}
	var data []byte
	if s == stage || s == publish { // Forget may come beside other steps
		data = a.staged
	}
	if before != nil {
		if err := before(s, data); err != nil {
			return err
		}
	}
	err := do()
	if err == nil && after != nil {
		err = after(s, data)
	}
	return err
}

func (a *attempt) wrong(format string, args ...any) {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	a.e.broken = append(a.e.broken, fmt.Sprintf(format, args...))
}

func (a *attempt) TryLock(context.Context) (had bool, err error) {
	queue := a.e.lockOf(a.key)
	err = a.step(tryLock, a.held == nil, func() error {
		select {
		case queue <- struct{}{}:
			a.held, had = queue, true
		default:
		}
		return nil
	})
	if err != nil {
		a.release()
	}
	return had && err == nil, err
}

func (a *attempt) Lock(ctx context.Context) error {
	queue := a.e.lockOf(a.key)
	err := a.step(lock, a.held == nil, func() error {
		select {
		case queue <- struct{}{}:
			a.held = queue
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	if err != nil {
		a.release()
	}
	return err
}

func (a *attempt) Read(ctx context.Context) (data []byte, version driver.Version, err error) {
	a.isRead, a.staged, a.copied = false, nil, nil
	err = a.step(read, !a.done, func() error {
		data, version, err = a.e.Read(ctx, a.key)
		a.isRead, a.version = err == nil, version
		return err
	})
	return data, version, err
}

func (a *attempt) Stage(_ context.Context, data []byte) error {
	a.staged, a.copied = data, bytes.Clone(data)
	return a.step(stage, a.isRead, func() error { return nil })
}

func (a *attempt) Publish(ctx context.Context) (version driver.Version, err error) {
	defer a.release()
	err = a.step(publish, a.held != nil && a.isRead && a.staged != nil, func() error {
		if !bytes.Equal(a.staged, a.copied) {
			a.wrong("what was staged has changed from %q to %q", a.copied, a.staged)
		}
		version, err = a.e.Swap(ctx, a.key, a.version, a.staged)
		a.done = err == nil
		return err
	})
	return version, err
}

func (a *attempt) Delete(ctx context.Context) error {
	defer a.release()
	return a.step(del, a.held != nil && a.isRead, func() error {
		err := a.e.Delete(ctx, a.key, a.version)
		a.done = err == nil
		return err
	})
}

func (a *attempt) Confirm(ctx context.Context) error {
	defer a.release()
	return a.step(confirm, a.held != nil && a.isRead, func() error {
		_, version, err := a.e.Read(ctx, a.key)
		if err == nil && version != a.version {
			err = &driver.ConflictError{Key: a.key, Want: a.version, Have: version}
		}
		a.done = err == nil
		return err
	})
}

func (a *attempt) Settle() error {
	defer a.release()
	return a.step(settle, a.done || a.held != nil && a.isRead, func() error { return nil })
}

// Forget may come while Lock waits, and touches nothing that Lock does.
func (a *attempt) Forget() { a.isRead, a.staged, a.copied = false, nil, nil }

func (a *attempt) Close() {
	a.release()
	a.Forget()
	if !a.closed {
		a.closed = true
		a.e.mu.Lock()
		defer a.e.mu.Unlock()
		a.e.open--
	}
}

func (a *attempt) release() {
	if a.held != nil {
		<-a.held
		a.held = nil
	}
}
