package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// TestMain runs the work of a process if the test binary was started for it.
func TestMain(m *testing.M) {
	if encoded := os.Getenv(workerVariable); encoded != "" {
		exitOn(beWorker(encoded))
		return
	}
	os.Exit(m.Run())
}

// newHandle opens a document of its own. It skips the test if the peer does not offer that.
func newHandle(t testing.TB, p peer, durability store.Durability, size int) handle {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document.json")
	create := p.create
	if create == nil {
		create = writeFiles
	}
	s := setting{Path: path, Documents: 1, Durability: durability}
	if err := create(s, load.Document(size)); err != nil {
		t.Fatal(err)
	}
	h, err := p.open(s)
	if errors.Is(err, errNotOffered) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// TestPeersKeepUpdates: a peer that is not said to lose updates keeps all, of goroutines and of
// processes, on one document and on several.
func TestPeersKeepUpdates(t *testing.T) {
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			for _, c := range []cell{
				{Processes: 1, Goroutines: 4},
				{Processes: 3, Goroutines: 1},
				{Processes: 1, Goroutines: 4, Documents: 3},
			} {
				if p.loses && c.Processes > 1 {
					continue
				}
				c.Peer, c.Durability, c.Size = p.name, store.Volatile, 200
				if strings.Contains(p.name, "renameio") {
					c.Durability = store.Ordered
				}
				m, err := c.measure(t.TempDir(), 100*time.Millisecond)
				if errors.Is(err, errNotOffered) {
					continue
				}
				if err != nil || m.Lost != 0 || m.Failed != 0 || m.Rate == 0 {
					t.Errorf("%+v: lost %d, %d failed (%s), %v a second, %v",
						c, m.Lost, m.Failed, m.Failure, m.Rate, err)
				}
			}
		})
	}
}

// TestLossesAreSeen: the count finds the updates that processes without a lock lose.
func TestLossesAreSeen(t *testing.T) {
	for range 20 {
		c := cell{
			Peer: "rename, no lock", Durability: store.Volatile,
			Processes: 4, Goroutines: 1, Size: 200,
		}
		m, err := c.measure(t.TempDir(), 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if m.Lost > 0 {
			return
		}
	}
	t.Error("four processes without a lock have lost nothing, or it was not noticed")
}

// TestTablesStandBetweenTheirMarks: writing tables leaves the rest of the file alone.
func TestTablesStandBetweenTheirMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	page := []byte("before\n" + beginFigures + "old\n" + endFigures + "after\n")
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tables := range []string{"one\n", "two\n"} {
		if err := writeTables(path, tables); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		want := "before\n" + beginFigures + "\n" + tables + endFigures + "after\n"
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeTables(path, "lost"); err == nil {
		t.Error("a file without marks was written to")
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, []byte("something else")) {
		t.Errorf("%q", got)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, durability := range allLevels {
		for _, p := range peers() {
			for _, size := range []int{200, 10 << 10, 1 << 20} {
				b.Run(fmt.Sprintf("%v/%s/%d", durability, p.name, size), func(b *testing.B) {
					h := newHandle(b, p, durability, size)
					b.ReportAllocs()
					for b.Loop() {
						if err := h.Update(0); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func BenchmarkGoroutines(b *testing.B) {
	for _, durability := range []store.Durability{store.Durable, store.Volatile} {
		for _, p := range peers() {
			if !p.goroutines {
				continue
			}
			for _, n := range []int{8, 64} {
				b.Run(fmt.Sprintf("%v/%s/%d", durability, p.name, n), func(b *testing.B) {
					h := newHandle(b, p, durability, 200)
					var begun atomic.Int64
					b.SetParallelism(n) // n goroutines for each core, of which n work
					b.RunParallel(func(pb *testing.PB) {
						if begun.Add(1) > int64(n) {
							return
						}
						for pb.Next() {
							if err := h.Update(0); err != nil {
								b.Error(err)
							}
						}
					})
				})
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, p := range peers() {
		for _, size := range []int{200, 10 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%d", p.name, size), func(b *testing.B) {
				h := newHandle(b, p, store.Durable, size)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := h.Read(0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
