package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
	"github.com/jsonstore/jsonstore/store"
)

// Goroutines of two handles, some of which give up: each record that was acknowledged is
// there once, in the order of its goroutine, and what was given up is not.
func TestGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	opts := Options{MaxBytes: 2000, Durability: store.Volatile}
	handles := []*Journal{openTest(t, path, opts), openTest(t, path, opts)}
	const goroutines, each = 16, 60
	var all sync.WaitGroup
	var mu sync.Mutex
	acknowledged, gaveUp := map[uint64]string{}, map[string]bool{}
	for g := range goroutines {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 0))
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				if g%4 == 0 {
					ctx, cancel = context.WithTimeout(
						ctx,
						time.Duration(random.IntN(300))*time.Microsecond,
					)
				}
				value := fmt.Sprintf(`"%d %d"`, g, i)
				seq, err := handles[g%2].Append(ctx, []byte(value))
				cancel()
				mu.Lock()
				switch {
				case err == nil && acknowledged[seq] != "":
					t.Errorf("%s and %s are %d", acknowledged[seq], value, seq)
				case err == nil:
					acknowledged[seq] = value
				case g%4 == 0 && errors.Is(err, context.DeadlineExceeded):
					gaveUp[value] = true
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	n, next := 0, map[int]int{}
	for r, err := range handles[0].Records(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		var g, i int
		if _, err := fmt.Sscanf(string(r.Value), `"%d %d"`, &g, &i); err != nil {
			t.Fatal(err)
		}
		if i < next[g] {
			t.Errorf("%s comes behind %d", r.Value, next[g])
		}
		next[g] = i + 1
		if gaveUp[string(r.Value)] || acknowledged[r.Seq] != string(r.Value) || r.Seq != uint64(n) {
			t.Errorf("%d is %s, %q was acknowledged", r.Seq, r.Value, acknowledged[r.Seq])
		}
	}
	if n != len(acknowledged) || n+len(gaveUp) != goroutines*each {
		t.Errorf("%d records, %d acknowledged, %d given up", n, len(acknowledged), len(gaveUp))
	}
	t.Logf("%d records, %d given up", n, len(gaveUp))
}

// holdLock takes the lock as another process would.
func holdLock(t *testing.T, j *Journal) (unlock func()) {
	t.Helper()
	file, err := fsys.New().Open(j.lockPath(), fsys.OpenLock, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if locked, err := file.TryLock(); err != nil || !locked {
		t.Fatal("the lock is not free", err)
	}
	return func() { file.Close() }
}

// A caller whose context ends leaves at once, though another process holds the lock;
// those who wait are not disturbed.
func TestGivingUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	j := openTest(t, path, Options{})
	mustAppend(t, j, "0")
	unlock := holdLock(t, j)
	results := make(chan error)
	go func() {
		_, err := j.Append(t.Context(), []byte("1"))
		results <- err
	}()
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if _, err := j.Append(ctx, []byte(`"given up"`)); !errors.Is(
			err,
			context.DeadlineExceeded,
		) {
			t.Error(err)
		}
		cancel()
	}
	soon := openTest(t, path, Options{LockWait: time.Millisecond})
	if _, err := soon.Append(t.Context(), []byte("2")); !errors.Is(err, store.ErrLocked) {
		t.Error(err)
	}
	never := openTest(t, path, Options{LockWait: -1})
	if _, err := never.Append(t.Context(), []byte("2")); !errors.Is(err, store.ErrLocked) {
		t.Error(err)
	}
	unlock()
	if err := <-results; err != nil {
		t.Error(err)
	}
	mustAppend(t, soon, "2")
	wantTexts(t, texts(t, j, 0), "1 0", "2 1", "3 2")
}

// Close answers those who wait for the lock of another process.
func TestCloseWhileWaiting(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "a.jsonl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer holdLock(t, j)()
	const waiting = 4
	results := make(chan error)
	for range waiting {
		go func() {
			_, err := j.Append(t.Context(), []byte("1"))
			results <- err
		}()
	}
	awaitQueue(t, j, waiting)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	for range waiting {
		if err := <-results; !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	}
}

// awaitQueue polls until so many appends wait in the queue.
func awaitQueue(t *testing.T, j *Journal, want int) {
	t.Helper()
	waits := 0
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		j.mu.Lock()
		waits = len(j.queue)
		j.mu.Unlock()
		if waits >= want {
			return
		}
	}
	t.Errorf("%d appends wait after a minute, want %d", waits, want)
}

// TestSharedFlush: goroutines that wait while a batch is flushed share the next write and
// the next flush.
func TestSharedFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	writes, syncs := 0, 0
	const waiting = 20
	var j *Journal
	var all sync.WaitGroup
	files := &simfs.Faulty{FS: fsys.New(), Inject: func(op, name string) simfs.Fault {
		if name == path && op == "write" {
			writes++
		}
		if name == path && op == "sync" {
			if syncs++; syncs == 1 {
				for i := range waiting {
					all.Go(func() {
						if _, err := j.Append(t.Context(), fmt.Append(nil, i)); err != nil {
							t.Error(err)
						}
					})
				}
				awaitQueue(t, j, waiting)
			}
		}
		return simfs.Fault{}
	}}
	var err error
	if j, err = openFiles(files, path, nil); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	mustAppend(t, j, `"first"`)
	all.Wait()
	if writes != 2 || syncs != 2 {
		t.Errorf("%d writes and %d flushes, want 2 each", writes, syncs)
	}
	if got := texts(t, j, 0); len(got) != waiting+1 {
		t.Errorf("%q", got)
	}
}
