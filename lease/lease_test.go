// What a lease does, on memory and on files, and in virtual time.

package lease_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// faulty is an engine whose calls a test can make fail. It has no optional parts.
type faulty struct {
	driver.Driver
	before, after func(op string) error
}

func (f *faulty) Read(ctx context.Context, key string) ([]byte, driver.Version, error) {
	if err := f.call(f.before, "read"); err != nil {
		return nil, driver.Absent, err
	}
	return f.Driver.Read(ctx, key)
}

func (f *faulty) Swap(ctx context.Context, key string, old driver.Version, data []byte) (
	driver.Version, error,
) {
	err := f.call(f.before, "swap")
	if err != nil {
		return driver.Absent, err
	}
	v, err := f.Driver.Swap(ctx, key, old, data)
	if err == nil {
		err = f.call(f.after, "swap")
	}
	return v, err
}

func (f *faulty) call(hook func(op string) error, op string) error {
	if hook == nil {
		return nil
	}
	return hook(op)
}

// inMemory returns a document in a new engine in memory, and the engine.
func inMemory(t *testing.T) (*store.Doc, *faulty) {
	t.Helper()
	drv := &faulty{Driver: memdriver.New()}
	db, err := store.New(drv, &store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db.Doc("lease"), drv
}

func onFile(t *testing.T, content string) *store.Doc {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lease.json")
	if content != "" {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := store.OpenFile(path, &store.Options{Durability: store.Volatile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doc.Close() })
	return doc
}

func mustAcquire(t *testing.T, doc *store.Doc, opts *lease.Options) *lease.Lease {
	t.Helper()
	l, err := lease.Acquire(t.Context(), doc, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustBe(t *testing.T, err error, want error, texts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q lacks %q", err, text)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var noWait = &lease.Options{Wait: -1}

func TestGrants(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *store.Doc{
		"memory": func(t *testing.T) *store.Doc { doc, _ := inMemory(t); return doc },
		"file":   func(t *testing.T) *store.Doc { return onFile(t, "") },
	} {
		t.Run(name, func(t *testing.T) {
			doc, ctx := open(t), t.Context()
			_, err := lease.Status(ctx, doc)
			mustBe(t, err, store.ErrNotExist, "read lease", doc.Name())

			first := mustAcquire(t, doc, &lease.Options{Owner: "ada", TTL: time.Minute})
			must(t, first.Valid())
			_, err = lease.Acquire(ctx, doc, noWait)
			mustBe(t, err, lease.ErrHeld,
				"acquire lease "+doc.Name()+": the lease is held by ada")
			var held *lease.HeldError
			if !errors.As(err, &held) || held.Holder.Token != first.Token() || held.Waited != 0 {
				t.Errorf("held: %+v", held)
			}
			r, err := lease.Status(ctx, doc)
			must(t, err)
			if r.Owner != "ada" || r.PID != os.Getpid() || r.Nonce != first.Nonce() ||
				r.TTL() != time.Minute || r.Expired(time.Now()) || r.Free() ||
				r.Age(time.Now().Add(time.Second)) < time.Second {
				t.Errorf("status: %+v", r)
			}
			must(t, first.Renew(ctx))
			again, err := lease.Resume(ctx, doc, first.Nonce(), nil)
			must(t, err)
			must(t, again.Renew(ctx))
			if r, err = lease.Status(ctx, doc); err != nil || r.Renewals != 2 {
				t.Errorf("renewals: %+v, %v", r, err)
			}
			_, err = lease.Resume(ctx, doc, "other", nil)
			mustBe(t, err, lease.ErrLost, "held by ada")

			must(t, first.Release(ctx))
			must(t, first.Release(ctx))
			mustBe(t, first.Valid(), lease.ErrLost, "was released")
			mustBe(t, first.Renew(ctx), lease.ErrLost)
			mustBe(t, again.Renew(ctx), lease.ErrLost, "was released")
			mustBe(t, again.Release(ctx), lease.ErrLost)
			if r, err = lease.Status(ctx, doc); err != nil || !r.Free() ||
				r.Token != first.Token() ||
				r.Released.IsZero() {
				t.Errorf("free: %+v, %v", r, err)
			}

			second := mustAcquire(t, doc, noWait)
			if second.Token() != first.Token()+1 {
				t.Errorf("token %d after %d", second.Token(), first.Token())
			}
			// Deletion does not start the tokens again, and the holder notices it.
			must(t, doc.Delete(ctx))
			mustBe(t, second.Renew(ctx), lease.ErrLost, "was deleted")
			mustBe(t, second.Valid(), lease.ErrLost)
			third := mustAcquire(t, doc, noWait)
			if third.Token() <= second.Token() {
				t.Errorf("token %d after %d", third.Token(), second.Token())
			}
		})
	}
}

// Members that a lease does not know stay.
func TestOtherMembersStay(t *testing.T) {
	doc := onFile(t, `{"note": "who leads", "token": 41, "n": 1.10}`)
	l := mustAcquire(t, doc, nil)
	must(t, l.Renew(t.Context()))
	must(t, l.Release(t.Context()))
	data, _, err := doc.Read(t.Context())
	must(t, err)
	if l.Token() != 42 ||
		!bytes.HasPrefix(data, []byte(`{"note": "who leads", "token": 42, "n": 1.10,`)) {
		t.Errorf("token %d, %s", l.Token(), data)
	}
}

// A document that is no lease is left alone.
func TestInvalidDocuments(t *testing.T) {
	for _, text := range []string{
		`null`, `7`, `[]`, `{}`, `{"theme":"dark"}`, `{"token":0}`, `{"token":-1}`, `{"token":1.5}`,
		`{"token":"1"}`, `{"token":9007199254740992}`, `{"token":1,"owner":"x"}`, `{"token":1,"ttl_ms":5}`,
		strings.Replace(stale, `"ttl_ms":8`, `"ttl_ms":0`, 1),
		strings.Replace(stale, `"ttl_ms":8`, `"ttl_ms":-5`, 1),
		strings.Replace(stale, `"ttl_ms":8`, `"ttl_ms":9223372036854775807`, 1),
		strings.Replace(stale, `1999-12-31T23:00:00Z`, `yesterday`, 1),
		strings.Replace(stale, `"1999-12-31T23:00:00Z"`, `5`, 1),
		strings.Replace(stale, `"renewed"`, `"other"`, 1),
		strings.Replace(stale, `"ttl_ms":8`, `"ttl_ms":8,"released":"2000-01-01T00:00:00Z"`, 1),
		`{"token":1`, "",
	} {
		doc := onFile(t, "x")
		must(t, os.WriteFile(doc.Name(), []byte(text), 0o600))
		_, err := lease.Acquire(t.Context(), doc, noWait)
		mustBe(t, err, store.ErrInvalid, doc.Name())
		_, err = lease.Status(t.Context(), doc)
		mustBe(t, err, store.ErrInvalid, doc.Name())
		if now, err := os.ReadFile(doc.Name()); err != nil || string(now) != text {
			t.Errorf("%q became %q, %v", text, now, err)
		}
	}
	// The largest token has no successor.
	_, err := lease.Acquire(t.Context(), onFile(t, `{"token":9007199254740991}`), noWait)
	mustBe(t, err, store.ErrInvalid, "no successor")
	// And a lease that becomes invalid while it is held is not written to either.
	doc := onFile(t, "")
	l := mustAcquire(t, doc, nil)
	must(t, os.WriteFile(doc.Name(), []byte(`{"theme":"dark"}`), 0o600))
	mustBe(t, l.Renew(t.Context()), store.ErrInvalid)
	mustBe(t, l.Release(t.Context()), store.ErrInvalid)
	if now, _ := os.ReadFile(doc.Name()); string(now) != `{"theme":"dark"}` {
		t.Errorf("became %s", now)
	}
}

func TestOptions(t *testing.T) {
	doc, _ := inMemory(t)
	for _, wrong := range []time.Duration{-1, time.Microsecond, lease.MaxTTL + time.Millisecond} {
		if _, err := lease.Acquire(t.Context(), doc, &lease.Options{TTL: wrong}); err == nil ||
			!strings.Contains(err.Error(), "TTL") {
			t.Errorf("TTL %v: %v", wrong, err)
		}
	}
	short := &lease.Options{Rand: strings.NewReader("short")}
	if _, err := lease.Acquire(t.Context(), doc, short); err == nil {
		t.Error("a nonce of five bytes")
	}
	if _, err := lease.Resume(t.Context(), doc, "", nil); err == nil {
		t.Error("an empty nonce")
	}
}

// A waiter gets the lease when it is released, and when it is stale.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, _ := inMemory(t)
		ctx := t.Context()
		opts := &lease.Options{TTL: 10 * time.Second}
		start := time.Now()
		first := mustAcquire(t, doc, opts)
		time.AfterFunc(3*time.Second, func() { _ = first.Release(ctx) })
		mustAcquire(t, doc, opts)
		if took := time.Since(start); took < 3*time.Second || took > 3250*time.Millisecond {
			t.Errorf("after a release: %v", took)
		}
		// The second holder dies. The wall clock would allow a steal after 15 s only.
		start = time.Now()
		limited := *opts
		limited.Wait = 4 * time.Second
		_, err := lease.Acquire(ctx, doc, &limited)
		mustBe(t, err, lease.ErrHeld, "gave up after 4s")
		limit, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, err = lease.Acquire(limit, doc, opts)
		mustBe(t, err, lease.ErrHeld)
		mustBe(t, err, context.DeadlineExceeded)
		mustAcquire(t, doc, opts) // has come after 9 s
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("by the wall clock: %v", took)
		}
		start = time.Now()
		mustAcquire(t, doc, opts) // has come at once
		if took := time.Since(start); took != 10010*time.Millisecond {
			t.Errorf("by looking: %v", took)
		}
		start = time.Now()
		unsure := *opts
		unsure.MaxSkew = -1
		time.Sleep(time.Hour)
		mustAcquire(t, doc, &unsure)
		if took := time.Since(start); took != time.Hour+10010*time.Millisecond {
			t.Errorf("without wall clocks: %v", took)
		}
	})
}

// A waiter that has seen the holder renew does not believe a wall clock.
func TestLooksBeforeClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, _ := inMemory(t)
		late := func() time.Time { return time.Now().Add(-time.Hour) }
		l := mustAcquire(t, doc, &lease.Options{TTL: 10 * time.Second, Now: late})
		// A waiter with the right time thinks that it expired an hour ago: the clocks differ
		// by more than MaxSkew. Had it looked before, it would know better.
		must(t, l.Release(t.Context()))
		waited := make(chan time.Duration)
		start := time.Now()
		l = mustAcquire(t, doc, &lease.Options{TTL: 10 * time.Second})
		go func() {
			_, err := lease.Acquire(t.Context(), doc, &lease.Options{TTL: 10 * time.Second})
			if err != nil {
				t.Error(err)
			}
			waited <- time.Since(start)
		}()
		synctest.Wait()
		behind, err := lease.Resume(t.Context(), doc, l.Nonce(), &lease.Options{Now: late})
		must(t, err)
		time.Sleep(time.Second)
		must(t, behind.Renew(t.Context())) // writes a time one hour ago
		if got := <-waited; got < 11*time.Second {
			t.Errorf("stolen after %v from a holder that has renewed after 1s", got)
		}
	})
}

// While a machine is suspended, only the wall clock advances.
func TestSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, _ := inMemory(t)
		start, wall := time.Now(), time.Duration(0)
		now := func() time.Time { return start.Round(0).Add(wall) }
		l := mustAcquire(t, doc, &lease.Options{TTL: 10 * time.Second, Now: now})
		wall = 9 * time.Second
		must(t, l.Valid())
		wall = 10 * time.Second
		mustBe(t, l.Valid(), lease.ErrLost, "not renewed within its TTL")
		mustBe(t, l.Renew(t.Context()), lease.ErrLost)
		keep := func(old []byte) ([]byte, error) { return old, nil }
		_, err := doc.Update(t.Context(), l.Guard(keep))
		mustBe(t, err, lease.ErrLost)
	})
}

func TestOnStale(t *testing.T) {
	doc := onFile(t, stale)
	refusal := errors.New("ask the operator")
	calls := 0
	opts := &lease.Options{Wait: -1, OnStale: func(_ context.Context, r lease.Record) error {
		if calls++; r.Owner != "dead" || r.Token != 7 {
			t.Errorf("stale: %+v", r)
		}
		return refusal
	}}
	_, err := lease.Acquire(t.Context(), doc, opts)
	mustBe(t, err, refusal, "acquire lease", "was refused")
	if now, _ := os.ReadFile(doc.Name()); string(now) != stale || calls != 1 {
		t.Errorf("%d calls, %s", calls, now)
	}
	refusal = nil
	if l := mustAcquire(t, doc, opts); l.Token() != 8 {
		t.Errorf("token %d", l.Token())
	}
}

// A grant whose outcome is unknown is given back.
func TestUnknownOutcome(t *testing.T) {
	doc, drv := inMemory(t)
	for _, what := range []error{store.ErrUnknown, store.ErrNotDurable} {
		once := true
		drv.after = func(string) error {
			if once {
				once = false
				return what
			}
			return nil
		}
		_, err := lease.Acquire(t.Context(), doc, noWait)
		mustBe(t, err, what)
		if r, err := lease.Status(t.Context(), doc); err != nil || !r.Free() {
			t.Errorf("%v: %+v, %v", what, r, err)
		}
	}
}

// A write that takes longer than the TTL makes no grant.
func TestSlowEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, drv := inMemory(t)
		slow := time.Duration(0)
		drv.before = func(op string) error {
			if op == "swap" {
				time.Sleep(slow)
			}
			return nil
		}
		slow = 2 * time.Second
		_, err := lease.Acquire(t.Context(), doc, &lease.Options{TTL: time.Second})
		mustBe(t, err, lease.ErrLost)
		slow = 0
		l := mustAcquire(t, doc, &lease.Options{TTL: time.Second}) // when the lost one is stale
		slow = 2 * time.Second
		mustBe(t, l.Renew(t.Context()), lease.ErrLost)
	})
}

// A renewal with a shorter TTL shortens the grant, whatever becomes of the write.
func TestShorterTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, drv := inMemory(t)
		long := mustAcquire(t, doc, &lease.Options{TTL: time.Minute})
		l, err := lease.Resume(t.Context(), doc, long.Nonce(), &lease.Options{TTL: time.Second})
		must(t, err)
		drv.after = func(string) error { return store.ErrUnknown }
		mustBe(t, l.Renew(t.Context()), store.ErrUnknown)
		drv.after = nil
		must(t, l.Valid())
		time.Sleep(time.Second)
		mustBe(t, l.Valid(), lease.ErrLost)
		must(t, long.Release(t.Context()))
	})
}

// A grant counts from the request, not from the answer: the others count from the write.
func TestLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc, drv := inMemory(t)
		drv.after = func(string) error { time.Sleep(600 * time.Millisecond); return nil }
		l := mustAcquire(t, doc, &lease.Options{TTL: time.Second})
		if left := l.Left(); left != 400*time.Millisecond {
			t.Errorf("after the grant, %v are left", left)
		}
		must(t, l.Renew(t.Context()))
		if left := l.Left(); left != 400*time.Millisecond {
			t.Errorf("after the renewal, %v are left", left)
		}
		time.Sleep(400 * time.Millisecond)
		mustBe(t, l.Valid(), lease.ErrLost)
	})
}

// The clocks of a machine that was suspended, or whose time was set back: one of them has
// advanced.
func TestOneClockAdvances(t *testing.T) {
	start := time.Now()
	for name, now := range map[string]time.Time{
		"suspended": withMonotonic(start.Add(10*time.Second), -10*time.Second),
		"set back":  withMonotonic(start.Add(-time.Hour), time.Hour+10*time.Second),
	} {
		doc, _ := inMemory(t)
		at := start
		opts := &lease.Options{TTL: 10 * time.Second, Now: func() time.Time { return at }}
		l := mustAcquire(t, doc, opts)
		must(t, l.Valid())
		if at = now; l.Valid() == nil {
			t.Errorf("%s: a grant that has expired is valid", name)
		}
	}
}

// withMonotonic moves only the monotonic reading of a time, the second word of it.
func withMonotonic(t time.Time, by time.Duration) time.Time {
	(*[2]int64)(unsafe.Pointer(&t))[1] += int64(by)
	return t
}
