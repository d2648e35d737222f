//go:build !linux

// The clock that orders operations, on systems whose processes may not share one.

package proptest

import "time"

var start = time.Now()

// sharedClock returns the time in nanoseconds of a clock of this process.
func sharedClock() (now int64, shared bool) { return int64(time.Since(start)), false }
