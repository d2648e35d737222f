// Faults of transactions that are known and not yet mended: each test fails without its Skip.

package store

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

// TestKnownFaultSwapFromCommitted: a read sees the version that a dead transaction has committed
// and not published; a swap from that version is told a conflict, with a version that nobody can
// read any longer. Nothing recovers the transaction meanwhile, so a loop of Read and
// CompareAndSwap goes on for ever. Between processes that live it is a conflict now and then that
// none was. (Stage looks at the file before the flush, and not at the intent.)
func TestKnownFaultSwapFromCommitted(t *testing.T) {
	t.Skip("known fault: attempt.Stage compares with the file where an intent is committed")
	ctx := context.Background()
	for name, old := range map[string]string{"replaced": "1", "created": ""} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "doc.json")
			if old != "" {
				putFile(t, path, []byte(old))
			}
			in := stagedIntent(t, path, "7")
			in.Committed = true
			putIntent(t, path, in)
			doc := open(t, path, Options{})
			data, version, err := doc.Read(ctx)
			if err != nil || string(data) != "7" {
				t.Fatalf("read %s, %v", data, err)
			}
			if _, err := doc.CompareAndSwap(ctx, version, []byte("8")); err != nil {
				t.Error(err)
			}
			if got := reads(t, doc); got != "8" {
				t.Errorf("the document is %s", got)
			}
		})
	}
	t.Run("deleted", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "doc.json")
		putFile(t, path, []byte("1"))
		in := stagedIntent(t, path, "7")
		in.Committed, in.Staged, in.New = true, "", ""
		putIntent(t, path, in)
		doc := open(t, path, Options{})
		if data, _, err := doc.Read(ctx); !errors.Is(err, ErrNotExist) {
			t.Fatalf("read %s, %v", data, err)
		}
		if _, err := doc.Create(ctx, []byte("8")); err != nil {
			t.Error(err)
		}
	})
}

// TestKnownFaultKeysOfView: the keys that a view lists are those of the files, so that a document
// that a transaction has committed and not yet published is in no view of all keys.
func TestKnownFaultKeysOfView(t *testing.T) {
	t.Skip("known fault: Tx.Keys lists files, and no document that an intent has made")
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "doc.json")
	in := stagedIntent(t, path, "7")
	in.Committed = true
	putIntent(t, path, in)
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(ctx, func(tx *Tx) error {
		data, _, err := tx.Read(db.Doc("doc"))
		if err != nil || string(data) != "7" {
			t.Fatalf("read %s, %v", data, err)
		}
		keys, err := tx.Keys("")
		if err == nil && !slices.Equal(keys, []string{"doc"}) {
			t.Errorf("a document can be read, and the keys are %q", keys)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
