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

	"github.com/jsonstore/jsonstore/internal/combine"
)

// Update may call fn more than once: it reads the document, calls fn with its content,
// and replaces the document with what fn returns if nobody changed it meanwhile; if
// somebody did, it does so again on the new content. It returns the version that it
// made.
//
// Fn gets nil if the document is absent. The bytes are its own until it returns: it may
// change them and return them. What it returns must not change until Update has
// returned. If that is the content as it was (or nil for nil), nothing is written and
// the version stays; what is there is confirmed under the lock, and flushed as an update
// would be if it is not known to be. If fn returns an error, nothing is changed and the error comes
// back wrapped; if it panics, the panic passes through and nothing is changed. Fn must
// not write to the same document by other means, nor to one whose update waits for this
// one: that is an error, where it is done on fn's own goroutine; on another one it
// waits until a context ends. To delete a document, use Delete.
//
// Goroutines that update one document through one handle do not conflict. Those that
// wait while another one's version is published are combined, in the order in which
// they came: each fn gets what the one before it has made, and what the last one makes
// is published, for all. The version that is returned is that of the state that fn
// made, in which others may have been faster to build on it, so that a CompareAndSwap
// from it is a conflict. A fn that takes longer than a millisecond while others have
// run theirs is not waited for: it is run again, as the first of the next version.
//
// Against other handles, processes and programs the first try is optimistic: it holds
// the lock only for the swap. When fn has run in vain Retry.EscalateAfter times, or at
// once with Options.Locking, it holds the lock from before it reads until it has
// published, and cannot lose to anybody who takes the lock. So do the next updates
// through this handle, until they have found the lock free for a while.
//
// When the context ends while the update is in line or waits for the lock, it returns
// at once and nothing was changed. From when fn is called it stays until this try is
// over, which is soon, and returns what came of it: if it was not applied, the end of
// the context. When the context or Retry ends it after conflicts, the error is
// ErrConflict and says how often it tried. ErrConflict always means that nothing was
// changed; after ErrNotDurable it was, after ErrUnknown it may have been.
//
// The linearization point is that of CompareAndSwap; if nothing is changed, it is a
// second look at the document, under the lock, or the read, if that was.
func (d *Doc) Update(ctx context.Context, fn func(old []byte) ([]byte, error)) (Version, error) {
	return d.update(ctx, "update", fn)
}

func (d *Doc) update(
	ctx context.Context, op string, fn func(old []byte) ([]byte, error),
) (Version, error) {
	return d.amend(ctx, op, func(old docState) ([]byte, error) {
		if !old.owned {
			old.data = bytes.Clone(old.data) // which stays nil
		}
		return fn(old.data)
	})
}

// edit is update for a function that does not change the bytes that it gets, so that they need
// not be copied for it.
func (d *Doc) edit(
	ctx context.Context, op string, fn func(old []byte) ([]byte, error),
) (Version, error) {
	return d.amend(ctx, op, func(old docState) ([]byte, error) { return fn(old.data) })
}

func (d *Doc) amend(
	ctx context.Context, op string, fn func(old docState) ([]byte, error),
) (Version, error) {
	version, err := d.retry(ctx, d.decision(fn))
	if err != nil {
		return version, d.error(op, err)
	}
	return version, nil
}

// decision is that of an update whose function is fn.
func (d *Doc) decision(fn func(old docState) ([]byte, error)) decision {
	return func(old docState) (docState, error) {
		if old.exists && !old.checked {
			if err := d.checkContent(old.data); err != nil {
				return docState{}, err
			}
		}
		data, err := fn(old)
		if err != nil {
			return docState{}, err
		}
		return docState{data: data, exists: old.exists || data != nil}, nil
	}
}

// Delete deletes the document, whatever its version and content. If it is absent, the
// error is ErrNotExist. A symbolic link that led to it stays, and leads to where the
// document is made the next time.
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

// retry tries until a change is made, or need not be made, or must be given up. What it
// does is decided in package combine.
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
		return Absent, ErrClosed // and not behind others that wait for a lock
	}
	done, err := d.nest()
	if err != nil {
		return Absent, err
	}
	defer done()
	return d.combined(ctx, decide)
}

// conflicted is the error of one that was not applied after conflicts. It says how hard
// it was tried.
func (c *call) conflicted(a combine.Answer) error {
	err := a.Err
	if !errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return &retryError{a.Runs, time.Since(c.start), err}
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
	return fmt.Sprintf("gave up, having tried %d %s in %v: %v",
		e.tries, times, e.elapsed.Round(time.Microsecond), e.err)
}

func (e *retryError) Unwrap() error { return e.err }

// nextPause is the pause before this caller, who has lost, tries again. It grows
// exponentially with full jitter: the library draws from an interval around the current
// one, so that half of the limit and a factor of one give zero to the limit.
func (c *call) nextPause() time.Duration {
	if c.pause == nil {
		limits := c.doc.opts.Retry
		c.pause = backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(limits.MinBackoff/2),
			backoff.WithMaxInterval(limits.MaxBackoff/2),
			backoff.WithRandomizationFactor(1),
			backoff.WithMaxElapsedTime(0),
		)
	}
	return c.pause.NextBackOff()
}
