// A grant, as its holder sees it, and how long it is valid.
//
//	                 Acquire                    the lease document
//	   absent ───────────────┐
//	                         ▼     Renew
//	     ┌─── Release ──── held ◄────────┐
//	     ▼                 │  │  └───────┘
//	   free ── Acquire ──► │  │ one TTL without a change
//	                       │  ▼
//	                       │ stale ── Acquire (steal) ──► held, by another grant
//	                       └─ deleted by a user ──► absent
//
// Each arrow is one compare-and-swap. Stale is no state of the document: it is what a
// waiter concludes from its clock (watch.go). Expired is what the holder concludes from
// its own (below). The two are apart: a grant has expired before it is stale.

package lease

import (
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// A Lease is one grant, made by Acquire or Resume. Its methods may be called
// concurrently.
type Lease struct {
	doc   *store.Doc
	opts  Options // with defaults
	token uint64
	nonce string

	mu sync.Mutex
	// began is when the last successful request began, and ttl what it asked for. The
	// time has a monotonic reading, unless the grant was resumed.
	began time.Time
	ttl   time.Duration
	ended error // why the grant has ended for good; nil if it has not
	freed bool  // it was released
}

// Token is the fencing token of the grant. It is larger than the tokens of all earlier
// grants.
func (l *Lease) Token() uint64 { return l.token }

// Nonce identifies the grant, for Resume.
func (l *Lease) Nonce() string { return l.nonce }

// TTL is the time to live that the last successful request asked for.
func (l *Lease) TTL() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ttl
}

// Left is the time for which the grant is valid by the holder's clocks, unless it is
// renewed; 0 if it is not.
func (l *Lease) Left() time.Duration {
	left, _ := l.left()
	return left
}

// Valid returns nil while the grant is valid by the holder's clocks, and else why it is
// not, which is ErrLost. At most one grant of a lease is valid at any time. The answer
// may be old when it arrives: guard the writes, see Fence.
func (l *Lease) Valid() error {
	_, err := l.left()
	if err != nil {
		return wrap("look at lease", l.doc, err)
	}
	return nil
}

// left is the time for which the grant is still valid.
func (l *Lease) left() (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.ttl - elapsed(l.began, l.opts.Now())
	switch {
	case l.ended != nil:
		return 0, l.ended
	case left <= 0:
		return 0, errExpired(l.token, l.ttl)
	}
	return left, nil
}

// end notes that the grant has ended for good, and why.
func (l *Lease) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == nil {
		l.ended = why
	}
}

// elapsed is the time since then, by the clock that advanced more. The monotonic clock
// stands still while the machine is suspended, the wall clock may be set back.
func elapsed(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}
