// The update loop: read, apply a function, compare-and-swap; on a conflict back off
// and try again; after a while take the lock first and so cannot lose.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
// Goroutines that update one document through one handle take turns. Against other handles,
// processes and programs the first try is optimistic: it holds the lock only for the swap. After
// Retry.EscalateAfter conflicts, or at once with Options.Locking, it holds the lock from
// before it reads until it has published, and cannot lose to anybody who takes the lock. When the context or
// Retry ends it after conflicts, the error is ErrConflict and says how often it tried.
//
// The linearization point is that of CompareAndSwap; if fn changes nothing, it is the read.
func (d *Doc) Update(ctx context.Context, fn func(old []byte) ([]byte, error)) (Version, error) {
	return d.update(ctx, "update", fn)
}

func (d *Doc) update(ctx context.Context, op string, fn func(old []byte) ([]byte, error)) (Version, error) {
	version, err := d.retry(ctx, func(old []byte, version Version) (change, error) {
		if !version.IsAbsent() {
			if err := d.checkContent(old); err != nil {
				return change{}, err
			}
		}
		data, err := fn(old)
		if err != nil {
			return change{}, err
		}
		if bytes.Equal(data, old) && (old == nil) == (data == nil) {
			return change{kind: keep}, nil
		}
		if err := d.checkNew(data); err != nil {
			return change{}, err
		}
		return change{kind: put, data: data}, nil
	})
	if err != nil {
		return version, d.error(op, err)
	}
	return version, nil
}

// Delete deletes the document, whatever its version and content. If it is absent, the error is ErrNotExist.
func (d *Doc) Delete(ctx context.Context) error {
	_, err := d.retry(ctx, func(_ []byte, version Version) (change, error) {
		if version.IsAbsent() {
			return change{}, ErrNotExist
		}
		return change{kind: remove}, nil
	})
	if err != nil {
		return d.error("delete", err)
	}
	return nil
}

// change is what is to become of a document.
type change struct {
	kind changeKind
	data []byte // for put
}

type changeKind int

const (
	keep changeKind = iota
	put
	remove
)

// retry tries until a change is made, or need not be made, or must be given up.
func (d *Doc) retry(ctx context.Context, decide func(old []byte, version Version) (change, error)) (Version, error) {
	if d.keyErr != nil {
		return Absent, d.keyErr
	}
	if err := ctx.Err(); err != nil {
		return Absent, context.Cause(ctx)
	}
	pass, err := d.db.turns.take(ctx, d.key, d.opts.LockWait)
	if err != nil {
		return Absent, err
	}
	defer pass()

	stats, limits, start := d.db.stats, d.opts.Retry, time.Now()
	var pause *backoff.ExponentialBackOff
	for try := 1; ; try++ {
		escalate := limits.EscalateAfter > 0 && try > limits.EscalateAfter
		if escalate && !d.opts.Locking {
			stats.escalations.Add(1)
		}
		version, lost, err := d.try(ctx, d.opts.Locking || escalate, decide, pass)
		if err == nil {
			stats.updates.Add(1)
			if stats.manyRetries() {
				d.opts.Logger.Warn("more than one update in ten is tried again: several programs change the document at "+
					"once; consider Locking, or fewer and larger updates", "document", d.name, "stats", stats.stats().String())
			}
			return version, nil
		}
		if !lost {
			if try > 1 && ctx.Err() != nil {
				err = &retryError{try - 1, time.Since(start), fmt.Errorf("%w: %w", ErrConflict, err)}
			}
			return version, err
		}
		stats.conflicts.Add(1)
		d.opts.Logger.Debug("conflict", "document", d.name, "try", try, "err", err)
		elapsed := time.Since(start)
		switch {
		case limits.MaxTries > 0 && try >= limits.MaxTries:
			return Absent, &retryError{try, elapsed, err}
		case limits.MaxElapsed > 0 && elapsed >= limits.MaxElapsed:
			return Absent, &retryError{try, elapsed, err}
		case try == limits.EscalateAfter && !d.opts.Locking:
			// The next try is the first one to wait for the lock: no other pause is needed.
		default:
			if pause == nil {
				pause = newBackoff(limits)
			}
			if waitErr := sleep(ctx, pause.NextBackOff()); waitErr != nil {
				return Absent, &retryError{try, time.Since(start), fmt.Errorf("%w: %w", err, waitErr)}
			}
		}
		stats.retries.Add(1)
	}
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

// try is one try; lost says that its error is a conflict. It passes the turn on as soon as
// others can go on from what it published, and only then waits for that to become durable.
func (d *Doc) try(ctx context.Context, lock bool, decide func([]byte, Version) (change, error), pass func()) (version Version, lost bool, err error) {
	attempt, err := d.attempt(ctx, lock)
	if err != nil {
		return Absent, false, err
	}
	defer attempt.Close()
	old, version := attempt.Data(), attempt.Version()
	d.db.stats.reads.Add(1)
	c, err := decide(old, version)
	if err != nil {
		return Absent, false, err // a conflict on some other document is not ours to try again
	}
	switch c.kind {
	case keep:
		return version, false, nil
	case put:
		version, err = attempt.Swap(ctx, c.data)
	case remove:
		version, err = Absent, attempt.Delete(ctx)
	}
	if err != nil {
		return Absent, errors.Is(err, ErrConflict), err
	}
	d.db.stats.writes.Add(1)
	pass()
	return version, false, attempt.Settle()
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
