//go:build !unix

package verify

import "time"

// sharedClock is a clock in nanoseconds that all processes of the machine share. It can be set: who does so during
// the test may be told of holds that overlap.
func sharedClock() int64 { return time.Now().UnixNano() }
