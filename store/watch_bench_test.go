package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkWatch measures how long after an update has returned a watch delivers its state or a
// newer one, at 1,000 updates a second by another handle.
func BenchmarkWatch(b *testing.B) {
	for _, c := range []struct {
		name   string
		others int // documents of the directory that are watched too
		opts   Options
	}{
		{"one", -1, Options{}},
		{"directory of 1000", 999, Options{}},
		{"poll every 10ms", -1, Options{Poll: 10 * time.Millisecond}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkWatch(b, c.others, c.opts) })
	}
}

func benchmarkWatch(b *testing.B, others int, opts Options) {
	dir := b.TempDir()
	path := filepath.Join(dir, "doc.json")
	for i := range others {
		path := filepath.Join(dir, fmt.Sprint(i, ".json"))
		if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	db, err := Open(dir, &opts)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	events := db.Doc("doc").Watch(ctx, Absent)
	if others >= 0 {
		events = db.Watch(ctx, "", nil)
	}
	seen := make([]time.Time, b.N+1) // the first event of this state or a newer one
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		next, first := 0, 0
		for event, err := range events {
			switch {
			case err != nil:
				done <- err
				return
			case event.Name != "doc":
				if first++; first == others {
					close(ready)
				}
				continue
			}
			text := strings.TrimSuffix(strings.TrimPrefix(string(event.Data), `{"n":`), "}\n")
			n, err := strconv.Atoi(text)
			if err != nil {
				done <- err
				return
			}
			for ; next <= n; next++ {
				seen[next] = time.Now()
			}
			if n == b.N {
				done <- nil
				return
			}
		}
	}()
	if others > 0 {
		<-ready
	}
	doc, err := OpenFile(path, &Options{Durability: Volatile})
	if err != nil {
		b.Fatal(err)
	}
	defer doc.Close()
	written := make([]time.Time, b.N+1)
	b.ResetTimer()
	start := time.Now()
	for i := range b.N {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Millisecond)))
		if _, _, err := doc.Add(ctx, "n", 1); err != nil {
			b.Fatal(err)
		}
		written[i+1] = time.Now()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	delays := make([]time.Duration, b.N)
	for i := range delays {
		delays[i] = max(0, seen[i+1].Sub(written[i+1]))
	}
	slices.Sort(delays)
	b.ReportMetric(0, "ns/op")
	for name, at := range map[string]int{
		"p50-ms": b.N / 2, "p99-ms": b.N * 99 / 100, "max-ms": b.N - 1,
	} {
		b.ReportMetric(float64(delays[at].Microseconds())/1000, name)
	}
}
