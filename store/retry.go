// The update loop: read, apply a function, compare-and-swap; on a conflict back off and
// try again. After Retry.EscalateAfter lost tries, take the lock first: then the try
// cannot lose.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/jsonstore/jsonstore/internal/combine"
)

// Update reads the document, calls fn with its content, and replaces the document by
// the result of fn if its version has not changed meanwhile. If it has, Update calls fn
// again on the new content, so fn may run more than once. Update returns the version
// that it made.
//
// Fn gets nil if the document is absent. Fn owns the bytes until it returns: it may
// change them and return them. The result must not change until Update has returned. If
// the result equals the old content (or is nil for nil), nothing is written and the
// version stays; the document is confirmed under the lock, and flushed as by an update
// unless it is known to be flushed. If fn returns an error, nothing is changed and the
// error is returned wrapped. If fn panics, nothing is changed and the panic passes
// through. Fn must not write to the same document by other means, nor to a document
// whose update waits for this one. On fn's own goroutine that is an error; on another
// goroutine the write waits until a context ends. To delete a document, use Delete.
//
// Goroutines that update one document through one handle do not conflict. Updates that
// wait while another version is published are combined, in the order of their arrival:
// each fn gets the result of the fn before it, and the result of the last one is
// published for all. Each Update returns the version of its own fn's result. Later
// updates may have been built on it already; then a CompareAndSwap from that version is
// a conflict. A fn that takes longer than a millisecond while others have run theirs
// does not delay them: it runs again, as the first of the next version.
//
// Against other handles, processes and programs the first try is optimistic: it holds
// the lock only for the swap. After Retry.EscalateAfter lost runs of fn, or at once
// with Options.Locking, a try holds the lock from before the read until it has
// published, and cannot lose to a writer that takes the lock. So do the next updates
// through this handle, until they have found the lock free for a while.
//
// If the context ends while the update is in line or waits for the lock, Update returns
// at once and nothing is changed. Once fn is called, Update stays until this try is
// over, which is soon, and returns its result: the error of the context if the update
// was not applied. If the context or Retry ends it after conflicts, the error is
// ErrConflict and says how often it tried. After ErrConflict nothing is changed; after
// ErrNotDurable the document is changed; after ErrUnknown it may be.
//
// The linearization point is that of CompareAndSwap. If nothing is changed, it is a
// second look at the document, under the lock, or the read, if that was under the lock.
func (d *Doc) Update(ctx context.Context, fn func(old []byte) ([]byte, error)) (Version, error) {
	return d.update(ctx, "update", fn)
}

func (d *Doc) update(
	ctx context.Context, op string, fn func(old []byte) ([]byte, error),
) (Version, error) {
	return d.amend(ctx, op, func(old docState) (docState, error) {
		if !old.owned {
			old.data = bytes.Clone(old.data) // which stays nil
		}
		return d.apply(fn, old)
	})
}

// edit is update for a function that does not change its input, so that no copy is
// needed.
func (d *Doc) edit(
	ctx context.Context, op string, fn func(old []byte) ([]byte, error),
) (Version, error) {
	return d.amend(ctx, op, func(old docState) (docState, error) { return d.apply(fn, old) })
}

func (d *Doc) amend(ctx context.Context, op string, decide decision) (Version, error) {
	version, err := d.retry(ctx, decide)
	if err != nil {
		return version, d.error(op, err)
	}
	return version, nil
}

// apply applies the function of an update to a state, which must be valid.
func (d *Doc) apply(fn func(old []byte) ([]byte, error), old docState) (docState, error) {
	if old.exists && !old.checked {
		if err := d.checkContent(old.data); err != nil {
			return docState{}, err
		}
		if old.whole != nil {
			old.whole.Store(true)
		}
	}
	data, err := fn(old.data)
	if err != nil {
		return docState{}, err
	}
	return docState{data: data, exists: old.exists || data != nil}, nil
}

// Delete deletes the document, whatever its version and content. If it is absent, the
// error is ErrNotExist. A symbolic link to the document stays, and the next version is
// created at its target.
func (d *Doc) Delete(ctx context.Context) error {
	_, err := d.retry(ctx, func(old docState) (docState, error) {
		if !old.exists {
			return docState{}, ErrNotExist
		}
		return docState{}, nil
	})
	if err != nil {
		return d.error("delete", err)
	}
	return nil
}

// retry tries until the update is applied, changes nothing, or fails. Package combine
// decides each step.
func (d *Doc) retry(ctx context.Context, decide decision) (Version, error) {
	if d.keyErr != nil {
		return Absent, d.keyErr
	}
	if err := d.checkExpect(); err != nil {
		return Absent, err
	}
	if err := ctx.Err(); err != nil {
		return Absent, context.Cause(ctx)
	}
	if d.db.closed.Load() {
		return Absent, ErrClosed // at once, not after callers that wait for a lock
	}
	done, err := d.nest()
	if err != nil {
		return Absent, err
	}
	defer done()
	return d.combined(ctx, decide)
}

// conflicted returns the error of a call that was not applied after conflicts, with the
// number of tries and their time.
func (c *call) conflicted(a combine.Answer) error {
	err := a.Err
	if !errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return &retryError{a.Runs, time.Since(c.line.of.epoch) - c.start, err}
}

// retryError has the number of tries and their time.
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
	return fmt.Sprintf("gave up, having tried %d %s in %v: %v",
		e.tries, times, e.elapsed.Round(time.Microsecond), e.err)
}

func (e *retryError) Unwrap() error { return e.err }

// nextPause returns the pause before this caller, which has lost, tries again. It grows
// exponentially with full jitter. The library draws from an interval around the current
// one: half of the limit and a factor of one give zero to the limit.
func (c *call) nextPause() time.Duration {
	if c.pause == nil {
		c.pause = newBackOff(c.doc.opts.Retry)
	}
	return c.pause.NextBackOff()
}

func newBackOff(limits Retry) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(limits.MinBackoff/2),
		backoff.WithMaxInterval(limits.MaxBackoff/2),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxElapsedTime(0),
	)
}
