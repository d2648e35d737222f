package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// TestTransactionsOnWindows: a transaction over two documents is ErrUnsupported and
// changes nothing; over one document it is an update.
func TestTransactionsOnWindows(t *testing.T) {
	ctx := context.Background()
	db := openKeys(t, t.TempDir(), Options{}, "a", "b")
	both := func(tx *Tx) error {
		_, a := tx.Add(tx.Doc("a"), "n", 1)
		_, b := tx.Add(tx.Doc("b"), "n", 1)
		return errors.Join(a, b)
	}
	for _, key := range []string{"a", "b"} {
		if err := db.Doc(key).Delete(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Transact(ctx, both); !errors.Is(err, ErrUnsupported) {
		t.Errorf("two documents: %v", err)
	}
	for _, key := range []string{"a", "b"} {
		if _, _, err := db.Doc(key).Read(ctx); !errors.Is(err, ErrNotExist) {
			t.Errorf("%s was made: %v", key, err)
		}
	}
	err := db.Transact(ctx, func(tx *Tx) error {
		_, err := tx.Add(tx.Doc("a"), "n", 1)
		return err
	})
	if err != nil {
		t.Errorf("one document: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(db.where, ".*.t*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Simulations of transactions and views are for other systems.
func txSimulations(map[string]simulation)       {}
func viewSimulations(map[string]simulation)     {}
func snapshotSimulations(map[string]simulation) {}
func sampledTransactions(map[string]simulation) {}
func sampledViews(map[string]simulation)        {}
