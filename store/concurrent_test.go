package store

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// together runs f in n goroutines that begin at once.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// resources counts goroutines and open descriptors.
func resources() (goroutines, descriptors int) {
	time.AfterFunc(time.Hour, func() {}).Stop() // a program's first timer opens descriptors
	entries, _ := os.ReadDir("/proc/self/fd")   // none where there is no such directory
	if runtime.GOOS == "windows" {
		entries = nil // under Wine it is there, and has those of the emulation
	}
	return runtime.NumGoroutine(), len(entries)
}

// wantResources waits for goroutines that are about to end.
func wantResources(t *testing.T, goroutines, descriptors int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		g, d := resources()
		if g <= goroutines && d <= descriptors {
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d descriptors; want %d and %d\n%s", g, d, goroutines,
				descriptors,
				stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}

// TestGoroutinesOnOneHandle: each increment counts, and nothing stays open.
func TestGoroutinesOnOneHandle(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		goroutines, descriptors := resources()
		doc := document(t, "", opts)
		together(100, func(i int) {
			for range 5 {
				if _, err := doc.Update(context.Background(), increment); err != nil {
					t.Error(err)
				}
				if _, _, err := doc.Read(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
		if got := content(t, doc); got != "500" {
			t.Errorf("500 increments make %s", got)
		}
		wantFiles(t, doc, "doc.json", ".doc.json.lock")
		if err := doc.Close(); err != nil {
			t.Error(err)
		}
		wantResources(t, goroutines, descriptors)
		if _, err := doc.Update(context.Background(), increment); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestBatchesCutAtOnce: a batch that is closed while a function is about to run shares
// nothing with it. The race detector sees what they share.
func TestBatchesCutAtOnce(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		doc := document(t, "0", opts)
		doc.db.lines.longest = 30 * time.Microsecond // about as long as a batch takes
		together(100, func(int) {
			for range 4 {
				if _, err := doc.Update(context.Background(), increment); err != nil {
					t.Error(err)
				}
			}
		})
		if got := content(t, doc); got != "400" {
			t.Errorf("400 increments make %s", got)
		}
	})
}

// TestHandlesInOneProcess: handles do not know of each other, as processes do not.
func TestHandlesInOneProcess(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		first := document(t, "0", opts)
		together(8, func(int) {
			doc, err := OpenFile(first.Name(), &opts)
			if err != nil {
				t.Error(err)
				return
			}
			defer doc.Close()
			for range 25 {
				if _, err := doc.Update(context.Background(), increment); err != nil {
					t.Error(err)
				}
			}
		})
		if got := content(t, first); got != "200" {
			t.Errorf("200 increments make %s", got)
		}
	})
}

// holdLock locks a document as a foreign program does, "flock .doc.json.lock command".
func holdLock(t *testing.T, doc *Doc) (release func()) {
	t.Helper()
	return lockFile(t, names.Lock(doc.Name()))
}

func lockFile(t *testing.T, path string) (release func()) {
	t.Helper()
	file, err := fsys.New().Open(path, fsys.OpenLock, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := file.TryLock(); !ok || err != nil {
		t.Fatal("the lock is not free", err)
	}
	return sync.OnceFunc(func() { file.Close() })
}

// TestContextsThatEndWhileWaiting: the caller returns at once; at most one goroutine and
// descriptor stay behind for the document, until the lock is free, and then nothing does.
func TestContextsThatEndWhileWaiting(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		doc := document(t, "0", opts)
		if _, err := doc.Update(context.Background(), increment); err != nil {
			t.Fatal(err)
		}
		goroutines, descriptors := resources()
		release := holdLock(t, doc)
		defer release()
		for range 3 {
			together(20, func(int) {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
				defer cancel()
				if _, err := doc.Update(ctx, increment); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Update: %v", err)
				}
				_, version, err := doc.Read(context.Background())
				if err != nil {
					t.Errorf("Read: %v", err)
				}
				if _, err := doc.CompareAndSwap(ctx, version, []byte("7")); !errors.Is(err,
					context.DeadlineExceeded) {
					t.Errorf("CompareAndSwap: %v", err)
				}
			})
		}
		// One waits; the lock's holder is the other descriptor.
		wantResources(t, goroutines+1, descriptors+2)
		release()
		wantResources(t, goroutines, descriptors)
		if _, err := doc.Update(context.Background(), increment); err != nil {
			t.Error(err)
		}
		if got := content(t, doc); got != "2" {
			t.Errorf("the document is %s, want 2", got)
		}
		checkUnlocked(t, doc)
	})
}

// TestJoinAWait: one that comes after a caller that gave up gets the lock from the wait which that
// one left behind.
func TestJoinAWait(t *testing.T) {
	doc := document(t, "0", Options{Durability: Volatile, Locking: true})
	release := holdLock(t, doc)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := doc.Update(ctx, increment); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	ended := make(chan error)
	next, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, err := doc.Update(next, increment)
		ended <- err
	}()
	for doc.Stats().LockWaits == 0 {
		runtime.Gosched()
	}
	release()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := content(t, doc); got != "1" {
		t.Errorf("the document is %s", got)
	}
}

func TestLockWait(t *testing.T) {
	for _, wait := range []time.Duration{-1, 5 * time.Millisecond} {
		for _, locking := range []bool{false, true} {
			doc := document(t, "0", Options{LockWait: wait, Locking: locking, Durability: Volatile})
			release := holdLock(t, doc)
			defer release()
			_, err := doc.Update(context.Background(), increment)
			if !errors.Is(err, ErrLocked) || errors.Is(err, ErrConflict) ||
				errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("wait %v: %v", wait, err)
			}
			if info, err := doc.Inspect(context.Background()); err != nil || !info.Locked {
				t.Errorf("Inspect: %+v, %v", info, err)
			}
			release()
			// A wait that was left behind may still be about to get the lock and give it back.
			patient, err := doc.With(func(o *Options) { o.LockWait = max(wait, wait*10_000) })
			if err != nil {
				t.Fatal(err)
			}
			if _, err := patient.Update(context.Background(), increment); err != nil {
				t.Errorf("wait %v, when the lock is free: %v", wait, err)
			}
			if info, err := doc.Inspect(context.Background()); err != nil || info.Locked {
				t.Errorf("Inspect: %+v, %v", info, err)
			}
		}
	}
}

// TestLockWaitAmongGoroutines: it is the same with an update of the same handle.
func TestLockWaitAmongGoroutines(t *testing.T) {
	for _, wait := range []time.Duration{-1, 5 * time.Millisecond} {
		doc := document(t, "0", Options{LockWait: wait, Durability: Volatile})
		inside, leave, ended := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
				close(inside)
				<-leave
				return increment(old)
			})
			ended <- err
		}()
		<-inside
		if _, err := doc.Update(context.Background(), increment); !errors.Is(err, ErrLocked) {
			t.Errorf("wait %v: %v", wait, err)
		}
		close(leave)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := doc.Update(context.Background(), increment); err != nil {
			t.Errorf("wait %v, afterwards: %v", wait, err)
		}
		if got := content(t, doc); got != "2" {
			t.Errorf("wait %v: the document is %s", wait, got)
		}
	}
}

// TestLockFileIsRemoved: somebody who holds the lock tidies its file away, again and again, as
// "flock .doc.json.lock rm .doc.json.lock" does; the updates still exclude each other.
func TestLockFileIsRemoved(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		opts.Logger = slog.New(slog.DiscardHandler) // that many retries are worth a warning
		first := document(t, "0", opts)
		stop := make(chan struct{})
		var tidy sync.WaitGroup
		tidy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				file, err := fsys.New().Open(names.Lock(first.Name()), fsys.OpenLock, 0o600)
				if err == nil {
					err = file.Lock(0)
				}
				if err == nil {
					_ = os.Remove(names.Lock(first.Name()))
					err = file.Close()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		together(4, func(int) {
			doc, err := OpenFile(first.Name(), &opts)
			if err != nil {
				t.Error(err)
				return
			}
			defer doc.Close()
			for range 100 {
				if _, err := doc.Update(context.Background(), increment); err != nil {
					t.Error(err)
				}
			}
		})
		close(stop)
		tidy.Wait()
		if n, err := strconv.Atoi(strings.TrimSpace(content(t, first))); err != nil || n != 400 {
			t.Errorf("400 increments make %d (%v)", n, err)
		}
	})
}
