// Acquire: look at the lease, wait until it is free or stale, take it.

package lease

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// Acquire takes the lease of a document, which need not exist, and returns the grant. If
// another holder has it, Acquire waits until it is released or stale, at most as long as
// ctx and Options.Wait allow; then the error is a *HeldError. A document that is not a
// lease is store.ErrInvalid and is left alone.
//
// The linearization point is the compare-and-swap of the document. It may succeed when
// ctx has just ended: then Acquire returns the grant. The caller must call Release. The
// grant has to be renewed, see Keep; With does both.
//
// After store.ErrUnknown and store.ErrNotDurable nobody may have the lease until its TTL
// has passed.
func Acquire(ctx context.Context, doc *store.Doc, opts *Options) (*Lease, error) {
	o, err := opts.withDefaults()
	if err == nil {
		var l *Lease
		a := &acquiring{doc: doc, opts: o, watch: watch{skew: o.MaxSkew}}
		if l, err = a.run(ctx); err == nil {
			return l, nil
		}
	}
	return nil, wrap("acquire lease", doc, err)
}

// acquiring is one call of Acquire.
type acquiring struct {
	doc   *store.Doc
	opts  Options
	watch watch
}

func (a *acquiring) run(ctx context.Context) (*Lease, error) {
	start, pause := a.opts.Now(), minPoll
	waiting := ctx // ends when the wait does
	if a.opts.Wait > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeoutCause(ctx, a.opts.Wait, ErrHeld)
		defer cancel()
	}
	var holder Record // the last one seen
	for {
		found, version, err := store.Read[document](ctx, a.doc)
		left := time.Duration(0)
		switch {
		case errors.Is(err, store.ErrNotExist) && version.IsAbsent():
			a.watch.gone()
		case err != nil && !holder.Free() && ctx.Err() != nil:
			return nil, &HeldError{holder, a.opts.Now().Sub(start), context.Cause(ctx)}
		case err != nil:
			return nil, err
		default:
			left = a.watch.look(found.Record, a.opts.Now())
		}
		if found.Free() || left == 0 {
			l, err := a.take(ctx, found.Record, version)
			if !errors.Is(err, store.ErrConflict) {
				return l, err
			}
			pause = minPoll // another one was faster
			continue
		}
		if holder = found.Record; a.opts.Wait < 0 {
			return nil, &HeldError{Holder: holder, Err: ErrHeld}
		}
		if err := sleep(waiting, min(pause, left)); err != nil {
			return nil, &HeldError{holder, a.opts.Now().Sub(start), err}
		}
		pause = min(2*pause, a.opts.MaxPoll)
	}
}

// take makes the lease ours if its document still has the version that was found. An
// absent one is the zero Record.
func (a *acquiring) take(ctx context.Context, found Record, version store.Version) (*Lease, error) {
	if !found.Free() && a.opts.OnStale != nil {
		if err := a.opts.OnStale(ctx, found); err != nil {
			return nil, fmt.Errorf("the steal of the stale lease of %s was refused: %w",
				found.holder(), err)
		}
	}
	nonce, err := newNonce(a.opts.Rand)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // empty if unknown: it is for messages only
	mine := Record{
		Owner: a.opts.Owner, Host: host, PID: a.opts.PID, Nonce: nonce,
		TTLMillis: a.opts.TTL.Milliseconds(),
	}
	if !version.IsAbsent() {
		if mine.Token, err = found.next(); err != nil {
			return nil, err
		}
	}
	l := &Lease{doc: a.doc, opts: a.opts, nonce: nonce, ttl: a.opts.TTL}
	_, _, err = store.Update(ctx, a.doc.Expect(version), func(d *document) error {
		// It may run again, and later: the token of a new document is made from the time.
		l.began = a.opts.Now()
		mine.Granted, mine.Renewed = l.began.UTC(), l.began.UTC()
		if version.IsAbsent() {
			mine.Token = firstToken(l.began)
		}
		d.Record = mine
		return nil
	})
	l.token = mine.Token
	if err == nil {
		_, err = l.left() // the write may have taken longer than the TTL
	}
	if err != nil {
		if isUncertain(err) {
			l.giveBack(ctx)
		}
		return nil, err
	}
	return l, nil
}

// isUncertain reports whether the document may have been changed in spite of an error.
func isUncertain(err error) bool {
	return errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrNotDurable) ||
		errors.Is(err, ErrLost)
}

// giveBack releases a grant that its caller does not get. If that fails, the lease is
// free when its TTL has passed.
func (l *Lease) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.TTL)
	defer cancel()
	_ = l.Release(ctx)
}

// newNonce returns 128 random bits.
func newNonce(source io.Reader) (string, error) {
	var bits [16]byte
	if _, err := io.ReadFull(source, bits[:]); err != nil {
		return "", fmt.Errorf("make a nonce: %w", err)
	}
	return hex.EncodeToString(bits[:]), nil
}

// sleep waits for a time, or until the context ends; then it returns its cause.
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
