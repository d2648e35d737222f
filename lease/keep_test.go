// Background renewal in virtual time.

package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jsonstore/jsonstore/lease"
)

func TestKeepRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, _ := inMemory(t)
		l := mustAcquire(t, doc, &lease.Options{TTL: 9 * time.Second})
		work, stop := l.Keep(t.Context())
		for range 100 {
			time.Sleep(2 * time.Second)
			must(t, l.Valid())
			must(t, work.Err())
		}
		if r, err := lease.Status(t.Context(), doc); err != nil || r.Renewals != 66 {
			t.Errorf("%d renewals in 200 s, %v", r.Renewals, err)
		}
		stop()
		mustBe(t, context.Cause(work), context.Canceled)
		stop()
		time.Sleep(9 * time.Second)
		mustBe(t, l.Valid(), lease.ErrLost)
	})
}

// The work's context ends with a quarter of the TTL left if no renewal succeeds, whether
// the engine fails or hangs.
func TestKeepWithoutEngine(t *testing.T) {
	for name, broken := range map[string]func(ctx context.Context) error{
		"fails": func(context.Context) error { return errors.New("no disk") },
		"hangs": func(ctx context.Context) error { <-ctx.Done(); return errors.New("late") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				doc, drv := inMemory(t)
				hung, end := context.WithCancel(context.Background())
				l := mustAcquire(t, doc, &lease.Options{TTL: 8 * time.Second})
				start := time.Now()
				drv.before = func(string) error { return broken(hung) }
				work, stop := l.Keep(t.Context())
				<-work.Done()
				if took := time.Since(start); took != 6*time.Second {
					t.Errorf("after %v", took)
				}
				must(t, l.Valid())
				mustBe(t, context.Cause(work), lease.ErrLost, "not renewed in time")
				end()
				stop()
			})
		})
	}
}

// A failed renewal is tried again in time.
func TestKeepTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, drv := inMemory(t)
		l := mustAcquire(t, doc, &lease.Options{TTL: 8 * time.Second})
		failures := 0
		drv.before = func(op string) error {
			if op == "read" {
				failures++
			}
			if failures%4 != 0 {
				return errors.New("a hiccup")
			}
			return nil
		}
		work, stop := l.Keep(t.Context())
		defer stop()
		time.Sleep(time.Minute)
		must(t, work.Err())
		must(t, l.Valid())
	})
}

// The work's context ends when somebody else has the lease.
func TestKeepNoticesLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, _ := inMemory(t)
		l := mustAcquire(t, doc, &lease.Options{TTL: 9 * time.Second})
		work, stop := l.Keep(t.Context())
		defer stop()
		must(t, doc.Delete(t.Context()))
		mustAcquire(t, doc, &lease.Options{Owner: "bob"})
		start := time.Now()
		<-work.Done()
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("after %v", took)
		}
		mustBe(t, context.Cause(work), lease.ErrLost, "held by bob")
		mustBe(t, l.Valid(), lease.ErrLost)
	})
}

// Renewal goes on while the work stops after its context has ended.
func TestKeepWhileTheWorkStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, _ := inMemory(t)
		ctx, cancel := context.WithCancel(t.Context())
		l := mustAcquire(t, doc, &lease.Options{TTL: 9 * time.Second})
		work, stop := l.Keep(ctx)
		cancel()
		<-work.Done()
		time.Sleep(time.Minute)
		must(t, l.Valid())
		stop()
	})
}

func TestWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, _ := inMemory(t)
		ctx := t.Context()
		opts := &lease.Options{TTL: 9 * time.Second, Wait: -1}
		free := func() {
			t.Helper()
			if r, err := lease.Status(ctx, doc); err != nil || !r.Free() {
				t.Errorf("%+v, %v", r, err)
			}
		}
		must(t, lease.With(ctx, doc, opts, func(ctx context.Context, l *lease.Lease) error {
			mustBe(t, lease.With(ctx, doc, opts, nil), lease.ErrHeld)
			time.Sleep(time.Minute)
			return l.Valid()
		}))
		free()
		own := errors.New("own")
		err := lease.With(ctx, doc, opts, func(context.Context, *lease.Lease) error { return own })
		mustBe(t, err, own)
		free()
		func() {
			defer func() {
				if recover() != own {
					t.Error("no panic")
				}
			}()
			_ = lease.With(ctx, doc, opts, func(context.Context, *lease.Lease) error { panic(own) })
		}()
		free()
		// Lost on the way, whatever the work returns.
		for _, result := range []error{nil, own} {
			err = lease.With(ctx, doc, opts, func(ctx context.Context, _ *lease.Lease) error {
				must(t, doc.Delete(context.WithoutCancel(ctx)))
				<-ctx.Done()
				return result
			})
			mustBe(t, err, lease.ErrLost)
			if result != nil {
				mustBe(t, err, own)
			}
		}
		// A context that ends is no loss.
		ended, cancel := context.WithCancel(ctx)
		must(t, lease.With(ended, doc, opts, func(ctx context.Context, _ *lease.Lease) error {
			cancel()
			<-ctx.Done()
			return nil
		}))
		free()
	})
}
