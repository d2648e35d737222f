//go:build unix

package verify

import (
	"time"

	"golang.org/x/sys/unix"
)

// sharedClock is a clock in nanoseconds that all processes of the machine share and nobody sets.
func sharedClock() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return time.Now().UnixNano()
	}
	return now.Nano()
}
