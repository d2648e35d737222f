package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestOwnNames: the names of the store's own files are no documents, now and later.
func TestOwnNames(t *testing.T) {
	for name, own := range map[string]bool{
		".c.json.0123456789abcdef.tmp":                     true,
		".c.json.0123456789abcdef0123456789abcdef0123.tmp": true,
		".c.json.lock":                     true,
		".c.json.tx":                       true,
		".c.json.kept":                     true,
		".c.json.history":                  true,
		".c.lock":                          true,
		".lock":                            false,
		".c.json":                          false,
		"c.json.lock":                      false,
		"c.json.0123456789abcdef.tmp":      false,
		".c.json.0123456789ABCDEF.tmp":     false,
		".c.json.0123456789abcde.tmp":      false,
		".package-lock.json":               false,
		".0123456789abcdef.tmp":            false,
		".c.json.lock.json":                false,
		"..0123456789abcdef.tmp":           false,
		".c.json.0123456789abcdef.tmp.bak": false,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			doc, err := OpenFile(filepath.Join(dir, name), nil)
			if errors.Is(err, ErrKey) != own || !own && err != nil {
				t.Errorf("open: %v", err)
			}
			if err == nil {
				doc.Close()
			}
			// Nor by another name.
			if err := os.WriteFile(filepath.Join(dir, name), []byte("1"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(name, filepath.Join(dir, "link.json")); err != nil {
				t.Skip(err)
			}
			doc, err = OpenFile(filepath.Join(dir, "link.json"), nil)
			if err == nil {
				doc.Close()
			}
			if errors.Is(err, ErrKey) != own || !own && err != nil {
				t.Errorf("open by a link: %v", err)
			}
			db, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			_, _, err = db.Doc("link").Read(context.Background())
			if errors.Is(err, ErrKey) != own || !own && err != nil {
				t.Errorf("read by a link: %v", err)
			}
		})
	}
}

// TestSweepOnlyOurs: what no document of the store could have is not removed, whatever
// its name.
func TestSweepOnlyOurs(t *testing.T) {
	dir := t.TempDir()
	names := map[string]bool{ // whether it goes
		".photo.jpg.deadbeefdeadbeef.tmp": false,
		".doc.json.deadbeefdeadbeef.tmp":  true,
		".CON.json.deadbeefdeadbeef.tmp":  false,
		"..x.json.deadbeefdeadbeef.tmp":   false,
		".other.json.deadbeefdeadbee.tmp": false,
		".json.deadbeefdeadbeef.tmp":      false,
		".a b.json.deadbeefdeadbeef.tmp":  true,
	}
	for name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Doc("doc").Create(context.Background(), []byte("1")); err != nil {
		t.Fatal(err)
	}
	for name, goes := range names {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err != nil) != goes {
			t.Errorf("%s: %v", name, err)
		}
	}
}
