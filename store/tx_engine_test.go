// Transactions and views in engines other than files.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

func engineOf(t *testing.T, drv driver.Driver, opts *store.Options) *store.DB {
	t.Helper()
	db, err := store.New(drv, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// plainEngine hides that the engine can do transactions.
type plainEngine struct{ driver.Driver }

// TestTransactUnsupported: what no engine can do together is an error that says so, and changes
// nothing.
func TestTransactUnsupported(t *testing.T) {
	ctx := context.Background()
	memory := engineOf(t, memdriver.New(), nil)
	files := openDir(t, t.TempDir(), store.Options{})
	for name, test := range map[string]struct {
		docs []*store.Doc
		says string
	}{
		"without transactions": {func() []*store.Doc {
			db := engineOf(t, plainEngine{memdriver.New()}, nil)
			return []*store.Doc{db.Doc("a"), db.Doc("b")}
		}(), `"memory"`},
		"one document, without transactions": {[]*store.Doc{engineOf(t,
			plainEngine{memdriver.New()}, nil).Doc("a")}, `"memory"`},
		"two engines": {[]*store.Doc{memory.Doc("a"),
			engineOf(t, memdriver.New(), nil).Doc("a")}, "several engines"},
		"files and memory": {[]*store.Doc{files.Doc("a"), memory.Doc("a")}, "another engine"},
		"memory and files": {[]*store.Doc{memory.Doc("a"), files.Doc("a")}, "another engine"},
	} {
		t.Run(name, func(t *testing.T) {
			write := func(tx *store.Tx) error {
				for _, doc := range test.docs {
					if err := tx.Write(doc, []byte("1")); err != nil {
						return err
					}
				}
				return nil
			}
			read := func(tx *store.Tx) error {
				for _, doc := range test.docs {
					if _, _, err := tx.Read(doc); err != nil && !errors.Is(err, store.ErrNotExist) {
						return err
					}
				}
				return nil
			}
			for what, err := range map[string]error{"transact": store.Transact(ctx, write),
				"view": store.View(ctx, read)} {
				if !errors.Is(err, store.ErrUnsupported) ||
					!strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: %v", what, err)
				}
			}
			for _, doc := range test.docs {
				if data, _, err := doc.Read(ctx); !errors.Is(err, store.ErrNotExist) {
					t.Errorf("%s is %s, %v", doc.Name(), data, err)
				}
			}
		})
	}
}

// TestTransactInMemory: a transaction in memory runs again when a document has changed that it
// wrote, read, or found to be absent.
func TestTransactInMemory(t *testing.T) {
	ctx := context.Background()
	for name, used := range map[string]func(tx *store.Tx, other *store.Doc) error{
		"written": func(tx *store.Tx, other *store.Doc) error {
			return tx.Update(other, func(old []byte) ([]byte, error) {
				return append([]byte("1"), old...), nil
			})
		},
		"read": func(tx *store.Tx, other *store.Doc) error {
			_, _, err := tx.Read(other)
			if errors.Is(err, store.ErrNotExist) {
				err = nil
			}
			return err
		},
		"written unread": func(tx *store.Tx, other *store.Doc) error {
			return tx.Write(other, []byte("3"))
		},
	} {
		for _, absent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, absent=%v", name, absent), func(t *testing.T) {
				db := engineOf(t, memdriver.New(), nil)
				a, other := db.Doc("a"), db.Doc("other")
				if !absent {
					if _, err := other.Create(ctx, []byte("1")); err != nil {
						t.Fatal(err)
					}
				}
				runs := 0
				err := db.Transact(ctx, func(tx *store.Tx) error {
					if err := used(tx, other); err != nil {
						return err
					}
					if runs++; runs == 1 {
						done := make(chan error)
						go func() {
							_, err := other.Update(ctx, func([]byte) ([]byte, error) {
								return []byte("2"), nil
							})
							done <- err
						}()
						if err := <-done; err != nil {
							return err
						}
					}
					return tx.Write(a, []byte(strconv.Itoa(runs)))
				})
				if got, _, _ := a.Read(ctx); err != nil || runs != 2 || string(got) != "2" {
					t.Errorf("%d runs, %v, and a is %s", runs, err, got)
				}
				if stats := db.Stats(); stats.Conflicts != 1 || stats.Retries != 1 {
					t.Errorf("%+v", stats)
				}
			})
		}
	}
}

// TestTransactInMemoryRefuses: a refusal comes back when what the function saw was so, and not
// when it was half of what another transaction has changed.
func TestTransactInMemoryRefuses(t *testing.T) {
	ctx := context.Background()
	db := engineOf(t, memdriver.New(), nil)
	a, b := db.Doc("a"), db.Doc("b")
	both := func(n int) error {
		return db.Transact(ctx, func(tx *store.Tx) error {
			return errors.Join(tx.Write(a, []byte(strconv.Itoa(n))),
				tx.Write(b, []byte(strconv.Itoa(n))))
		})
	}
	if err := both(1); err != nil {
		t.Fatal(err)
	}
	refused, runs := errors.New("not the same"), 0
	err := db.Transact(ctx, func(tx *store.Tx) error {
		first, _, err := tx.Read(a)
		if err != nil {
			return err
		}
		if runs++; runs == 1 {
			done := make(chan error)
			go func() { done <- both(2) }()
			if err := <-done; err != nil {
				return err
			}
		}
		second, _, err := tx.Read(b)
		if err == nil && string(first) != string(second) {
			err = refused
		}
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("%v after %d runs", err, runs)
	}
}

// outcomeEngine gives Commit another outcome.
type outcomeEngine struct {
	*memdriver.Driver
	commits int
	outcome func(versions []driver.Version, err error) ([]driver.Version, error)
}

func (d *outcomeEngine) Commit(
	ctx context.Context, changes []driver.Change,
) ([]driver.Version, error) {
	d.commits++
	return d.outcome(d.Driver.Commit(ctx, changes))
}

// TestTransactOutcomes: what an engine says of a commit comes back, and only a conflict is tried
// again.
func TestTransactOutcomes(t *testing.T) {
	ctx := context.Background()
	broken := errors.New("the server is gone")
	for _, test := range []struct {
		name    string
		outcome func([]driver.Version, error) ([]driver.Version, error)
		want    error
		commits int
	}{
		{"done", func(v []driver.Version, err error) ([]driver.Version, error) {
			return v, err
		}, nil, 1},
		{"not durable", func(v []driver.Version, err error) ([]driver.Version, error) {
			return v, errors.Join(driver.ErrNotDurable, err)
		}, store.ErrNotDurable, 1},
		{"unknown", func([]driver.Version, error) ([]driver.Version, error) {
			return nil, driver.ErrUnknown
		}, store.ErrUnknown, 1},
		{"an error", func([]driver.Version, error) ([]driver.Version, error) {
			return nil, broken
		}, broken, 1},
		{"a conflict for ever", func([]driver.Version, error) ([]driver.Version, error) {
			return nil, &driver.ConflictError{Key: "b"}
		}, store.ErrConflict, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			engine := &outcomeEngine{Driver: memdriver.New(), outcome: test.outcome}
			db := engineOf(t, engine, &store.Options{Retry: store.Retry{MaxTries: 3}})
			var last *store.Tx
			err := db.Transact(ctx, func(tx *store.Tx) error {
				last = tx
				return errors.Join(tx.Write(db.Doc("a"), []byte("1")),
					tx.Write(db.Doc("b"), []byte("1")))
			})
			if !errors.Is(err, test.want) || engine.commits != test.commits {
				t.Errorf("%v after %d commits, want %v after %d", err, engine.commits, test.want,
					test.commits)
			}
			if err == nil || errors.Is(err, store.ErrNotDurable) {
				_, version, readErr := db.Doc("b").Read(ctx)
				if readErr != nil || last.Version(db.Doc("b")) != version {
					t.Errorf("b has the version %v, %v, and the transaction says %v", version,
						readErr, last.Version(db.Doc("b")))
				}
			}
		})
	}
}

// TestTransfersInMemory: goroutines transfer between documents, and each view has the same sum.
func TestTransfersInMemory(t *testing.T) {
	const accounts, movers, each, start = 5, 4, 100, 100
	ctx := context.Background()
	db := engineOf(t, memdriver.New(), nil)
	for i := range accounts {
		doc := db.Doc(accountKey(i))
		if _, err := doc.Create(ctx, fmt.Appendf(nil, `{"n":%d}`, start)); err != nil {
			t.Fatal(err)
		}
	}
	audit := func() {
		sum := 0
		err := db.View(ctx, func(tx *store.Tx) error {
			sum = 0
			keys, err := tx.Keys("accounts/")
			if err != nil || len(keys) != accounts {
				return fmt.Errorf("%q: %w", keys, err)
			}
			for _, key := range keys {
				account, err := store.TxRead[struct{ N int }](tx, tx.Doc(key))
				if err != nil {
					return err
				}
				sum += account.N
			}
			return nil
		})
		if err != nil || sum != accounts*start {
			t.Errorf("a view has the sum %d, %v", sum, err)
		}
	}
	var all sync.WaitGroup
	for i := range movers {
		all.Go(func() {
			for n := range each {
				from := accountKey((i + n) % accounts)
				to := accountKey((i + 2*n + 1) % accounts)
				if from == to {
					continue
				}
				err := db.Transact(ctx, func(tx *store.Tx) error {
					if _, err := tx.Add(tx.Doc(from), "n", -1); err != nil {
						return err
					}
					_, err := tx.Add(tx.Doc(to), "n", 1)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	moved := make(chan struct{})
	go func() { all.Wait(); close(moved) }()
	for {
		audit()
		select {
		case <-moved:
			audit()
			return
		default:
		}
	}
}

func accountKey(i int) string { return "accounts/" + strconv.Itoa(i) }
