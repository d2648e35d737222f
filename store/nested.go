// Which goroutine runs the function of an update: a write to the same document from there would wait for itself.

package store

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"sync"

	"github.com/petermattis/goid"
)

// errNested is what would be a deadlock, and is an error even where it would by
// chance go well.
var errNested = errors.New("called from the function of an update of the same document, which would wait for itself; " +
	"return the new content from that function, or do this after the update")

// currentGoroutine returns the number of the calling goroutine. The runtime tells it only in a
// stack trace, which takes longer than a small update may; package goid knows
// where the runtime keeps it. Since that may change, it is believed only if it agrees
// with the trace when the program first asks.
func currentGoroutine() int64 {
	if goidWorks() {
		return goid.Get()
	}
	return goroutineFromTrace()
}

var goidWorks = sync.OnceValue(func() bool { return goid.Get() == goroutineFromTrace() })

func goroutineFromTrace() int64 {
	var buf [64]byte
	trace := buf[:runtime.Stack(buf[:], false)]
	number, _, _ := bytes.Cut(bytes.TrimPrefix(trace, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return -1 // equal to no holder's, since a holder has this only where all have
	}
	return id
}
