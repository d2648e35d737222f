//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// openMeddled opens a directory with old documents. Each call of the file system first tells
// meddle, which may change the directory as another program does.
func openMeddled(
	t *testing.T, documents map[string]string,
	meddle func(files *simfs.Faulty, dir, op, name string),
) *DB {
	t.Helper()
	_, dir := openWith(t, Options{}, documents)
	for key := range documents {
		setBack(t, filepath.Join(dir, key+keySuffix))
	}
	time.Sleep(time.Duration(ofAge)) // no program can set a ctime
	real, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := &simfs.Faulty{FS: real}
	files.Inject = func(op, name string) simfs.Fault {
		meddle(files, dir, op, name)
		return simfs.Fault{}
	}
	db, err := openFiles(files, "", ".", &Options{Retry: Retry{MaxTries: 3}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.where = dir
	return db
}

func setBack(t *testing.T, path string) {
	t.Helper()
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshotForeign: a program without locks changes a document that was read, and then another
// one before that is read. A snapshot has both changes, or none.
func TestSnapshotForeign(t *testing.T) {
	write := func(t *testing.T, path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(t *testing.T, dir string){
		"in place, the time set back": func(t *testing.T, dir string) {
			path := filepath.Join(dir, "a.json")
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, "[2]")
			if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
		"by replacing it": func(t *testing.T, dir string) {
			other := filepath.Join(dir, "new")
			write(t, other, "[2]")
			if err := os.Rename(other, filepath.Join(dir, "a.json")); err != nil {
				t.Fatal(err)
			}
		},
		"by deleting it": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "a.json")); err != nil {
				t.Fatal(err)
			}
		},
		"by creating another": func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "b.json"), "[2]")
		},
		"by moving a link": func(t *testing.T, dir string) {
			link := filepath.Join(dir, "link.json")
			err := errors.Join(os.Remove(link), os.Symlink("y.json", link))
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed, in := false, ""
			documents := map[string]string{"a": "[1]", "x": "[1]", "y": "[2]", "z": "[1]"}
			db := openMeddled(t, documents, func(_ *simfs.Faulty, dir, op, file string) {
				in = dir
				if !changed && op == "open" && file == "z.json" {
					changed = true
					change(t, dir)
					write(t, filepath.Join(dir, "z.json"), "[2]")
				}
			})
			link := filepath.Join(db.where, "link.json")
			if err := os.Symlink("x.json", link); err != nil {
				t.Fatal(err)
			}
			found := contents(t, snapshotOf(t, db, "s"))
			want := map[string]string{"a": "[1]", "link": "[1]", "x": "[1]", "y": "[2]", "z": "[2]"}
			for key := range want {
				data, err := os.ReadFile(filepath.Join(in, key+".json"))
				if want[key] = string(data); err != nil {
					delete(want, key)
				}
			}
			if data, err := os.ReadFile(filepath.Join(in, "b.json")); err == nil {
				want["b"] = string(data)
			}
			if fmt.Sprint(found) != fmt.Sprint(want) || !changed {
				t.Errorf("%v, not %v", found, want)
			}
		})
	}
}

// TestSnapshotNewOnes: documents that come while a snapshot is made are looked at again too.
func TestSnapshotNewOnes(t *testing.T) {
	listings, changed := 0, false
	write := func(dir, content string) {
		for _, name := range []string{"m.json", "n.json"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	db := openMeddled(t, map[string]string{"a": "1"}, func(_ *simfs.Faulty, dir, op, name string) {
		switch {
		case op == "readdir":
			if listings++; listings == 3 { // when the documents were read once
				write(dir, "[1]")
			}
		case op == "open" && name == "n.json" && !changed: // m was read
			changed = true
			write(dir, "[2]")
		}
	})
	found := contents(t, snapshotOf(t, db, "s"))
	if found["m"] != found["n"] || found["n"] != "[2]" || !changed {
		t.Errorf("%v, changed %v", found, changed)
	}
}

// TestSnapshotUnderLocks: what is locked is looked at again with its lock.
func TestSnapshotUnderLocks(t *testing.T) {
	changes, locked := 0, false
	documents := map[string]string{"a": "[0]", "b": "[0]"}
	write := func(dir, key string) {
		content := fmt.Appendf(nil, "[%d]", changes)
		if err := os.WriteFile(filepath.Join(dir, key+keySuffix), content, 0o600); err != nil {
			t.Error(err)
		}
	}
	db := openMeddled(t, documents, func(_ *simfs.Faulty, dir, op, name string) {
		switch {
		case name == names.Lock("a.json") && op != "lstat":
			locked = true
		case locked:
		case op == "readdir":
			write(dir, "b") // so that it is read again
		case op == "open" && name == "b.json": // after a was read
			changes++
			write(dir, "a")
			write(dir, "b")
		}
	})
	for key := range documents {
		path := filepath.Join(db.where, names.Lock(key+keySuffix))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := contents(t, snapshotOf(t, db, "s"))
	if found["a"] != found["b"] || changes != optimisticLooks || !locked {
		t.Errorf("%v, %d changes, locked %v", found, changes, locked)
	}
}

// TestSnapshotClosesFiles: what is old when it is read is closed, what is young stays open.
func TestSnapshotClosesFiles(t *testing.T) {
	listings := 0
	documents := map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}
	db := openMeddled(t, documents, func(files *simfs.Faulty, dir, op, _ string) {
		if op != "readdir" {
			return
		}
		listings++
		// The first one sweeps, the second one is before the documents are read.
		if open := files.Opened.Load(); listings == 3 && open != 1+2 {
			t.Errorf("%d files are open, want the snapshot's and those of two documents", open)
		}
		if listings == 1 {
			for _, name := range []string{"b.json", "c.json"} { // what is in them stays
				path := filepath.Join(dir, name)
				if err := errors.Join(os.Chmod(path, 0o644), os.Chmod(path, 0o600)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	if got := contents(t, snapshotOf(t, db, "s")); fmt.Sprint(got) != fmt.Sprint(documents) {
		t.Error(got)
	}
	if listings != 3 {
		t.Errorf("%d listings", listings)
	}
}

// TestSnapshotDangling: a link that leads nowhere is no document. If its target has a lock file, it
// may have come and gone, and is looked at with that lock.
func TestSnapshotDangling(t *testing.T) {
	for _, locked := range []bool{false, true} {
		db, dir := openWith(t, Options{}, map[string]string{"a": "1"})
		if err := os.Symlink("none.json", filepath.Join(dir, "l.json")); err != nil {
			t.Fatal(err)
		}
		if locked {
			path := filepath.Join(dir, names.Lock("none.json"))
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := contents(t, snapshotOf(t, db, "s")); fmt.Sprint(got) != "map[a:1]" {
			t.Error(got)
		}
		if n := db.Stats().Escalations; (n > 0) != locked {
			t.Errorf("locked %v: %d escalations", locked, n)
		}
	}
}

// omitting omits a name when the directory is listed, as Btrfs can if that moves.
type omitting struct{ fsys.FS }

func (f omitting) ReadDir(name string) (found []fsys.Entry, err error) {
	all, err := f.FS.ReadDir(name)
	for _, entry := range all {
		if entry.Name != "a.json" {
			found = append(found, entry)
		}
	}
	return found, err
}

// TestSnapshotMovingNames: if a name is omitted, the directory has changed while it was listed.
func TestSnapshotMovingNames(t *testing.T) {
	ctx := context.Background()
	db, _ := openWith(t, Options{Retry: Retry{MaxTries: 1}}, map[string]string{"b": "1"})
	if _, err := db.Doc("a").Create(ctx, []byte("1")); err != nil {
		t.Fatal(err)
	}
	db.drv.files.files = omitting{db.drv.files.files}
	if _, err := db.CreateSnapshot(ctx, "s"); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
}

// TestSnapshotName: another program takes the snapshot's name, or that of the temporary file, at
// the last moment.
func TestSnapshotName(t *testing.T) {
	for name, c := range map[string]struct {
		op   string
		file string // takes its name
		want error
	}{
		"the snapshot's":    {"rename", names.Snapshot("s"), ErrExist},
		"the temporary one": {"opendir", names.Place(names.Snapshot("s"), 0), nil},
	} {
		t.Run(name, func(t *testing.T) {
			done := false
			db := openMeddled(t, map[string]string{"a": "1"},
				func(_ *simfs.Faulty, dir, op, _ string) {
					if done || !strings.HasPrefix(op, c.op) {
						return
					}
					done = true
					path := filepath.Join(dir, c.file)
					if err := os.WriteFile(path+"x", []byte("other"), 0o600); err != nil {
						t.Fatal(err)
					}
					if err := os.Rename(path+"x", path); err != nil {
						t.Fatal(err)
					}
				})
			_, err := db.CreateSnapshot(context.Background(), "s")
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !done {
				t.Errorf("%v", err)
			}
			if data, err := os.ReadFile(filepath.Join(db.where, c.file)); string(data) != "other" {
				t.Errorf("the other file has become %q, %v", data, err)
			}
			_, err = os.Lstat(filepath.Join(db.where, names.Snapshot("s")))
			if err == nil && c.want == nil {
				t.Error("there is a snapshot")
			}
		})
	}
}
