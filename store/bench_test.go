package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkUpdate counts a document up, and does beside it what one would write by hand.
func BenchmarkUpdate(b *testing.B) {
	for _, durability := range []Durability{Volatile, Ordered, Durable} {
		for _, mode := range []VersionMode{VersionHash, VersionMtime} {
			for _, locking := range []bool{false, true} {
				b.Run(fmt.Sprintf("%v/%v/locking=%v", durability, mode, locking),
					func(b *testing.B) {
						benchmarkUpdate(b, &Options{Durability: durability, Versions: mode,
							Locking: locking})
					})
			}
		}
		b.Run(fmt.Sprintf("%v/portable order", durability), func(b *testing.B) {
			benchmarkUpdate(b, &Options{Durability: durability, FlushOrder: PortableOrder})
		})
		b.Run(fmt.Sprintf("%v/guard", durability), func(b *testing.B) {
			benchmarkUpdate(b, &Options{Durability: durability, GuardForeign: true})
		})
		b.Run(fmt.Sprintf("%v/by hand, without a lock", durability), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "doc.json")
			if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := incrementByHand(path, durability); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkUpdate(b *testing.B, opts *Options) {
	doc, err := OpenFile(filepath.Join(b.TempDir(), "doc.json"), opts)
	if err != nil {
		b.Fatal(err)
	}
	defer doc.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := doc.Update(context.Background(), increment); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeepLast is an update that keeps the version before, and in turn one that does
// not. The figures are medians, and their ratio is that of one run.
func BenchmarkKeepLast(b *testing.B) {
	for _, durability := range []Durability{Volatile, Ordered, Durable} {
		for _, guard := range []bool{false, true} {
			for _, size := range []int{20, 1 << 20} {
				b.Run(fmt.Sprintf("%v/guard=%v/%d", durability, guard, size), func(b *testing.B) {
					benchmarkKeepLast(b, Options{Durability: durability, GuardForeign: guard}, size)
				})
			}
		}
	}
}

func benchmarkKeepLast(b *testing.B, opts Options, size int) {
	var docs [2]*Doc
	for i := range docs {
		opts.KeepLast = i == 1
		doc, err := OpenFile(filepath.Join(b.TempDir(), "doc.json"), &opts)
		if err != nil {
			b.Fatal(err)
		}
		defer doc.Close()
		docs[i] = doc
	}
	pad := strings.Repeat("x", size)
	var took [2][]time.Duration
	for n := 0; b.Loop(); n++ {
		for i, doc := range docs {
			start := time.Now()
			_, err := doc.Update(context.Background(), func([]byte) ([]byte, error) {
				return fmt.Appendf(nil, "[%d,%q]", n, pad), nil
			})
			if err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	median := func(i int) float64 {
		slices.Sort(took[i])
		return took[i][len(took[i])/2].Seconds() * 1e6
	}
	b.ReportMetric(median(0), "µs/without")
	b.ReportMetric(median(1), "µs/with")
	b.ReportMetric(median(1)/median(0), "ratio")
}

// BenchmarkUnchanged is an update that changes nothing, of a file that is known to be
// durable, and of one that another program has just written.
func BenchmarkUnchanged(b *testing.B) {
	keep := func(old []byte) ([]byte, error) { return old, nil }
	for _, durability := range []Durability{Volatile, Durable} {
		for _, known := range []bool{true, false} {
			if durability == Volatile && !known {
				continue // which does not matter
			}
			b.Run(fmt.Sprintf("%v/known=%v", durability, known), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "doc.json")
				write := func() {
					if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
						b.Fatal(err)
					}
				}
				write()
				doc, err := OpenFile(path, &Options{Durability: durability})
				if err != nil {
					b.Fatal(err)
				}
				defer doc.Close()
				old := time.Now().Add(-time.Hour) // a file that has come of age
				if err := os.Chtimes(path, old, old); err != nil {
					b.Fatal(err)
				}
				time.Sleep(2 * time.Duration(ofAge))
				b.ReportAllocs()
				for b.Loop() {
					if !known {
						b.StopTimer()
						write()
						b.StartTimer()
					}
					if _, err := doc.Update(context.Background(), keep); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkNeighbours is what a command does, a handle with one update, in a directory of
// its own and beside many documents.
func BenchmarkNeighbours(b *testing.B) {
	for _, neighbours := range []int{0, 100_000} {
		b.Run(strconv.Itoa(neighbours), func(b *testing.B) {
			dir := b.TempDir()
			for i := range neighbours {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.json", i)), nil,
					0o600); err != nil {
					b.Fatal(err)
				}
			}
			path := filepath.Join(dir, "doc.json")
			if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				doc, err := OpenFile(path, &Options{Durability: Volatile})
				if err != nil {
					b.Fatal(err)
				}
				_, err = doc.Update(context.Background(), increment)
				if closeErr := doc.Close(); err != nil || closeErr != nil {
					b.Fatal(err, closeErr)
				}
			}
		})
	}
}

func incrementByHand(path string, durability Durability) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(strconv.AppendInt(nil, int64(n+1), 10))
	if err == nil && durability != Volatile {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil || durability != Durable {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// BenchmarkRead reads a document that does not change, and one that is read for the
// first time, beside what the system takes for it.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{200, 10 << 10, 1 << 20} {
		path := filepath.Join(b.TempDir(), "doc.json")
		if err := os.WriteFile(path, fmt.Appendf(nil, `{"count":1,"pad":"%s"}`,
			strings.Repeat("x", size-21)), 0o600); err != nil {
			b.Fatal(err)
		}
		past := time.Now().Add(-time.Minute)
		if err := os.Chtimes(path, past, past); err != nil {
			b.Fatal(err)
		}
		time.Sleep(2 * time.Duration(ofAge)) // a document that has just been written is read again
		doc, err := OpenFile(path, nil)
		if err != nil {
			b.Fatal(err)
		}
		for name, read := range map[string]func() error{
			"unchanged": func() error { _, _, err := doc.Read(context.Background()); return err },
			"first": func() error {
				doc.drv.files.shared.kept.close()
				_, _, err := doc.Read(context.Background())
				return err
			},
			"os.Lstat":    func() error { _, err := os.Lstat(path); return err },
			"os.ReadFile": func() error { _, err := os.ReadFile(path); return err },
		} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := read(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		doc.Close()
	}
}

// BenchmarkGoroutines counts a document up from several goroutines on one handle: those
// that wait are combined.
func BenchmarkGoroutines(b *testing.B) {
	for _, durability := range []Durability{Volatile, Durable} {
		for _, n := range []int{1, 2, 8, 64} {
			b.Run(fmt.Sprintf("%v/%d", durability, n), func(b *testing.B) {
				doc, err := OpenFile(filepath.Join(b.TempDir(), "doc.json"),
					&Options{Durability: durability})
				if err != nil {
					b.Fatal(err)
				}
				defer doc.Close()
				b.ReportAllocs()
				b.SetParallelism((n + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
				if n == 1 {
					for b.Loop() {
						if _, err := doc.Update(context.Background(), increment); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if _, err := doc.Update(context.Background(), increment); err != nil {
								b.Error(err)
							}
						}
					})
				}
				stats := doc.Stats()
				b.ReportMetric(float64(stats.Updates)/float64(stats.Writes), "updates/write")
			})
		}
	}
}
