package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// stranger is a user who may do nothing but what all may.
const stranger = 4002

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
			needsLinks(t)
			if err := os.Symlink(name, filepath.Join(dir, "link.json")); err != nil {
				t.Fatal(err)
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
	type fate string
	const (
		written = fate("goes when it is written")
		swept   = fate("goes when it is swept")
		stays   = fate("stays")
	)
	names := map[string]fate{
		".doc.json.0.tmp":                 written,
		".doc.json.7.tmp":                 written,
		".doc.json.deadbeefdeadbeef.tmp":  swept,
		".doc.json.8.tmp":                 stays,
		".doc.json.f.tmp":                 stays,
		".doc.json.00.tmp":                stays,
		".photo.jpg.deadbeefdeadbeef.tmp": stays,
		".photo.jpg.0.tmp":                stays,
		"..x.json.0.tmp":                  stays,
		".json.0.tmp":                     stays,
		".other.json.0.tmp":               stays,
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
	check := func(gone ...fate) {
		t.Helper()
		for name, is := range names {
			if _, err := os.Lstat(filepath.Join(dir,
				name)); (err != nil) != slices.Contains(gone, is) {
				t.Errorf("%s, which %s: %v", name, is, err)
			}
		}
	}
	doc := db.Doc("doc")
	if _, err := doc.Create(context.Background(), []byte("1")); err != nil {
		t.Fatal(err)
	}
	check(written)
	if _, _, err := doc.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	check(written, swept)
}

// TestSweepGoesOn: what dies in the document's row is removed by a handle that lives on, not
// at once, but soon; and at once where the document is deleted.
func TestSweepGoesOn(t *testing.T) {
	ctx := context.Background()
	doc := document(t, "0", Options{Durability: Volatile})
	left := names.Place(doc.Name(), 5)
	leave := func() {
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone := func() bool {
		_, err := os.Lstat(left)
		return errors.Is(err, fs.ErrNotExist)
	}
	update := func() {
		if _, err := doc.Update(ctx, increment); err != nil {
			t.Fatal(err)
		}
	}
	update()
	leave()
	for range sweepEvery {
		update()
	}
	if !gone() {
		t.Errorf("it is still there after %d updates", sweepEvery)
	}
	leave()
	if err := doc.Delete(ctx); err != nil || !gone() {
		t.Errorf("it is still there after a deletion: %v", err)
	}
}

// TestRowIsFull: where all places of a row are taken, by living writers, there are other
// names, and none is in another's way.
func TestRowIsFull(t *testing.T) {
	doc := document(t, "0", Options{})
	var release []func()
	for place := range names.Places {
		path := names.Place(doc.Name(), place)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		release = append(release, lockFile(t, path))
	}
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(doc.Name()[:len(doc.Name())-len("doc.json")] +
		".doc.json.*.tmp"); len(found) != names.Places {
		t.Errorf("left are %q, %v", found, err)
	}
	for _, release := range release {
		release()
	}
}

// planting is a stranger in a sticky directory, who makes a file with the name of what a
// guard would put back, beside guarded writers and a sweep.
type planting struct{ scenario }

const strange = `["stranger"]`

func (s planting) setup(w *simfs.World) (check func() error) {
	s.prepare(w)
	w.Sticky = true
	w.OnPublish = func(by *simfs.Process, _ string, _, new []byte) error {
		if bytes.Contains(new, []byte("stranger")) {
			return fmt.Errorf("%s put %s in the document's place", by.Name, new)
		}
		return nil
	}
	for i, opts := range s.writers {
		name := string(rune('a' + i))
		s.opened(w, name, opts, func(doc *Doc) error {
			_, err := doc.Update(context.Background(), appendName(name))
			return err
		})
	}
	p := w.Go("stranger", func(files fsys.FS) error {
		file, err := files.Open(simulated, fsys.OpenExisting, 0)
		if err != nil {
			return err
		}
		data := make([]byte, 100)
		n, _ := file.Read(data)
		info, err := file.Stat()
		file.Close()
		if err != nil {
			return err
		}
		name := guardedName{contentDigits([]byte("other")), contentDigits(data[:n]),
			stampDigits(info)}
		file, err = files.Open(names.Guarded(simulated, name.String()), fsys.OpenNew, 0o644)
		if err == nil {
			_, err = file.Write([]byte(strange))
			file.Close()
		}
		if err == nil {
			err = files.Symlink(name.String(), names.Intent(simulated))
		}
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return err
	})
	p.UID = stranger
	return func() error { return nil }
}

// planters adds the simulations of strangers.
func planters(all map[string]simulation) {
	for mode, opts := range simulatedModes {
		guard := opts
		guard.GuardForeign = true
		s := planting{scenario{writers: []Options{opts, guard}, sweeps: true, start: `["x"]`}}
		all["trust: two, a sweep and a stranger, "+mode] = simulation{setup: s.setup}
	}
}
