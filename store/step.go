// The steps of a try on the engine.

package store

import (
	"context"
	"errors"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/combine"
)

// try is one try at the update of one caller or of a batch.
type try struct {
	doc     *Doc // all callers have its options
	ctx     context.Context
	attempt driver.Attempt
	onFile  *attempt // the same attempt, nil if documents are not files

	// forgotten is closed when the staged content is released, after a caller that
	// built it has left. It is nil if no such caller has left.
	forgotten chan struct{}

	started time.Time // start of its first function
	deletes bool      // a deletion is staged
	read    Version   // the version that was read
	found   Version   // the version at the end of the try
}

// newTry begins a try for c.
func newTry(c *call) *try {
	t := &try{doc: c.doc, ctx: context.Background()}
	t.attempt, t.onFile = c.doc.attempt()
	if t.onFile != nil {
		t.onFile.blind = true
	}
	if c.doc.drv.combiner == nil {
		t.ctx = c.ctx // the only caller
	}
	return t
}

// attempt begins a try at an update of the document, with the best interface that the
// engine has. OnFile is the same attempt, nil if documents are not files.
func (d *Doc) attempt() (try driver.Attempt, onFile *attempt) {
	switch drv := d.drv; {
	case drv.files != nil:
		onFile = drv.files.attempt(d.key, d.mode())
		return onFile, onFile
	case drv.attempter != nil:
		return drv.attempter.Attempt(d.key), nil
	}
	return &simpleAttempt{drv: d.drv, key: d.key}, nil
}

// forget releases the staged content during the wait for the lock.
func (t *try) forget() {
	t.attempt.Forget()
	close(t.forgotten)
}

// awaitForgotten waits until forget is done, if it was ordered.
func (t *try) awaitForgotten(l *line) {
	if t.forgotten != nil {
		l.block(func() bool {
			select {
			case <-t.forgotten:
				return true
			default:
				return false
			}
		})
		<-t.forgotten
	}
}

// step does a step. No context ends a step of a batch: a caller that leaves must not
// undo the updates of others.
func (t *try) step(do combine.Step, state docState) (r report) {
	stats := t.doc.db.stats
	var err error
	switch do {
	case combine.Lock:
		var locked bool
		if locked, err = t.attempt.TryLock(t.ctx); err == nil && !locked {
			if t.doc.opts.LockWait >= 0 {
				return report{Outcome: combine.Busy}
			}
			err = errLockBusy
		}
	case combine.Wait:
		// Callers that wait for the lock may leave; others inherit it.
		err = t.attempt.Lock(context.WithoutCancel(t.ctx))
	case combine.Read:
		r.State.data, t.read, err = t.attempt.Read(t.ctx)
		r.State.exists, t.found = !t.read.IsAbsent(), t.read
		if err == nil {
			stats.reads.Add(1)
			if t.onFile != nil {
				r.State.doubted = t.onFile.doubted()
				r.State.whole = &t.onFile.current.whole
			}
		}
	case combine.Stage:
		if t.deletes = !state.exists; !t.deletes {
			err = t.attempt.Stage(t.ctx, state.data)
		}
	case combine.Publish:
		if t.deletes {
			t.found, err = Absent, t.attempt.Delete(t.ctx)
		} else {
			t.found, err = t.attempt.Publish(t.ctx)
		}
		if err == nil || errors.Is(err, ErrNotDurable) {
			stats.writes.Add(1)
		}
	case combine.Confirm:
		err = t.attempt.Confirm(t.ctx)
	case combine.Settle:
		err = t.attempt.Settle()
	}
	r.Outcome, r.Err = outcomeOf(err), err
	return r
}

// outcomeOf returns the outcome for an error of an engine.
func outcomeOf(err error) combine.Outcome {
	switch {
	case err == nil:
		return combine.OK
	case errors.Is(err, ErrUnknown):
		return combine.Unknown
	case errors.Is(err, ErrNotDurable):
		return combine.NotDurable
	case errors.Is(err, ErrConflict):
		return combine.Conflict
	}
	return combine.Failed
}

// simpleAttempt is a try on an engine that has only the methods of driver.Driver.
type simpleAttempt struct {
	drv     driver.Driver
	key     string
	version Version // the version that was read
	data    []byte  // the staged content
}

func (a *simpleAttempt) TryLock(context.Context) (bool, error) { return true, nil }
func (a *simpleAttempt) Lock(context.Context) error            { return nil }
func (a *simpleAttempt) Settle() error                         { return nil }
func (a *simpleAttempt) Forget()                               {}
func (a *simpleAttempt) Close()                                {}

func (a *simpleAttempt) Read(ctx context.Context) (data []byte, version Version, err error) {
	data, a.version, err = a.drv.Read(ctx, a.key)
	return data, a.version, err
}

func (a *simpleAttempt) Stage(_ context.Context, data []byte) error {
	a.data = data
	return nil
}

func (a *simpleAttempt) Publish(ctx context.Context) (Version, error) {
	return a.drv.Swap(ctx, a.key, a.version, a.data)
}

func (a *simpleAttempt) Delete(ctx context.Context) error {
	return a.drv.Delete(ctx, a.key, a.version)
}

func (a *simpleAttempt) Confirm(ctx context.Context) error {
	_, version, err := a.drv.Read(ctx, a.key)
	if err == nil && version != a.version {
		err = &driver.ConflictError{Key: a.key, Want: a.version, Have: version}
	}
	return err
}
