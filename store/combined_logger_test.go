// Loggers that use the store: what they are told may make them update any document, also
// the one that it is about.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// updater is a handler that updates documents whenever it is told something, a few times.
type updater struct {
	level slog.Level
	docs  []*store.Doc
	told  *atomic.Int32
	wrong func(args ...any)
}

const maxTold = 3

func (u *updater) Enabled(_ context.Context, level slog.Level) bool { return level >= u.level }

func (u *updater) Handle(_ context.Context, r slog.Record) error {
	if u.told.Add(1) > maxTold {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, doc := range u.docs {
		if _, err := doc.Update(ctx, add(1)); err != nil {
			u.wrong("in the handler: ", doc.Name(), ": ", err)
		}
	}
	return nil
}

func (u *updater) WithAttrs([]slog.Attr) slog.Handler { return u }
func (u *updater) WithGroup(string) slog.Handler      { return u }

// TestHandlersMayUpdate: one that is told of a conflict, or is warned of many of them.
func TestHandlersMayUpdate(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelWarn} {
		for _, callers := range []int{1, 3} {
			t.Run(fmt.Sprint(level, ", callers ", callers), func(t *testing.T) {
				eachKind(t, func(t *testing.T, e *engine) {
					u := &updater{level: level, told: new(atomic.Int32), wrong: t.Error}
					db, err := store.New(e, &store.Options{Logger: slog.New(u)})
					if err != nil {
						t.Fatal(err)
					}
					doc, other := db.Doc("doc"), db.Doc("other")
					u.docs = []*store.Doc{doc, other}
					create(t, doc, "0")
					create(t, other, "0")
					const each = 120
					foreign, published := 0, 0
					e.do(func(s step, _ []byte) error {
						// Something else adds a thousand, a little faster, to every other
						// version.
						if s == publish {
							if published++; published%2 == 1 && u.told.Load() < maxTold {
								n := number(t, doc)
								e.put(t, fmt.Sprint(n+1000))
								foreign++
							}
						}
						return nil
					}, nil)
					var all []*caller
					for range callers {
						all = append(all, startMany(t, doc, add(1), each))
					}
					for _, c := range all {
						if r := c.result(t); r.err != nil {
							t.Error(r.err)
						}
					}
					told := min(int(u.told.Load()), maxTold)
					if told == 0 || level == slog.LevelWarn && told != 1 {
						t.Errorf("the handler was told %d times", told)
					}
					want := 1000*foreign + callers*each + told
					if got := number(t, doc); got != want || number(t, other) != told {
						t.Errorf("the document is %d, want %d, the other one %d, want %d",
							got, want, number(t, other), told)
					}
				})
			})
		}
	}
}

// startMany starts a caller that makes so many updates, one after the other.
func startMany(t *testing.T, doc *store.Doc, fn function, n int) *caller {
	c := &caller{told: make(chan told, 1)}
	go func() {
		var r told
		for range n {
			if r.version, r.err = doc.Update(t.Context(), fn); r.err != nil {
				break
			}
		}
		c.told <- r
	}()
	return c
}

// TestHandlersOfFilesMayUpdate is the same on files, where a program that takes no lock
// is faster.
func TestHandlersOfFilesMayUpdate(t *testing.T) {
	for _, locking := range []bool{false, true} {
		t.Run(fmt.Sprint("locking ", locking), func(t *testing.T) {
			dir := t.TempDir()
			u := &updater{level: slog.LevelDebug, told: new(atomic.Int32), wrong: t.Error}
			opts := store.Options{Locking: locking, Durability: store.Volatile, Logger: slog.New(u)}
			db := openDir(t, dir, opts)
			doc, other := db.Doc("doc"), db.Doc("other")
			u.docs = []*store.Doc{doc, other}
			create(t, doc, "0")
			create(t, other, "0")
			path := filepath.Join(dir, "doc.json")
			rival := false
			c := start(t, doc, func(old []byte) ([]byte, error) {
				if !rival {
					rival = true
					temp := filepath.Join(dir, "temp")
					err := os.WriteFile(temp, []byte("1000"), 0o600)
					if err := errors.Join(err, os.Rename(temp, path)); err != nil {
						return nil, err
					}
				}
				return add(1)(old)
			})
			c.must(t, nil, 2)
			if u.told.Load() != 1 || number(t, doc) != 1002 || number(t, other) != 1 {
				t.Errorf("told %d times, the document is %d, the other one %d",
					u.told.Load(), number(t, doc), number(t, other))
			}
		})
	}
}

// TestHandlerInAFunction: where the conflict is that of an update within a function, the
// handler runs within it too, and to update that function's document is an error.
func TestHandlerInAFunction(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		u := &updater{level: slog.LevelDebug, told: new(atomic.Int32)}
		db, err := store.New(e, &store.Options{Logger: slog.New(u)})
		if err != nil {
			t.Fatal(err)
		}
		doc, outer := db.Doc("doc"), db.Doc("outer")
		create(t, doc, "0")
		create(t, outer, "0")
		u.docs = []*store.Doc{doc, outer}
		wrong := 0
		u.wrong = func(args ...any) {
			wrong++
			if err, ok := args[len(args)-1].(error); !ok || !isNested(err) {
				t.Error(args...)
			}
		}
		e.rival(t, "1000")
		began := time.Now()
		_, err = outer.Update(t.Context(), func(old []byte) ([]byte, error) {
			if _, err := doc.Update(t.Context(), add(1)); err != nil {
				return nil, err
			}
			return add(10)(old)
		})
		if err != nil || wrong != 1 || time.Since(began) > time.Second {
			t.Errorf("%v, %d errors in the handler, after %v", err, wrong, time.Since(began))
		}
		if number(t, doc) != 1002 || number(t, outer) != 10 {
			t.Errorf("the documents are %d and %d", number(t, doc), number(t, outer))
		}
	})
}
