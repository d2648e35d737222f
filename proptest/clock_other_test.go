//go:build !linux

// The clock by which operations are put in order, where processes are not known to share one.

package proptest

import "time"

var start = time.Now()

// sharedClock is in nanoseconds, and holds for this process alone.
func sharedClock() (now int64, shared bool) { return int64(time.Since(start)), false }
