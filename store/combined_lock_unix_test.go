//go:build unix && !aix && !solaris && !illumos

// Callers that are combined, behind a lock that a foreign program holds, as flock(1)
// does.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/store"
)

// flock holds the document's lock until release.
func flock(t *testing.T, doc *store.Doc) (release func()) {
	t.Helper()
	path := filepath.Join(filepath.Dir(doc.Name()), "."+filepath.Base(doc.Name())+".lock")
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { unix.Close(fd) })
	t.Cleanup(release)
	return release
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatal("never: ", what)
		}
	}
}

// waits reports whether the lock is waited for.
func waits(t *testing.T, doc *store.Doc) {
	t.Helper()
	eventually(t, "the lock is waited for", func() bool { return doc.Stats().LockWaits > 0 })
}

// mustBe wants the file to have this content.
func mustBe(t *testing.T, doc *store.Doc, want string) {
	t.Helper()
	if data, err := os.ReadFile(doc.Name()); err != nil || string(data) != want {
		t.Errorf("the document is %s (%v), want %s", data, err, want)
	}
}

// volatileFile opens a document that is a number.
func volatileFile(t *testing.T, opts store.Options, data string) *store.Doc {
	t.Helper()
	opts.Durability = store.Volatile
	doc := openFile(t, filepath.Join(t.TempDir(), "doc.json"), opts)
	create(t, doc, data)
	return doc
}

// TestLeavesBehindALock: who leaves is told at once and takes its change along, also if
// the next one's change cancels it out.
func TestLeavesBehindALock(t *testing.T) {
	for name, test := range map[string]struct {
		versions store.VersionMode
		others   []int
		want     string
	}{
		"hash":       {store.VersionHash, []int{-1, 10}, "9"},
		"mtime":      {store.VersionMtime, []int{-1, 10}, "9"},
		"mtime, two": {store.VersionMtime, []int{-1}, "-1"}, // with hashes they need no lock
	} {
		t.Run(name, func(t *testing.T) {
			doc := volatileFile(t, store.Options{Versions: test.versions}, "0")
			g := closeGate(t, doc)
			first := start(t, doc, add(1))
			var rest []*caller
			for _, n := range test.others {
				rest = append(rest, start(t, doc, add(n)))
			}
			release := flock(t, doc)
			g.open(t)
			waits(t, doc)
			first.cancel()
			first.must(t, context.Canceled, 1)
			release()
			for _, c := range rest {
				// Once, where the machine was too slow for one batch.
				if r := c.result(t); r.err != nil {
					t.Error(r.err)
				}
			}
			mustBe(t, doc, test.want)
		})
	}
}

// TestLeavesBeforeItIsBuilt: with Locking nothing is built while the lock is waited for,
// and those who are there when it is had inherit it.
func TestLeavesBeforeItIsBuilt(t *testing.T) {
	for _, versions := range []store.VersionMode{store.VersionHash, store.VersionMtime} {
		t.Run(versions.String(), func(t *testing.T) {
			doc := volatileFile(t, store.Options{Versions: versions, Locking: true}, "0")
			release := flock(t, doc)
			first := start(t, doc, add(1))
			second := start(t, doc, add(-1))
			third := start(t, doc, add(10))
			waits(t, doc)
			first.cancel()
			first.must(t, context.Canceled, 0)
			third.cancel()
			third.must(t, context.Canceled, 0)
			release()
			second.must(t, nil, 1)
			mustBe(t, doc, "-1")
		})
	}
}

// TestCancelledOutIsAVersion: two acknowledged updates that cancel out make a version
// where versions are unique, so that a swap from before them is a conflict.
func TestCancelledOutIsAVersion(t *testing.T) {
	for _, versions := range []store.VersionMode{store.VersionHash, store.VersionMtime} {
		for _, locking := range []bool{false, true} {
			name := fmt.Sprint(versions, ", locking ", locking)
			t.Run(name, func(t *testing.T) {
				doc := volatileFile(t, store.Options{Versions: versions, Locking: locking}, "0")
				_, before, err := doc.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				g := closeGate(t, doc)
				first := start(t, doc, add(1))
				second := start(t, doc, add(-1))
				g.open(t)
				made := first.must(t, nil, 1).version
				last := second.must(t, nil, 1).version
				_, found, err := doc.Read(t.Context())
				if err != nil || found != last || made == last {
					t.Errorf("versions %v and %v, the document has %v (%v)", made, last, found, err)
				}
				unique := versions == store.VersionMtime
				if unique != (last != before) || made == before {
					t.Errorf("version %v, then %v and %v", before, made, last)
				}
				_, err = doc.CompareAndSwap(t.Context(), before, []byte("7"))
				if errors.Is(err, store.ErrConflict) != unique {
					t.Errorf("swapped from before: %v", err)
				}
			})
		}
	}
}

// TestLockWaitInLine: LockWait ends the wait of callers that are built, and of those
// behind them, but not that of a caller without it.
func TestLockWaitInLine(t *testing.T) {
	const wait = 20 * time.Millisecond
	for _, locking := range []bool{false, true} {
		t.Run(fmt.Sprint("locking ", locking), func(t *testing.T) {
			doc := volatileFile(t, store.Options{Locking: locking}, "0")
			with := func(change func(*store.Options)) *store.Doc {
				other, err := doc.With(change)
				if err != nil {
					t.Fatal(err)
				}
				return other
			}
			hurried := with(func(o *store.Options) { o.LockWait = wait })
			other := with(func(o *store.Options) { o.LockWait, o.MaxDepth = wait, 9 })
			never := with(func(o *store.Options) { o.LockWait = -1 })
			release := flock(t, doc)
			began := time.Now()
			locked := []*caller{start(t, hurried, add(1))}
			waits(t, doc)
			locked = append(locked, start(t, hurried, add(10)))
			patient := start(t, doc, add(100))
			locked = append(locked, start(t, other, add(1000)))
			if _, err := never.Update(t.Context(), add(10_000)); !errors.Is(err, store.ErrLocked) {
				t.Errorf("one that does not wait: %v", err)
			}
			for i, c := range locked {
				r := c.result(t)
				isOnly(t, r.err, store.ErrLocked)
				if took := time.Since(began); took < wait {
					t.Errorf("%d: it waited for %v only", i, took)
				}
			}
			if patient.isTold() {
				t.Errorf("the patient one was told %+v", patient.result(t))
			}
			release()
			if r := patient.result(t); r.err != nil {
				t.Error(r.err)
			}
			mustBe(t, doc, "100")
		})
	}
}

// TestCloseWhileTheLockIsWaitedFor: nothing stays when the lock is free, whether somebody
// waits for it still, or has left.
func TestCloseWhileTheLockIsWaitedFor(t *testing.T) {
	for name, leaves := range map[string]bool{"left": true, "there": false} {
		for _, locking := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", locking ", locking), func(t *testing.T) {
				goroutines, files := runtime.NumGoroutine(), descriptors()
				doc := volatileFile(t, store.Options{Locking: locking}, "0")
				release := flock(t, doc)
				c := start(t, doc, add(1))
				behind := start(t, doc, add(10))
				waits(t, doc)
				if leaves {
					for _, c := range []*caller{c, behind} {
						c.cancel()
						isOnly(t, c.result(t).err, context.Canceled)
					}
				}
				if err := doc.Close(); err != nil {
					t.Error(err)
				}
				_, err := doc.Update(t.Context(), add(100))
				if !errors.Is(err, store.ErrClosed) {
					t.Errorf("closed: %v", err)
				}
				release()
				want := 0
				if !leaves {
					for c, n := range map[*caller]int{c: 1, behind: 10} {
						if r := c.result(t); r.err == nil {
							want += n
						} else if !errors.Is(r.err, store.ErrClosed) {
							t.Error(r.err)
						}
					}
				}
				mustBe(t, doc, fmt.Sprint(want))
				eventually(t, "all goroutines have ended and files are closed", func() bool {
					return runtime.NumGoroutine() <= goroutines && descriptors() <= files
				})
			})
		}
	}
}

// descriptors is how many files are open, where that can be seen.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
