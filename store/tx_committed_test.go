//go:build !windows

// Transactions that are committed and not published, and documents that are absent: what swaps,
// views and refusals make of them.

package store

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// TestSwapFromCommitted: a swap succeeds from the version that a dead transaction has committed and
// not published, which is the version that a read returns.
func TestSwapFromCommitted(t *testing.T) {
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
		in.Committed, in.New = true, identity{}
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

// TestKeysOfView: a view lists a document that a transaction has committed and not yet
// published.
func TestKeysOfView(t *testing.T) {
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

// TestViewOfAbsent: a view of several documents, one of which is absent, succeeds where
// one try is allowed.
func TestViewOfAbsent(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, &Options{Retry: Retry{MaxTries: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	putFile(t, filepath.Join(dir, "a.json"), []byte("1"))
	err = db.View(context.Background(), func(tx *Tx) error {
		for _, key := range []string{"a", "b"} {
			if _, _, err := tx.Read(tx.Doc(key)); err != nil && !errors.Is(err, ErrNotExist) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if stats := db.Stats(); stats.Conflicts > 0 {
		t.Errorf("%+v, and nobody else was there", stats)
	}
}

// looking calls look before each look for an intent.
type looking struct {
	fsys.FS
	look func(name string)
}

func (l looking) Readlink(name string) (string, error) {
	l.look(name)
	return l.FS.Readlink(name)
}

// TestRefusalOfAbsent: one document is moved between two names, so that one of them exists
// at each time. A transaction that refuses because both are absent runs again.
func TestRefusalOfAbsent(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	putFile(t, b, []byte("1"))
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	move := func(from, to string) {
		done := make(chan error)
		go func() { // another goroutine: not within the transaction
			done <- db.Transact(ctx, func(tx *Tx) error {
				return errors.Join(tx.Delete(tx.Doc(from)), tx.Create(tx.Doc(to), []byte("1")))
			})
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	rechecks := false
	files := looking{fsys.New(), func(name string) {
		if rechecks && name == names.Intent(b) {
			rechecks = false
			move("b", "a")
		}
	}}
	var docs []*Doc
	for _, path := range []string{a, b} {
		one, err := openFiles(files, path, dir, &Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		docs = append(docs, &Doc{db: one, drv: one.drv, opts: one.opts, key: path, name: path})
	}
	neither, runs := errors.New("neither is there"), 0
	err = Transact(ctx, func(tx *Tx) error {
		runs++
		found := 0
		for i, doc := range docs {
			if i == 1 && runs == 1 {
				move("b", "a")
			}
			if _, _, err := tx.Read(doc); err == nil {
				found++
			}
		}
		if runs == 1 {
			move("a", "b")
			rechecks = true
		}
		if found == 0 {
			return neither
		}
		return nil
	})
	if errors.Is(err, neither) {
		t.Errorf("%v, after %d runs, though one is there at each time", err, runs)
	}
}

// TestAbsentInOneTry: a view of two documents that were deleted, and a refusal that rests
// on them, succeed where one try is allowed: the way to their locks is no lost try.
func TestAbsentInOneTry(t *testing.T) {
	ctx := context.Background()
	db, err := Open(t.TempDir(), &Options{Retry: Retry{MaxTries: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keys := []string{"a", "b"}
	for _, key := range keys { // which leaves their lock files
		if _, err := db.Doc(key).Create(ctx, []byte("1")); err != nil {
			t.Fatal(err)
		}
		if err := db.Doc(key).Delete(ctx); err != nil {
			t.Fatal(err)
		}
	}
	read := func(tx *Tx) error {
		for _, key := range keys {
			if _, _, err := tx.Read(tx.Doc(key)); !errors.Is(err, ErrNotExist) {
				t.Fatal(err)
			}
		}
		return nil
	}
	if err := db.View(ctx, read); err != nil {
		t.Errorf("a view: %v", err)
	}
	refused := errors.New("neither is there")
	err = db.Transact(ctx, func(tx *Tx) error { return errors.Join(read(tx), refused) })
	if !errors.Is(err, refused) {
		t.Errorf("a refusal: %v, want %v", err, refused)
	}
}
