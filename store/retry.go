// The update loop: read, apply a function, compare-and-swap; on a conflict back off
// and try again; after a while take the lock first and so cannot lose.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/jsonstore/jsonstore/driver"
)

// Update may call fn more than once: it reads the document, calls fn with its content, and
// replaces the document with what fn returns if nobody changed it meanwhile; if somebody
// did, it does so again on the new content. It returns the version that it made.
//
// Fn gets nil if the document is absent, and must neither change nor keep what it gets. If it
// returns the same content (or nil for nil), nothing is written and the version stays. If
// it returns an error, nothing is changed and the error comes back wrapped; if it panics,
// the panic passes through and nothing is changed. It must not write to the same
// document by other means: that is an error. To delete a document, use Delete.
//
// Goroutines that update one document through one handle do not conflict. Those that wait while another one's version is published are
// combined: each fn gets what the one before it has made, which is published together with what the last one makes, and only if
// that succeeds does its own result count. The version that is returned is that of the state that fn made, in which
// others may have been faster to build on it, so that a CompareAndSwap from it is a conflict.
//
// Against other handles, processes and programs the first try is optimistic: it holds the lock only for the swap. After
// Retry.EscalateAfter conflicts, or at once with Options.Locking, it holds the lock from
// before it reads until it has published, and cannot lose to anybody who takes the lock. So do the next updates through
// this handle, until they have found the lock free for a while. When the context or
// Retry ends it after conflicts, the error is ErrConflict and says how often it tried.
//
// The linearization point is that of CompareAndSwap; if nothing is changed, it is the read.
func (d *Doc) Update(ctx context.Context, fn func(old []byte) ([]byte, error)) (Version, error) {
	return d.update(ctx, "update", fn)
}

func (d *Doc) update(ctx context.Context, op string, fn func(old []byte) ([]byte, error)) (Version, error) {
	version, err := d.retry(ctx, d.decision(fn))
	if err != nil {
		return version, d.error(op, err)
	}
	return version, nil
}

// decision is that of an update whose function is fn.
func (d *Doc) decision(fn func(old []byte) ([]byte, error)) decision {
	return func(old docState) (change, error) {
		if old.exists && !old.checked {
			if err := d.checkContent(old.data); err != nil {
				return change{}, err
			}
		}
		data, err := fn(old.data)
		if err != nil {
			return change{}, err
		}
		if bytes.Equal(data, old.data) && (old.data == nil) == (data == nil) {
			return change{kind: keep}, nil
		}
		if err := d.checkNew(data); err != nil {
			return change{}, err
		}
		return change{kind: put, data: data}, nil
	}
}

// Delete deletes the document, whatever its version and content. If it is absent, the error is ErrNotExist.
func (d *Doc) Delete(ctx context.Context) error {
	_, err := d.retry(ctx, func(old docState) (change, error) {
		if !old.exists {
			return change{}, ErrNotExist
		}
		return change{kind: remove}, nil
	})
	if err != nil {
		return d.error("delete", err)
	}
	return nil
}

// retry tries until a change is made, or need not be made, or must be given up.
func (d *Doc) retry(ctx context.Context, decide decision) (Version, error) {
	if d.keyErr != nil {
		return Absent, d.keyErr
	}
	if err := ctx.Err(); err != nil {
		return Absent, context.Cause(ctx)
	}
	return d.db.lines.update(ctx, d, decide)
}

// run tries until each caller has been told what came of its update. The context is that of one caller by itself.
func (b *batch) run(ctx context.Context) {
	defer b.handOver() // also if a function panics
	d, limits := b.doc, b.doc.opts.Retry
	conflicts := 0
	var pause *backoff.ExponentialBackOff
	for {
		tryCtx, cancel := b.begin(ctx)
		if tryCtx == nil {
			return
		}
		lock := d.opts.Locking
		if !lock && b.escalates(conflicts) {
			lock = true
			d.db.stats.escalations.Add(1)
		}
		result, err := b.try(tryCtx, lock)
		if result == lost {
			conflicts++
			b.lose(err)
			// The next try may be the first one to wait for the lock: then no other pause is needed.
			if len(b.calls) > 0 && (d.opts.Locking || conflicts != limits.EscalateAfter) {
				if pause == nil {
					pause = newBackoff(limits)
				}
				if waitErr := sleep(tryCtx, pause.NextBackOff()); waitErr != nil {
					result = b.failed(tryCtx, fmt.Errorf("%w: %w", err, waitErr))
				}
			}
			if len(b.calls) > 0 {
				d.db.stats.retries.Add(1)
			}
		}
		cancel()
		if result == told {
			b.warn()
			return
		}
	}
}

// warn says, once, that more than one update in ten is tried again.
func (b *batch) warn() {
	stats := b.doc.db.stats
	if stats.manyRetries() {
		b.doc.opts.Logger.Warn("more than one update in ten is tried again: other programs change the document at once, perhaps without its lock; "+
			"consider GuardForeign or Locking, or fewer and larger updates", "document", b.doc.name, "stats", stats.stats().String())
	}
}

// begin makes the batch ready for a try, and returns its context, or nil if nobody waits any longer. One caller by itself has its own.
func (b *batch) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	b.line.of.mu.Lock()
	defer b.line.of.mu.Unlock()
	b.restart()
	for _, c := range b.calls {
		c.late = false
	}
	switch {
	case len(b.calls) == 0:
		return nil, nil
	case b.combiner == nil:
		return ctx, func() {}
	}
	ctx, b.cancel = context.WithCancel(ctx)
	return ctx, b.cancel
}

// escalates reports whether the next try takes the lock first: after conflicts, and for a while after another update had them, since
// those who were faster then are likely to be still there.
func (b *batch) escalates(conflicts int) bool {
	after := b.doc.opts.Retry.EscalateAfter
	l := b.line
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if after > 0 && conflicts >= after {
		l.eager = eagerFor
	}
	return after > 0 && l.eager > 0
}

// noteWait notes, of an update that took the lock first, whether that was needed.
func (b *batch) noteWait(a driver.Attempt, lock bool) {
	file, ok := a.(*attempt)
	if !ok || !lock {
		return
	}
	l := b.line
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	switch {
	case l.eager == 0:
	case file.waited:
		l.eager = eagerFor
	default:
		l.eager--
	}
}

// lose counts a conflict, and tells those callers that have tried often or long enough.
func (b *batch) lose(err error) {
	d, limits := b.doc, b.doc.opts.Retry
	d.db.stats.conflicts.Add(1)
	b.line.of.mu.Lock()
	defer b.line.of.mu.Unlock()
	b.calls = slices.DeleteFunc(b.calls, func(c *call) bool {
		c.tries++
		d.opts.Logger.Debug("conflict", "document", d.name, "try", c.tries, "err", err)
		over := limits.MaxTries > 0 && c.tries >= limits.MaxTries ||
			limits.MaxElapsed > 0 && time.Since(c.start) >= limits.MaxElapsed
		if over {
			b.answer(c, Absent, c.conflicted(err))
		}
		return over
	})
}

// conflicted says how hard it was tried.
func (c *call) conflicted(err error) error {
	if !errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return &retryError{c.tries, time.Since(c.start), err}
}

// retryError says how hard it was tried.
type retryError struct {
	tries   int
	elapsed time.Duration
	err     error
}

func (e *retryError) Error() string {
	times := "times"
	if e.tries == 1 {
		times = "time"
	}
	return fmt.Sprintf("gave up, having tried %d %s in %v: %v", e.tries, times, e.elapsed.Round(time.Microsecond), e.err)
}

func (e *retryError) Unwrap() error { return e.err }

// newBackoff grows exponentially with full jitter: the library draws from an interval
// around the current one, so that half of the limit and a factor of one give zero to the
// limit.
func newBackoff(limits Retry) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(limits.MinBackoff/2),
		backoff.WithMaxInterval(limits.MaxBackoff/2),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxElapsedTime(0),
	)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *Doc) attempt(ctx context.Context, lock bool) (driver.Attempt, error) {
	if attempter, ok := d.drv.(driver.Attempter); ok {
		return attempter.Attempt(ctx, d.key, lock)
	}
	data, version, err := d.drv.Read(ctx, d.key)
	return &simpleAttempt{d.drv, d.key, data, version}, err
}

// simpleAttempt is a try on an engine that has no better way than read and swap.
type simpleAttempt struct {
	drv     driver.Driver
	key     string
	data    []byte
	version Version
}

func (a *simpleAttempt) Data() []byte     { return a.data }
func (a *simpleAttempt) Version() Version { return a.version }
func (a *simpleAttempt) Settle() error    { return nil }
func (a *simpleAttempt) Close()           {}

func (a *simpleAttempt) Swap(ctx context.Context, data []byte) (Version, error) {
	return a.drv.Swap(ctx, a.key, a.version, data)
}

func (a *simpleAttempt) Delete(ctx context.Context) error {
	return a.drv.Delete(ctx, a.key, a.version)
}
