// The memory limit that the kernel enforces.

package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// limitMemory limits the memory that the process can add to what it has. Beyond it, the
// Go runtime ends the process. The limit is on address space: Go reserves much of that
// at its start, and a limit on data would not count what is used within.
func limitMemory(more uint64) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return
	}
	const shadow = 1 << 40 // the race detector maps more than that, and needs yet more
	most := pages*uint64(os.Getpagesize()) + more
	var limit unix.Rlimit
	if most > shadow || unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil {
		return
	}
	limit.Cur = min(most, limit.Max)
	_ = unix.Setrlimit(unix.RLIMIT_AS, &limit)
}
