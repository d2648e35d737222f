//go:build !windows

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// TestTransact: what a transaction does, on files and in memory.
func TestTransact(t *testing.T) {
	ctx := context.Background()
	for name, open := range map[string]func(t *testing.T) *store.DB{
		"files": func(t *testing.T) *store.DB { return openDir(t, t.TempDir(), store.Options{}) },
		"portable": func(t *testing.T) *store.DB {
			return openDir(t, t.TempDir(), store.Options{FlushOrder: store.PortableOrder})
		},
		"mtime": func(t *testing.T) *store.DB {
			return openDir(t, t.TempDir(), store.Options{Versions: store.VersionMtime})
		},
		"guard": func(t *testing.T) *store.DB {
			return openDir(t, t.TempDir(), store.Options{GuardForeign: true})
		},
		"volatile": func(t *testing.T) *store.DB {
			return openDir(t, t.TempDir(), store.Options{Durability: store.Volatile})
		},
		"locking": func(t *testing.T) *store.DB {
			return openDir(t, t.TempDir(), store.Options{Locking: true})
		},
		"memory": func(t *testing.T) *store.DB {
			db, err := store.New(memdriver.New(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			a, b, c, d := db.Doc("a"), db.Doc("dir/b"), db.Doc("c"), db.Doc("d")
			for doc, data := range map[*store.Doc]string{a: `{ "n": 1, "x":2 }`, b: `{"n":10}`, c: `[1]`} {
				if _, err := doc.Create(ctx, []byte(data)); err != nil {
					t.Fatal(err)
				}
			}
			var kept *store.Tx
			err := db.Transact(ctx, func(tx *store.Tx) error {
				kept = tx
				if _, err := tx.Add(a, "n", -1); err != nil {
					return err
				}
				if _, err := tx.Add(b, "n", 1); err != nil {
					return err
				}
				if got, err := tx.Get(b, "n"); err != nil || string(got) != "11" {
					t.Errorf("its own write: %s, %v", got, err)
				}
				if _, _, err := tx.Read(d); !errors.Is(err, store.ErrNotExist) {
					t.Errorf("absent: %v", err)
				}
				if err := tx.Create(c, []byte("1")); !errors.Is(err, store.ErrExist) {
					t.Errorf("create: %v", err)
				}
				if err := tx.Delete(c); err != nil {
					return err
				}
				if err := tx.Delete(c); !errors.Is(err, store.ErrNotExist) {
					t.Errorf("delete: %v", err)
				}
				return tx.Create(d, []byte(`{"d":true}`))
			})
			if err != nil {
				t.Fatal(err)
			}
			for doc, want := range map[*store.Doc]string{a: `{ "n": 0, "x":2 }`, b: `{"n":11}`,
				d: `{"d":true}`} {
				got, version, err := doc.Read(ctx)
				if err != nil || string(got) != want {
					t.Errorf("%s is %s, %v; want %s", doc.Name(), got, err, want)
				}
				if kept.Version(doc) != version {
					t.Errorf("%s has version %v, want %v", doc.Name(), kept.Version(doc), version)
				}
			}
			if _, _, err := c.Read(ctx); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("c is there: %v", err)
			}
			if err := kept.Write(a, []byte("1")); err == nil {
				t.Error("a transaction that is over can be used")
			}
			refused := errors.New("no")
			err = db.Transact(ctx, func(tx *store.Tx) error {
				if err := tx.Write(a, []byte("1")); err != nil {
					return err
				}
				if err := tx.Write(b, []byte("1")); err != nil {
					return err
				}
				return refused
			})
			if !errors.Is(err, refused) {
				t.Error(err)
			}
			if got, _, _ := a.Read(ctx); string(got) != `{ "n": 0, "x":2 }` {
				t.Errorf("a is %s", got)
			}
			if err := db.Transact(ctx, func(tx *store.Tx) error {
				if err := tx.Write(a, []byte("{")); !errors.Is(err, store.ErrInvalid) {
					t.Errorf("invalid: %v", err)
				}
				_, err := a.Update(ctx, func([]byte) ([]byte, error) { return []byte("7"), nil })
				return err
			}); err == nil || !strings.Contains(err.Error(), "wait for itself") {
				t.Errorf("an update within: %v", err)
			}
			if err := db.Transact(ctx, func(tx *store.Tx) error {
				_, err := store.TxUpdate(tx, a, func(v *struct {
					N int `json:"n"`
				}) error {
					v.N = 5
					return nil
				})
				return err
			}); err != nil {
				t.Error(err)
			}
			if got, _, _ := a.Read(ctx); string(got) != `{ "n": 5, "x":2 }` {
				t.Errorf("a is %s", got)
			}
		})
	}
}

// TestTransactLeavesNothing: when all is well there is nothing but documents and lock files.
func TestTransactLeavesNothing(t *testing.T) {
	ctx := context.Background()
	dir, other := t.TempDir(), t.TempDir()
	db := openDir(t, dir, store.Options{})
	file := openFile(t, filepath.Join(other, "b.json"), store.Options{})
	for range 3 {
		if err := store.Transact(ctx, func(tx *store.Tx) error {
			if _, err := tx.Add(db.Doc("a"), "n", 1); err != nil {
				return err
			}
			_, err := tx.Add(file, "n", 1)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{dir: "[.a.json.lock a.json]",
		other: "[.b.json.lock b.json]"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, entry := range entries {
			found = append(found, entry.Name())
		}
		if got := "[" + strings.Join(found, " ") + "]"; got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
	}
}

// TestView: a view reads, lists, and changes nothing.
func TestView(t *testing.T) {
	ctx := context.Background()
	memory, err := store.New(memdriver.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, db := range map[string]*store.DB{"memory": memory,
		"files": openDir(t, t.TempDir(), store.Options{})} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"u/a", "u/b", "v"} {
				if _, err := db.Doc(key).Create(ctx, []byte(`{"n":1}`)); err != nil {
					t.Fatal(err)
				}
			}
			var keys []string
			runs := 0
			err := db.View(ctx, func(tx *store.Tx) (err error) {
				if keys, err = tx.Keys("u/"); err != nil {
					return err
				}
				for _, key := range keys {
					if _, err := tx.Get(tx.Doc(key), "n"); err != nil {
						return err
					}
				}
				if _, _, err := tx.Read(db.Doc("none/w")); !errors.Is(err, store.ErrNotExist) {
					t.Errorf("absent: %v", err)
				}
				if err := tx.Write(db.Doc("v"), []byte("1")); err == nil {
					t.Error("a view writes")
				}
				if err := tx.Delete(db.Doc("v")); err == nil {
					t.Error("a view deletes")
				}
				if _, err := db.Doc("v").Set(ctx, "n", 2); err == nil {
					t.Error("a function that waits for itself")
				}
				if runs++; runs == 1 {
					done := make(chan error)
					go func() {
						_, err := db.Doc("u/b").Set(ctx, "n", 2)
						done <- err
					}()
					return <-done
				}
				return nil
			})
			if err != nil || strings.Join(keys, " ") != "u/a u/b" || runs < 2 {
				t.Errorf("%q, %v, %d runs", keys, err, runs)
			}
		})
	}
}

// TestTransactMany: a thousand documents are one transaction, and more than the limit an error
// that changes nothing.
func TestTransactMany(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db := openDir(t, dir, store.Options{Durability: store.Volatile})
	write := func(documents int) error {
		return db.Transact(ctx, func(tx *store.Tx) error {
			for i := range documents {
				if err := tx.Write(tx.Doc(fmt.Sprint("d", i)), []byte("1")); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := write(5000); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("5000: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	if err := write(1000); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "d*.json"))
	if err != nil || len(made) != 1000 {
		t.Errorf("%d documents, %v", len(made), err)
	}
}

// TestTransactEnds: when the context ends, or the tries are used up, nothing is changed.
func TestTransactEnds(t *testing.T) {
	dir := t.TempDir()
	db := openDir(t, dir, store.Options{Retry: store.Retry{MaxTries: 2, EscalateAfter: -1}})
	other := openDir(t, dir, store.Options{})
	both := func(tx *store.Tx) error {
		return errors.Join(tx.Write(db.Doc("a"), []byte("1")), tx.Write(db.Doc("b"), []byte("1")))
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := db.Transact(ctx, func(tx *store.Tx) error {
		cancel()
		return both(tx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("its context ended: %v", err)
	}
	runs := 0
	err = db.Transact(context.Background(), func(tx *store.Tx) error {
		if err := both(tx); err != nil {
			return err
		}
		runs++
		done := make(chan error)
		go func() {
			_, err := other.Doc("a").Update(context.Background(), func([]byte) ([]byte, error) {
				return []byte(fmt.Sprint(40 + runs)), nil
			})
			done <- err
		}()
		return <-done
	})
	if !errors.Is(err, store.ErrConflict) || runs != 2 {
		t.Errorf("%d runs: %v", runs, err)
	}
	if got, _, err := db.Doc("a").Read(context.Background()); err != nil || string(got) != "42" {
		t.Errorf("a is %s, %v", got, err)
	}
	if _, _, err := db.Doc("b").Read(context.Background()); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("b: %v", err)
	}
}
