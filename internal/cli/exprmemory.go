// The memory limit of an expression: def f: [f]; f would take all memory of the
// machine. The process checks its own use every few milliseconds. Between two checks
// the kernel's limit applies, where there is one.

package cli

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// enoughMemory is more than an expression on small documents ever needs.
const enoughMemory = 1 << 30

// memoryFor is the limit for an expression over a document of that size. A decoded
// document takes some ten times its size, and the expression may hold it twice.
func memoryFor(document int) uint64 { return enoughMemory + 64*uint64(document) }

// saveMemory makes garbage collection more frequent while a large document is worked
// on: when garbage is a fifth of the live heap, not as much as it.
func saveMemory(document int) (restore func()) {
	if document < largeDocument {
		return func() {}
	}
	before := debug.SetGCPercent(20)
	return func() { debug.SetGCPercent(before) }
}

// withMemory returns a context that ends when the process holds more memory than that.
// The garbage collector gets the same limit, so that garbage does not count.
func withMemory(ctx context.Context, most uint64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if live, held := memory(); max(live, held) > most/2 {
		debug.FreeOSMemory() // garbage of an earlier expression would count
	}
	before := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(before, int64(most)))
	go func() {
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if live, held := memory(); live > most || held > most+most/4 {
				cancel(tooMuch(most))
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		debug.SetMemoryLimit(before)
	}
}

func tooMuch(memory uint64) error {
	return &runtimeError{fmt.Errorf("it holds more than %d MiB of memory", memory>>20)}
}

// memory returns the live heap after the last garbage collection, and the memory that
// the process has from the system.
func memory() (live, held uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	var values [3]uint64
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			values[i] = s.Value.Uint64()
		}
	}
	return values[0], values[1] - min(values[1], values[2])
}
