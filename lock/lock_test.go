package lock_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jsonstore/jsonstore/lock"
	"github.com/jsonstore/jsonstore/store"
)

func open(t *testing.T, path string, opts *lock.Options) *lock.Lock {
	t.Helper()
	l, err := lock.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func take(t *testing.T, l *lock.Lock, shared bool) (unlock func()) {
	t.Helper()
	unlock, err := ask(t.Context(), l, shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	return unlock
}

func ask(ctx context.Context, l *lock.Lock, shared bool) (func(), error) {
	if shared {
		return l.LockShared(ctx)
	}
	return l.Lock(ctx)
}

// TestExclusion: each kind beside each kind, through one handle and through two.
func TestExclusion(t *testing.T) {
	for _, handles := range []int{1, 2} {
		for _, first := range []bool{false, true} {
			for _, second := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%v/%v", handles, first, second), func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "l")
					a := open(t, path, &lock.Options{Wait: -1})
					b := a
					if handles == 2 {
						b = open(t, path, &lock.Options{Wait: -1})
					}
					unlock := take(t, a, first)
					again, err := ask(t.Context(), b, second)
					if both := first && second; both != (err == nil) ||
						!both && !errors.Is(err, lock.ErrLocked) {
						t.Fatal(err)
					}
					if err == nil {
						again()
					}
					unlock()
					unlock() // does nothing
					take(t, b, second)
				})
			}
		}
	}
}

// TestDocument: it is the store's own lock, of a document that need not exist, through links.
func TestDocument(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "d.json")
	doc, err := store.OpenFile(path, &store.Options{LockWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	names := []string{path}
	if os.Symlink("d.json", filepath.Join(dir, "link.json")) == nil {
		names = append(names, filepath.Join(dir, "link.json"))
	}
	for _, shared := range []bool{false, true} {
		for _, name := range names {
			l, err := lock.OpenDocument(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			want, err := doc.LockFile()
			if got, gotErr := l.Path(); got != want || err != nil || gotErr != nil {
				t.Errorf("the path is %s, want %s; %v, %v", got, want, gotErr, err)
			}
			unlock := take(t, l, shared)
			set := func([]byte) ([]byte, error) {
				return fmt.Append(nil, time.Now().UnixNano()), nil
			}
			if _, err := doc.Update(t.Context(), set); !errors.Is(err, store.ErrLocked) {
				t.Errorf("an update beside the lock: %v", err)
			}
			unlock()
			if _, err := doc.Update(t.Context(), set); err != nil {
				t.Errorf("an update after the lock: %v", err)
			}
		}
	}
}

// TestOrder: the callers of one Lock get it in the order in which they came, and those who
// want it shared, between others, get it together.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, filepath.Join(t.TempDir(), "l"), nil)
		unlock := take(t, l, false)
		const plan = "xssxsx" // exclusive, shared
		var mu sync.Mutex
		var order []int
		var all, both sync.WaitGroup
		both.Add(2)
		for i, kind := range plan {
			all.Go(func() {
				unlock, err := ask(context.Background(), l, kind == 's')
				if err != nil {
					t.Error(err)
					return
				}
				defer unlock()
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				if i == 1 || i == 2 { // a deadlock, if they do not share it
					both.Done()
					both.Wait()
				}
			})
			synctest.Wait() // until it is in the queue
		}
		unlock()
		all.Wait()
		if order[1] == 2 {
			order[1], order[2] = order[2], order[1] // they share it
		}
		if !slices.Equal(order, []int{0, 1, 2, 3, 4, 5}) {
			t.Errorf("they got the lock in the order %v", order)
		}
	})
}

// TestEnds: a caller whose context ends returns at once, wherever it waits, and leaves the
// lock as it was.
func TestEnds(t *testing.T) {
	for _, handles := range []int{1, 2} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/%v", handles, shared), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "l")
				a := open(t, path, nil)
				b := a
				if handles == 2 {
					b = open(t, path, nil)
				}
				unlock := take(t, a, false)
				cause := errors.New("enough")
				for range 3 {
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
					if _, err := ask(ctx, b, shared); !errors.Is(err, cause) {
						t.Error(err)
					}
				}
				limited := open(t, path, &lock.Options{Wait: time.Millisecond})
				if _, err := ask(t.Context(), limited, shared); !errors.Is(err, lock.ErrLocked) ||
					!strings.Contains(err.Error(), "1ms") {
					t.Error(err)
				}
				unlock()
				for _, l := range []*lock.Lock{a, b, limited} {
					again, err := ask(t.Context(), l, false)
					if err != nil {
						t.Fatal(err)
					}
					again()
				}
			})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := open(t, filepath.Join(t.TempDir(), "l"), nil)
	if _, err := l.Lock(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestRemoved: a holder removes the lock file. Who has the old one open locks the new one.
func TestRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	a, b := open(t, path, &lock.Options{Wait: -1}), open(t, path, nil)
	unlock := take(t, a, false)
	if err := os.Remove(path); err != nil {
		t.Skip(err) // the system keeps the names of open files
	}
	other := take(t, b, false)
	unlock()
	if _, err := a.Lock(t.Context()); !errors.Is(err, lock.ErrLocked) {
		t.Errorf("a lock on a removed file counts: %v", err)
	}
	other()
	take(t, a, false)
}

// TestCounter: many goroutines, through several handles, change a file that only the lock
// protects.
func TestCounter(t *testing.T) {
	dir := t.TempDir()
	path, data := filepath.Join(dir, "l"), filepath.Join(dir, "n")
	if err := os.WriteFile(data, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() (n int) {
		text, err := os.ReadFile(data)
		if err != nil {
			t.Error(err)
		}
		if _, err := fmt.Sscan(string(text), &n); err != nil {
			t.Errorf("a torn count: %q", text)
		}
		return n
	}
	const handles, each, rounds = 3, 4, 25
	var all sync.WaitGroup
	for range handles {
		l := open(t, path, nil)
		for range each {
			all.Go(func() {
				for range rounds {
					unlock, err := l.LockShared(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					read()
					unlock()
					if unlock, err = l.Lock(context.Background()); err != nil {
						t.Error(err)
						return
					}
					if err := os.WriteFile(data, fmt.Append(nil, read()+1), 0o600); err != nil {
						t.Error(err)
					}
					unlock()
				}
			})
		}
	}
	all.Wait()
	if n := read(); n != handles*each*rounds {
		t.Errorf("%d of %d changes are there", n, handles*each*rounds)
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	document, err := lock.OpenDocument(filepath.Join(dir, "d.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*lock.Lock{open(t, filepath.Join(dir, "l"), nil), document} {
		unlock := take(t, l, false)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		unlock()
		if _, err := l.Lock(t.Context()); !errors.Is(err, lock.ErrClosed) {
			t.Error(err)
		}
	}
}

func TestBad(t *testing.T) {
	dir := t.TempDir()
	if _, err := lock.Open("", nil); err == nil {
		t.Error("an empty path is taken")
	}
	if _, err := lock.OpenDocument("", nil); err == nil {
		t.Error("an empty path of a document is taken")
	}
	for _, name := range []string{".d.json.gate", ".d.json.tx", ".d.json.0123456789abcdef.tmp"} {
		if _, err := lock.Open(filepath.Join(dir, name), nil); !errors.Is(err, store.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := open(t, filepath.Join(dir, "none", "l"), nil)
	if _, err := l.Lock(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
	target := filepath.Join(dir, "target")
	if os.Symlink(target, filepath.Join(dir, "link")) == nil {
		l := open(t, filepath.Join(dir, "link"), nil)
		if _, err := l.Lock(t.Context()); err == nil || !strings.Contains(err.Error(), "link") {
			t.Errorf("a link: %v", err)
		}
		if _, err := os.Lstat(target); err == nil {
			t.Error("the target of a link is made")
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, filepath.Join(dir, "dir"), nil).Lock(t.Context()); err == nil {
		t.Error("a directory is locked")
	}
}
