//go:build !unix

package verify

import "time"

// sharedClock returns the time in nanoseconds of a clock that all processes of the machine share. A
// user can set this clock; during a test that may make holds overlap.
func sharedClock() int64 { return time.Now().UnixNano() }
