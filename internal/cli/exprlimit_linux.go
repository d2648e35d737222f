// The bound of memory that the system keeps.

package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// limitMemory lets the process get so much more memory of the system than it has. Go ends
// it when it asks for more. The limit is of addresses, of which Go takes many at its
// start; that of data would not count what it takes within these.
func limitMemory(more uint64) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return
	}
	const shadow = 1 << 40 // the race detector has more addresses than that, and needs yet more
	most := pages*uint64(os.Getpagesize()) + more
	var limit unix.Rlimit
	if most > shadow || unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil {
		return
	}
	limit.Cur = min(most, limit.Max)
	_ = unix.Setrlimit(unix.RLIMIT_AS, &limit)
}
