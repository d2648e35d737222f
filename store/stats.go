// What a handle counts.

package store

import (
	"fmt"
	"sync/atomic"
)

// Stats counts what was done through one handle since it was opened.
type Stats struct {
	Reads       uint64 // documents read, by Read and its kin
	Updates     uint64 // updates that ended well, whether they changed anything or not
	Writes      uint64 // versions published, by updates and by compare-and-swap
	Conflicts   uint64 // tries that found another version than they had read
	Retries     uint64 // tries that followed on a conflict
	Escalations uint64 // tries that took the lock first because an earlier one had lost
	LockWaits   uint64 // times that a document's lock was not free at once
}

func (s Stats) String() string {
	return fmt.Sprintf("reads %d, updates %d, writes %d, conflicts %d, retries %d, "+
		"escalations %d, lock waits %d",
		s.Reads, s.Updates, s.Writes, s.Conflicts, s.Retries, s.Escalations, s.LockWaits)
}

// counters are Stats while they are being counted.
type counters struct {
	reads, updates, writes, conflicts, retries, escalations, lockWaits atomic.Uint64
	warned                                                             atomic.Bool
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
	}
}

// manyRetries reports, once, that more than one update in ten was tried again; it takes
// a hundred of them to say so.
func (c *counters) manyRetries() bool {
	updates, retries := c.updates.Load(), c.retries.Load()
	return updates >= 100 && retries*10 > updates && !c.warned.Swap(true)
}
