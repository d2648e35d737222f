// The clock that orders the operations of several processes.

package proptest

import "golang.org/x/sys/unix"

// sharedClock returns the time in nanoseconds of a clock that all processes of the machine share
// and no user can set.
func sharedClock() (now int64, shared bool) {
	var time unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &time); err != nil {
		panic(err) // every Linux has this clock
	}
	return time.Nano(), true
}
