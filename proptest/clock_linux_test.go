// The clock by which operations of several processes are put in order.

package proptest

import "golang.org/x/sys/unix"

// sharedClock is in nanoseconds; all processes of the machine have the same, and nobody can set it.
func sharedClock() (now int64, shared bool) {
	var time unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &time); err != nil {
		panic(err) // there is no Linux without it
	}
	return time.Nano(), true
}
