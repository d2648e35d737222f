// The counters of a handle.

package store

import (
	"fmt"
	"sync/atomic"
)

// Stats counts the operations through one handle since it was opened.
type Stats struct {
	Reads       uint64 // documents read, by reads and by updates
	Updates     uint64 // updates without error, whether they changed anything or not
	Writes      uint64 // versions published, by updates and by compare-and-swap
	Conflicts   uint64 // tries that found another version than they had read
	Retries     uint64 // tries after a conflict
	Escalations uint64 // tries that took the lock first because an earlier one had lost
	LockWaits   uint64 // times that a document's lock was not free at once
	// Unkept is the number of writes with KeepLast, or to a document whose history is on,
	// after which the version before could not be kept.
	Unkept uint64
}

func (s Stats) String() string {
	return fmt.Sprintf("reads %d, updates %d, writes %d, conflicts %d, retries %d, "+
		"escalations %d, lock waits %d, unkept %d",
		s.Reads, s.Updates, s.Writes, s.Conflicts, s.Retries, s.Escalations, s.LockWaits, s.Unkept)
}

// counters are the running counts of Stats.
type counters struct {
	reads, updates, writes, conflicts, retries, escalations, lockWaits, unkept atomic.Uint64

	warned atomic.Bool
}

func (c *counters) stats() Stats {
	return Stats{
		Reads:       c.reads.Load(),
		Updates:     c.updates.Load(),
		Writes:      c.writes.Load(),
		Conflicts:   c.conflicts.Load(),
		Retries:     c.retries.Load(),
		Escalations: c.escalations.Load(),
		LockWaits:   c.lockWaits.Load(),
		Unkept:      c.unkept.Load(),
	}
}

// manyRetries reports, once, that more than one update in ten was tried again. It needs
// at least a hundred updates.
func (c *counters) manyRetries() bool {
	updates, retries := c.updates.Load(), c.retries.Load()
	return updates >= 100 && retries*10 > updates && !c.warned.Swap(true)
}
