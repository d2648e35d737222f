// Package lease is a lock with an owner and a time to live, kept as a JSON document.
// The lock survives the process that took it, another process can see who holds it and
// since when, and it passes on when its holder dies. It works with documents of every
// engine of package store.
//
//	doc, err := store.OpenFile("leader.json", nil)
//	...
//	err = lease.With(ctx, doc, &lease.Options{TTL: 10 * time.Second},
//		func(ctx context.Context, l *lease.Lease) error {
//			return lead(ctx, l) // until ctx ends
//		})
//
// # Basics
//
// [Acquire] takes the lease, or waits for it. The holder renews it before its TTL has
// passed ([Lease.Renew]; [Lease.Keep] and [With] do so in the background) and gives it
// back ([Lease.Release]). A lease that is not renewed becomes stale, and one of the
// waiters steals it. Every change of the document is a compare-and-swap from the version
// that was seen. So of two that take one lease, one gets a conflict and looks again.
//
// Every grant has a fencing token, which is larger than all before it ([Lease.Token]).
// No clock can stop a holder that was suspended, and that goes on after its lease has
// passed to another. A document that keeps the largest token it has seen refuses the
// late write: [Fence], [Lease.Guard], [Lease.Check].
//
// # Promises
//
//   - At most one owner: of all grants of one lease, at most one is valid ([Lease.Valid])
//     at any time, within the bounds below.
//   - Tokens grow strictly: over release, expiry, steal and, see below, deletion.
//   - The context of [Lease.Keep] ends when three quarters of the TTL have passed without
//     a renewal, so that the work has a quarter to stop in.
//   - A process may die at any instant. Its lease is stale one TTL after its last renewal.
//
// # Clocks
//
// A grant is valid for one TTL from the moment at which its last successful request
// (acquire or renew) began, by the clocks of the holder: the monotonic clock and the wall
// clock must both say so. The second one covers a machine that was suspended, where the
// monotonic clock stands still.
//
// A lease is stale for a waiter in one of two cases:
//
//   - The waiter has seen it unchanged for one TTL, and a thousandth more, by its own
//     monotonic clock. That needs no common time. It is safe if the clocks of holder and
//     waiter run at rates that differ by at most one in a thousand.
//   - The waiter has not seen the lease change, and by its wall clock the lease was
//     renewed more than TTL + [Options.MaxSkew] ago. So a waiter that has just come
//     need not wait for a lease that expired yesterday. That is safe if the wall clocks
//     of the holder, when it renewed, and of the waiter, now, differ by at most MaxSkew.
//     On one machine it is safe for every step of the clock: the holder reads the
//     same clock and finds its lease expired as well.
//
// A waiter that has seen the lease change knows that its holder lives, and no longer
// compares wall clocks. A negative MaxSkew never compares them.
//
// # Limits
//
//   - A suspended process does not notice that its lease has expired until it goes on.
//     Between its last look at [Lease.Valid] and its next action another holder may have
//     begun. Guard the writes, see [Fence].
//   - Nobody but this package may write the members of a lease that it owns. Whoever may
//     write the document can end a lease, or take it.
//   - Release keeps the document, since it has the last token. A lease document that was
//     deleted starts again at a token made from the wall clock, in microseconds since
//     1970. That is larger than all tokens before it, unless the clock that makes it is not
//     ahead of the clock that made the first token of the deleted document, or more than a
//     million grants were made a second. To delete the document of a lease that is
//     held ends that grant without its holder's knowledge.
//   - An old copy of the document brings old tokens back; guarded documents refuse them.
//   - Tokens survive a power cut as the document's versions do: keep
//     store.Options.Durability at Durable.
//   - Waiters are not served in order. They look at the document again and again
//     (Options.MaxPoll).
//   - On files, a process that is stopped in the microseconds in which it holds the
//     document's lock makes the others wait until it goes on or dies.
//   - A lease is not a queue for short critical sections: the update of a document is one
//     already, and costs one write instead of three.
package lease
