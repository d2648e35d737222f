// Renew, Release, and how another process goes on with a grant.

package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// Renew makes the grant last one TTL from now, the beginning of the call. A grant that has
// expired is ErrLost, even if nobody has taken the lease yet. After any other error the
// grant is what it was.
//
// The linearization point is the compare-and-swap of the document.
func (l *Lease) Renew(ctx context.Context) error {
	if err := l.renew(ctx); err != nil {
		return wrap("renew lease", l.doc, err)
	}
	return nil
}

func (l *Lease) renew(ctx context.Context) error {
	began := l.opts.Now()
	if _, err := l.left(); err != nil {
		return err
	}
	if l.opts.TTL < l.TTL() {
		// A shorter TTL counts from now on: the outcome of the write may be unknown.
		l.extend(began, true)
	}
	err := l.change(ctx, func(r *Record) {
		r.Renewed, r.TTLMillis = began.UTC(), l.opts.TTL.Milliseconds()
		r.Renewals++
	})
	if err != nil {
		return err
	}
	l.extend(began, false)
	_, err = l.left() // the write may have taken longer than the TTL
	return err
}

// extend makes the grant valid for Options.TTL since a request began, unless it is valid
// for longer, or, with shorten, for less.
func (l *Lease) extend(began time.Time, shorten bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	longer := l.began.Add(l.ttl).Before(began.Add(l.opts.TTL))
	if longer != shorten {
		l.began, l.ttl = began, l.opts.TTL
	}
}

// Release gives the lease back: the next one gets it at once. The grant ends when Release
// is called, whether it succeeds or not; if it fails, the lease is stale when its TTL has
// passed. If another holder has the lease already, the error is ErrLost and the lease
// stays with that one. A second call does nothing.
//
// The linearization point is the compare-and-swap of the document, which keeps the token.
func (l *Lease) Release(ctx context.Context) error {
	l.end(fmt.Errorf("%w: token %d was released", ErrLost, l.token))
	l.mu.Lock()
	freed := l.freed
	l.mu.Unlock()
	if freed {
		return nil
	}
	now := l.opts.Now()
	err := l.change(ctx, func(r *Record) { *r = Record{Token: r.Token, Released: now.UTC()} })
	if err != nil {
		return wrap("release lease", l.doc, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.freed = true
	return nil
}

// change updates the lease if it is this grant's.
func (l *Lease) change(ctx context.Context, change func(r *Record)) error {
	var lost error
	_, _, err := store.Update(ctx, l.doc, func(d *document) error {
		if lost = nil; d.Nonce != l.nonce {
			lost = errEnded(l.token, d.Record)
			return lost
		}
		change(&d.Record)
		return nil
	})
	if errors.Is(err, ErrLost) { // and not what an earlier run has found
		l.end(lost)
	}
	return err
}

// Resume returns the grant with a nonce, which another process of this machine has
// acquired, in order to renew or release it. If the lease is not that grant's, the error
// is ErrLost. The grant is valid until one TTL after its last renewal by the wall clock.
// TTL is for the next renewals; the default is the TTL of the grant.
func Resume(ctx context.Context, doc *store.Doc, nonce string, opts *Options) (*Lease, error) {
	if nonce == "" {
		return nil, wrap("resume lease", doc, errors.New("the nonce is empty"))
	}
	found, err := Status(ctx, doc)
	if err != nil {
		return nil, err
	}
	if found.Nonce != nonce {
		now := "it is free"
		if !found.Free() {
			now = "it is held by " + found.holder()
		}
		return nil, wrap("resume lease", doc,
			fmt.Errorf("%w: the nonce %q is not that of the lease: %s", ErrLost, nonce, now))
	}
	var own Options
	if opts != nil {
		own = *opts
	}
	own.TTL = orDefault(own.TTL, found.TTL())
	o, err := own.withDefaults()
	if err != nil {
		return nil, wrap("resume lease", doc, err)
	}
	return &Lease{
		doc: doc, opts: o, token: found.Token, nonce: nonce,
		began: found.Renewed, ttl: found.TTL(),
	}, nil
}
