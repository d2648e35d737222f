package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// makeMany makes documents as if they had been written long ago.
func makeMany(t testing.TB, dir string, documents int) {
	t.Helper()
	for i := range documents {
		path := filepath.Join(dir, strconv.Itoa(i)+".json")
		if err := os.WriteFile(path, fmt.Appendf(nil, `{"n":%d,"text":"%0200d"}`, i, i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-time.Hour)
	for i := range documents {
		if err := os.Chtimes(filepath.Join(dir, strconv.Itoa(i)+".json"), then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkSnapshot makes snapshots of a directory of 10,000 documents: beside nobody; beside two
// writers of ten of them; and beside two writers of all of them, in no order.
func BenchmarkSnapshot(b *testing.B) {
	const documents = 10000
	for _, c := range []struct {
		name       string
		durability Durability
		hot        int
	}{
		{"alone", Durable, 0},
		{"beside writers of ten, durable", Durable, 10},
		{"beside writers of all, durable", Durable, documents},
		{"beside writers of ten, volatile", Volatile, 10},
		{"beside writers of all, volatile", Volatile, documents},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			makeMany(b, dir, documents)
			db, err := Open(dir, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			ctx, cancel := context.WithCancel(context.Background())
			var writers sync.WaitGroup
			var updates atomic.Int64
			for w := range 2 * min(c.hot, 1) {
				other, err := Open(dir, &Options{Durability: c.durability})
				if err != nil {
					b.Fatal(err)
				}
				writers.Go(func() {
					defer other.Close()
					for i := w; ctx.Err() == nil; i++ {
						doc := other.Doc(strconv.Itoa(i * 7919 % c.hot))
						if _, _, err := doc.Add(ctx, "n", 1); err == nil {
							updates.Add(1)
						}
					}
				})
			}
			if c.hot > 0 { // every document has its lock file
				for deadline := time.Now().Add(time.Minute); updates.Load() < int64(2*c.hot) &&
					time.Now().Before(deadline); {
					time.Sleep(time.Millisecond)
				}
			}
			before, start := updates.Load(), time.Now()
			n := 0
			for b.Loop() {
				n++
				if _, err := db.CreateSnapshot(ctx, strconv.Itoa(n)); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := db.DeleteSnapshot(ctx, strconv.Itoa(n)); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(updates.Load()-before)/time.Since(start).Seconds(), "updates/s")
			b.ReportMetric(float64(db.Stats().Escalations)/float64(n), "locked/op")
			cancel()
			writers.Wait()
		})
	}
}
