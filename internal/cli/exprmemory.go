// How much memory an expression may hold: def f: [f]; f would take all that the machine
// has. The process looks at what it has every few milliseconds, and its system keeps it
// from taking much more meanwhile, if there is such a limit.

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

// memoryFor is what an expression may hold. Decoded, a document takes some ten times its
// size, and the expression may hold it twice.
func memoryFor(document int) uint64 { return enoughMemory + 64*uint64(document) }

// saveMemory has the garbage of work on a large document collected sooner than otherwise,
// when there is a third of what is in use instead of as much.
func saveMemory(document int) (restore func()) {
	const large = 8 << 20
	if document < large {
		return func() {}
	}
	before := debug.SetGCPercent(33)
	return func() { debug.SetGCPercent(before) }
}

// withMemory returns a context that ends when the process holds more memory than that.
// The garbage collector is told too, so that what it can free does not count.
func withMemory(ctx context.Context, most uint64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
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

// memory is how much the last garbage collection left, and how much the process has of
// the system.
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
