// What a waiter concludes from its looks at the lease: when it is stale.

package lease

import "time"

// A waiter's clock may run faster than the holder's by one part in driftParts.
const driftParts = 1000

// watch is what one waiter has seen of a lease. The zero value has seen nothing.
type watch struct {
	skew  time.Duration // Options.MaxSkew
	seen  identity      // of the last state
	since time.Time     // when this waiter saw it first
	// began: the state was published while this waiter watched, so that its age is known.
	began bool
	any   bool // something was seen
}

// look notes a state that was read before now. It returns the time after which the
// lease may be stale; at 0 it is.
func (w *watch) look(r Record, now time.Time) (left time.Duration) {
	if id := r.identity(); !w.any || id != w.seen {
		w.seen, w.since, w.began, w.any = id, now, w.any, true
	}
	// The holder's last request began before it was published, which was before this
	// waiter first saw it. So the grant has expired when the same time has passed here.
	left = r.TTL() + r.TTL()/driftParts - now.Sub(w.since)
	if !w.began && w.skew >= 0 {
		// The age is unknown: it may have expired long before this waiter came.
		left = min(left, r.Expires().Add(w.skew).Sub(now.Round(0)))
	}
	return max(left, 0)
}

// gone notes that there is no document.
func (w *watch) gone() { w.seen, w.any = identity{}, true }
