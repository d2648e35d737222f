//go:build unix

package verify

import (
	"time"

	"golang.org/x/sys/unix"
)

// sharedClock returns the time in nanoseconds of a clock that all processes of the machine share
// and no user can set.
func sharedClock() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return time.Now().UnixNano()
	}
	return now.Nano()
}
