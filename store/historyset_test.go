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
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// switching is a scenario of writers whose history is switched on meanwhile. From the version on
// that the document had when it was on, each one that is displaced is in the history.
type switching struct {
	writers []Options // the first updates twice, with one handle, others once
	all     bool      // that of the whole directory
	deletes bool      // a single writer deletes instead of updating again
}

func (s switching) setup(w *simfs.World) (check func() error) {
	ctx := context.Background()
	const start = `["x"]`
	w.Put(simulated, start)
	w.Put(simulatedLock, marked(markNoIntent))
	w.Timed = true
	w.Quiet = func(op, name string) bool {
		base := filepath.Base(name)
		return base != filepath.Base(simulated) && !names.IsHistorySwitch(name) &&
			name != simulatedLock && op != "pause" && op != "uptime" && op != "link"
	}
	versions := [][]byte{[]byte(start)}
	var displaced []string
	w.OnPublish = func(_ *simfs.Process, _ string, old, new []byte) error {
		versions = append(versions, bytes.Clone(new))
		displaced = append(displaced, string(old))
		return nil
	}
	for i, opts := range s.writers {
		name := string(rune('a' + i))
		w.Go(name, func(files fsys.FS) error {
			doc, err := openSimulated(files, opts)
			if err != nil {
				return err
			}
			defer doc.Close()
			withoutSweep(doc)
			_, err = doc.Update(ctx, appendName(name))
			switch {
			case err != nil || i > 0:
			case s.deletes:
				err = doc.Delete(ctx)
			default:
				_, err = doc.Update(ctx, appendName(name))
			}
			return err
		})
	}
	from := 0 // the version that was there when it was on
	w.Go("switcher", func(files fsys.FS) error {
		doc, err := openSimulated(files, Options{})
		if err != nil {
			return err
		}
		defer doc.Close()
		if s.all {
			err = doc.drv.files.setAll(ctx, filepath.Dir(simulated), &HistoryOptions{})
		} else {
			err = doc.SetHistory(ctx, &HistoryOptions{Keep: -1})
		}
		if err != nil {
			return err
		}
		data, _, err := doc.Read(ctx) // which tells this order from others
		from = slices.IndexFunc(versions, func(v []byte) bool { return bytes.Equal(v, data) })
		if errors.Is(err, ErrNotExist) {
			return nil
		}
		return err
	})
	return func() error {
		got, err := historyIn(w)
		if err != nil {
			return err
		}
		want := displaced[min(from, len(displaced)):] // nothing displaces what is absent
		if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
			return fmt.Errorf("it was on from version %d on, and the history is %q; displaced "+
				"were %q", from, got, displaced)
		}
		return nil
	}
}

// TestHistoryOfSmallDocuments: the largest size of a document is not that of the switch.
func TestHistoryOfSmallDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	putText(t, path, "1")
	doc := open(t, path, Options{MaxSize: 3})
	for _, keep := range []int{7, 8} {
		switchOn(t, doc, HistoryOptions{Keep: keep})
		if opts, on, err := doc.HistoryOptions(); opts.Keep != keep || !on || err != nil {
			t.Errorf("%+v, %v, %v", opts, on, err)
		}
	}
}

// hooked is a file system that says what is about to be called, and what was.
type hooked struct {
	fsys.FS
	before, after func(op, name string)
}

func (h *hooked) call(op, name string) (done func()) {
	if h.before != nil {
		h.before(op, name)
	}
	return func() {
		if h.after != nil {
			h.after(op, name)
		}
	}
}

func (h *hooked) Mkdir(name string, perm fs.FileMode) error {
	defer h.call("mkdir", name)()
	return h.FS.Mkdir(name, perm)
}

func (h *hooked) Rename(from, to string, how fsys.RenameHow) error {
	defer h.call("rename", to)()
	return h.FS.Rename(from, to, how)
}

func (h *hooked) ReadDir(name string) ([]fsys.Entry, error) {
	defer h.call("readdir", name)()
	return h.FS.ReadDir(name)
}

func openHooked(t *testing.T, dir string, opts *Options) (*DB, *hooked) {
	t.Helper()
	files, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := &hooked{FS: files}
	db, err := openFiles(h, "", ".", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, h
}

// TestHistoryOfANewDirectory: a directory that the store makes has the switch of the one above
// it as soon as it is there, whoever writes in it, and whoever makes one in it.
func TestHistoryOfANewDirectory(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	other, err := Open(dir, nil)
	must(t, err)
	defer other.Close()
	must(t, other.SetHistory(ctx, nil), other.SetHistory(ctx, &HistoryOptions{Keep: 50}))
	db, files := openHooked(t, dir, nil)
	made := false
	files.after = func(_, name string) {
		if _, err := os.Lstat(filepath.Join(dir, "new")); err != nil || made {
			return
		}
		made = true
		_, err := other.Doc("new/sub/doc").Create(ctx, []byte("1"))
		must(t, err)
		_, err = other.Doc("new/early").Create(ctx, []byte("1"))
		must(t, err)
		_, err = other.Doc("new/early").Update(ctx, become("2"))
		must(t, err)
	}
	_, err = db.Doc("new/doc").Create(ctx, []byte("1"))
	must(t, err)
	for _, key := range []string{"new/doc", "new/sub/doc"} {
		_, err := other.Doc(key).Update(ctx, become("2"))
		must(t, err)
	}
	for _, key := range []string{"new/doc", "new/sub/doc", "new/early"} {
		if got := versionsOf(t, other.Doc(key)); len(got) != 1 || !made {
			t.Errorf("%s: the history is %q", key, got)
		}
	}
	noDirectoriesLeft(t, dir)
}

func noDirectoriesLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "new" {
			t.Errorf("left: %s", entry.Name())
		}
	}
}

// TestHistoryOfADirectoryWhoseMakerDies: who makes it after that goes on with what is there.
func TestHistoryOfADirectoryWhoseMakerDies(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db, err := Open(dir, nil)
	must(t, err)
	defer db.Close()
	must(t, db.SetHistory(ctx, &HistoryOptions{Keep: 50}),
		os.Mkdir(filepath.Join(dir, ".new.0000000000000000.tmp"), 0o700))
	doc := db.Doc("new/doc")
	_, err = doc.Create(ctx, []byte("1"))
	must(t, err)
	_, err = doc.Update(ctx, become("2"))
	must(t, err)
	haveVersions(t, doc, "1")
	noDirectoriesLeft(t, dir)
}

// TestHistorySwitchedWhileADirectoryIsMade: it has the switch that is set meanwhile, on or off.
func TestHistorySwitchedWhileADirectoryIsMade(t *testing.T) {
	ctx := context.Background()
	for what, opts := range map[string][2]*HistoryOptions{
		"changed": {{Keep: 1}, {Keep: 50}}, "off": {{Keep: 1}, nil}, "on": {nil, {Keep: 50}},
	} {
		for _, at := range []string{"mkdir", "rename"} {
			dir := t.TempDir()
			other, err := Open(dir, nil)
			must(t, err)
			defer other.Close()
			must(t, other.SetHistory(ctx, opts[0]))
			db, files := openHooked(t, dir, nil)
			var switched bool
			files.before = func(op, name string) {
				if base := filepath.Base(name); !switched && op == at &&
					(base == "new" || base == ".new.0000000000000000.tmp") {
					switched = true
					must(t, other.SetHistory(ctx, opts[1]))
				}
			}
			_, err = db.Doc("new/doc").Create(ctx, []byte("1"))
			must(t, err)
			if !switched {
				if what != "on" || at != "rename" { // without a switch above it is made at once
					t.Errorf("%s: there was no %s", what, at)
				}
				continue
			}
			got, on, err := other.Doc("new/doc").HistoryOptions()
			must(t, err)
			if on != (opts[1] != nil) || on && got != *opts[1] {
				t.Errorf("%s at the %s: %+v, %v", what, at, got, on)
			}
		}
	}
}

// TestHistoryRemovedByOldLimits: a writer that has released the lock removes nothing that was
// kept since, by other limits.
func TestHistoryRemovedByOldLimits(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	opts := &Options{Durability: Volatile}
	other, err := Open(dir, opts)
	must(t, err)
	defer other.Close()
	doc := other.Doc("doc")
	_, err = doc.Create(ctx, []byte("1000"))
	must(t, err)
	switchOn(t, doc, HistoryOptions{Keep: 1})
	db, files := openHooked(t, dir, opts)
	listed := false
	files.before = func(op, name string) {
		if op != "readdir" || listed {
			return
		}
		listed = true
		switchOn(t, doc, HistoryOptions{Keep: 100})
		for range 10 {
			_, err := doc.Update(ctx, increment)
			must(t, err)
		}
	}
	for i := 0; !listed && i < 200; i++ {
		_, err := db.Doc("doc").Update(ctx, increment)
		must(t, err)
	}
	if got := versionsOf(t, doc); len(got) < 10 || !listed {
		t.Errorf("%v; the history is %q", listed, got)
	}
}

// TestHistoryWaitsForLongNames: also where the name of the lock file does not say the document's.
func TestHistoryWaitsForLongNames(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("n", 220)+".json")
	putText(t, path, "1")
	doc := open(t, path, Options{})
	db, err := Open(dir, nil)
	must(t, err)
	defer db.Close()
	writer := doc.drv.files.attempt(doc.key, VersionHash)
	must(t, writer.lock(context.Background(), 0))
	defer writer.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := db.SetHistory(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it did not wait: %v", err)
	}
}
