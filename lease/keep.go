// Background renewal, and With: acquire, work, release.

package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// A grant is renewed when 1/renewParts of its TTL has passed. A renewal that fails is
// tried again after 1/againParts of it. The work's context ends when no more than
// 1/marginParts of it is left.
const (
	renewParts  = 3
	againParts  = 16
	marginParts = 4
)

// Keep renews the grant in the background until stop is called, and returns a context for
// the work that it protects. The context ends when ctx ends, when another holder has the
// lease, and when three quarters of the TTL have passed since the beginning of the last
// successful renewal; then its cause is ErrLost. A quarter of the TTL is left for the work
// to stop in, before another holder can get the lease.
//
// Renewal goes on when ctx has ended, while the work stops. Stop ends the returned context
// too, and returns when no renewal is under way; it must be called.
func (l *Lease) Keep(ctx context.Context) (work context.Context, stop func()) {
	work, cancel := context.WithCancelCause(ctx)
	keeping, end := context.WithCancel(context.WithoutCancel(ctx))
	k := &keeper{lease: l, cancel: cancel, lapsed: make(chan struct{})}
	k.lapse = time.AfterFunc(l.safe(), k.onLapse)
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.run(keeping)
	}()
	return work, func() {
		end()
		<-done
		k.lapse.Stop()
		cancel(nil)
	}
}

// safe is the time for which the work may go on.
func (l *Lease) safe() time.Duration {
	left, _ := l.left()
	return max(left-l.TTL()/marginParts, 0)
}

// keeper renews one grant.
type keeper struct {
	lease  *Lease
	cancel context.CancelCauseFunc // of the work
	lapse  *time.Timer             // when the work must stop
	lapsed chan struct{}           // closed when it had to
}

// onLapse ends the work because there was no renewal in time. It has a goroutine of its
// own: a renewal that hangs must not delay it.
func (k *keeper) onLapse() {
	// The timer was set by the monotonic clock, and may be late or, for a clock that was
	// injected, early.
	if left := k.lease.safe(); left > 0 {
		k.lapse.Reset(left)
		return
	}
	k.lost(fmt.Errorf("%w: token %d was not renewed in time", ErrLost, k.lease.token))
	close(k.lapsed)
}

func (k *keeper) lost(err error) { k.cancel(wrap("keep lease", k.lease.doc, err)) }

func (k *keeper) run(ctx context.Context) {
	pause := k.lease.TTL() / renewParts
	for {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-k.lapsed:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
		err := k.renew(ctx)
		switch {
		case err == nil:
			pause = k.lease.TTL() / renewParts
		case errors.Is(err, ErrLost):
			k.lost(err)
			return
		default:
			pause = k.lease.TTL() / againParts
		}
	}
}

// renew tries once, at most until the work must stop.
func (k *keeper) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.lease.safe())
	defer cancel()
	return k.lease.renew(ctx)
}

// With acquires the lease, runs work with a context that ends when the lease is lost (see
// Keep), and releases the lease. Work gets the grant, for its token. If work has returned
// without error although the lease was lost, With returns the loss, which is ErrLost: a
// part of the work was not protected.
func With(
	ctx context.Context, doc *store.Doc, opts *Options,
	work func(ctx context.Context, l *Lease) error,
) (err error) {
	l, err := Acquire(ctx, doc, opts)
	if err != nil {
		return err
	}
	kept, stop := l.Keep(ctx)
	defer func() { // also after a panic
		ended := context.Cause(kept)
		if !errors.Is(ended, ErrLost) {
			ended = nil // ctx has ended
		}
		stop()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.TTL())
		defer cancel()
		if released := l.Release(ctx); ended == nil {
			ended = released
		}
		switch {
		case err == nil:
			err = ended
		case ended != nil && !errors.Is(err, ErrLost):
			err = fmt.Errorf("%w; %w", err, ended)
		}
	}()
	return work(kept, l)
}
