// The steps of a try on the engine.

package store

import (
	"context"
	"errors"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/combine"
)

// try is one try at an update of one caller, or of several together.
type try struct {
	doc     *Doc // all of them have its options
	ctx     context.Context
	attempt driver.Attempt
	onFile  *attempt // the same, nil where documents are not files

	// forgotten is closed when what was staged is released, since one who built it has left; nil
	// if nobody has.
	forgotten chan struct{}

	started time.Time // its first function
	deletes bool      // what is staged is a deletion
	read    Version   // that the document had
	found   Version   // that it has in the end
}

// newTry begins a try for c.
func newTry(c *call) *try {
	t := &try{doc: c.doc, ctx: context.Background()}
	t.attempt, t.onFile = c.doc.attempt()
	if c.doc.drv.combiner == nil {
		t.ctx = c.ctx // nobody else is part of it
	}
	return t
}

// attempt begins a try at an update of the document, with what the engine can do. OnFile is
// the same attempt, nil where documents are not files.
func (d *Doc) attempt() (try driver.Attempt, onFile *attempt) {
	switch drv := d.drv; {
	case drv.files != nil:
		onFile = drv.files.attempt(d.key, drv.files.mode)
		if d.expect != nil {
			onFile.mode = drv.files.modeFor(*d.expect)
		}
		return onFile, onFile
	case drv.attempter != nil:
		return drv.attempter.Attempt(d.key), nil
	}
	return &simpleAttempt{drv: d.drv, key: d.key}, nil
}

// forget releases what is staged, while the lock is waited for.
func (t *try) forget() {
	t.attempt.Forget()
	close(t.forgotten)
}

// awaitForgotten waits until that is done.
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

// step does a step. Of a batch no context can end it: nobody's leaving may undo what
// others have done.
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
		// Whoever waits for this may leave, and others inherit it.
		err = t.attempt.Lock(context.WithoutCancel(t.ctx))
	case combine.Read:
		r.State.data, t.read, err = t.attempt.Read(t.ctx)
		r.State.exists, t.found = !t.read.IsAbsent(), t.read
		if err == nil {
			stats.reads.Add(1)
			r.State.doubted = t.onFile != nil && t.onFile.doubted()
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

// outcomeOf is the outcome that an error of an engine stands for.
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

// simpleAttempt is a try on an engine that has no better way than to read and to swap.
type simpleAttempt struct {
	drv     driver.Driver
	key     string
	version Version // that was read
	data    []byte  // staged
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
