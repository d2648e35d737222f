package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWatchNeverGoesBack: beside writers, each event of a counter is larger than the one
// before, and the last one is the last state.
func TestWatchNeverGoesBack(t *testing.T) {
	const writers, each = 4, 250
	for name, opts := range map[string]Options{
		"hash": {}, "mtime": {Versions: VersionAuto}, "locking": {Locking: true},
	} {
		opts.Durability = Volatile
		t.Run(name, func(t *testing.T) {
			eachMeans(t, func(t *testing.T, by string) {
				dir := t.TempDir()
				path := filepath.Join(dir, "doc.json")
				one := watchFile(t, by, path)
				db, err := Open(dir, nil)
				must(t, err)
				defer db.Close()
				all := watchTree(t, by, db, "")
				var done sync.WaitGroup
				for range writers {
					done.Go(func() {
						doc, err := OpenFile(path, &opts)
						if err != nil {
							t.Error(err)
							return
						}
						defer doc.Close()
						for range each {
							if _, _, err := doc.Add(t.Context(), "n", 1); err != nil {
								t.Error(err)
							}
						}
					})
				}
				for _, o := range []*observer{one, all} {
					for last, n := 0, 0; last < writers*each; last = n {
						got := o.next()
						text := strings.TrimSuffix(strings.TrimPrefix(string(got.Data), `{"n":`), "}\n")
						if n, err = strconv.Atoi(text); err != nil || got.err != nil || n <= last {
							t.Fatalf("%q after %d: %v", got.Data, last, got.err)
						}
					}
				}
				done.Wait()
			})
		})
	}
}

// descriptors counts the open descriptors of the process, and those of inotify; false where
// they cannot be counted.
func descriptors() (all, inotify int, ok bool) {
	entries, err := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name())
		if strings.Contains(target, "inotify") {
			inotify++
		}
	}
	return len(entries), inotify, err == nil
}

// TestWatchMany: a process watches 1,000 documents through as many handles with one instance
// of the system's. When the watches end, no goroutine and no descriptor is left.
func TestWatchMany(t *testing.T) {
	needsHints(t)
	const documents = 1000
	dir := t.TempDir()
	before, _, counted := descriptors()
	goroutines := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	var loops, first, second sync.WaitGroup
	for i := range documents {
		path := filepath.Join(dir, fmt.Sprint(i%10), fmt.Sprint(i, ".json"))
		put(t, path, "1")
		loops.Add(1)
		first.Add(1)
		second.Add(1)
		go func() {
			defer loops.Done()
			doc, err := OpenFile(path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer doc.Close()
			w := doc.watching(ctx, Absent, func(event Event, err error) bool {
				switch {
				case string(event.Data) == "1" && err == nil:
					first.Done()
				case string(event.Data) == "2" && err == nil:
					second.Done()
				case ctx.Err() == nil:
					t.Errorf("%q, %v", event.Data, err)
				}
				return true
			})
			w.every = time.Hour
			w.run()
		}()
	}
	waits := func(group *sync.WaitGroup, what string) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			group.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(2 * patience):
			t.Fatalf("some have not %s", what)
		}
	}
	waits(&first, "read their document")
	if _, inotify, _ := descriptors(); counted && inotify != 1 {
		t.Errorf("%d instances", inotify)
	}
	for i := range documents {
		path := filepath.Join(dir, fmt.Sprint(i%10), fmt.Sprint(i, ".json"))
		must(t, os.WriteFile(path+".new", []byte("2"), 0o600), os.Rename(path+".new", path))
	}
	waits(&second, "seen the change")
	cancel()
	waits(&loops, "ended")
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		after, _, _ := descriptors()
		now := runtime.NumGoroutine()
		if now <= goroutines && (!counted || after <= before) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines after %d, %d descriptors after %d", now, goroutines,
				after, before)
		}
	}
}
