//go:build unix

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// moveLink has a link lead elsewhere, in one step.
func moveLink(t *testing.T, link, target string) {
	t.Helper()
	if err := errors.Join(os.Symlink(target, link+"~"), os.Rename(link+"~", link)); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v; want %s", filepath.Base(path), got, err, want)
	}
}

// TestMovedLinks: a handle does what opening the path anew would do, when a link at the
// document or on the way to it leads elsewhere.
func TestMovedLinks(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct{ link, first, second, document string }{
		"at the document":       {"cur.json", "a.json", "b.json", "cur.json"},
		"on the way":            {"data", "v1", "v2", "data/s.json"},
		"a link to one of both": {"..data", "v1", "v2", "s.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			first, second := at(c.first), at(c.second)
			if c.first != "a.json" {
				if err := errors.Join(os.Mkdir(first, 0o700), os.Mkdir(second, 0o700)); err != nil {
					t.Fatal(err)
				}
				first, second = filepath.Join(first, "s.json"), filepath.Join(second, "s.json")
			}
			if err := errors.Join(os.WriteFile(first, []byte("1"), 0o600),
				os.WriteFile(second, []byte("10"), 0o600)); err != nil {
				t.Fatal(err)
			}
			moveLink(t, at(c.link), c.first)
			if c.link == "..data" { // as in a mounted ConfigMap
				moveLink(t, at("s.json"), "..data/s.json")
			}
			doc := open(t, at(c.document), Options{})
			if _, err := doc.Update(ctx, increment); err != nil {
				t.Fatal(err)
			}
			wantFile(t, first, "2")
			_, version, err := doc.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}

			moveLink(t, at(c.link), c.second)
			if got := content(t, doc); got != "10" {
				t.Errorf("read %s, want 10", got)
			}
			if _, err := doc.CompareAndSwap(ctx, version, []byte("3")); !errors.Is(err,
				ErrConflict) {
				t.Errorf("a swap of what the link has led to: %v", err)
			}
			if _, err := doc.Update(ctx, increment); err != nil {
				t.Fatal(err)
			}
			wantFile(t, first, "2")
			wantFile(t, second, "11")

			moveLink(t, at(c.link), c.first)
			if info, err := doc.Inspect(ctx); err != nil || info.Size != 1 ||
				info.Path != mustEval(t, first) {
				t.Errorf("inspected: %+v, %v", info, err)
			}

			// Where nothing is, it is as with a path that is opened anew.
			moveLink(t, at(c.link), "nowhere")
			again, openErr := OpenFile(at(c.document), nil)
			if openErr == nil {
				_, openErr = again.Update(ctx, increment)
				again.Close()
			}
			// The document is made there, if the directory is there.
			_, err = doc.Update(ctx, increment)
			made, readErr := os.ReadFile(at(c.document))
			if (err == nil) != (openErr == nil) || err == nil && string(made) != "2" ||
				err != nil && readErr == nil {
				t.Errorf("of a link to nothing: %v; opened anew: %v; made %q", err, openErr, made)
			}
			wantFile(t, first, "2")
			wantFile(t, second, "11")
		})
	}
}

func mustEval(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMovedToOwnName: a link that is moved to a file of the store's own is refused then.
func TestMovedToOwnName(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "a.json"), filepath.Join(dir, "cur.json")
	if err := os.WriteFile(target, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	moveLink(t, link, "a.json")
	doc := open(t, link, Options{})
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	moveLink(t, link, ".a.json.lock")
	_, err := doc.Update(context.Background(), increment)
	if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "name the document") {
		t.Error(err)
	}
	wantFile(t, target, "2")
}

// heldElsewhere locks a file as another program does.
func heldElsewhere(t *testing.T, path string) fsys.File {
	t.Helper()
	file, err := fsys.New().Open(path, fsys.OpenLock, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if locked, err := file.TryLock(); err != nil || !locked {
		t.Fatal(locked, err)
	}
	return file
}

// twoTargets makes the documents a, of 1, and b, of 10, and a link that leads to a.
func twoTargets(t *testing.T) (a, b, link string) {
	t.Helper()
	dir := t.TempDir()
	a, b = filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	link = filepath.Join(dir, "cur")
	err := errors.Join(os.WriteFile(a, []byte("1"), 0o600), os.WriteFile(b, []byte("10"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	moveLink(t, link, "a.json")
	return a, b, link
}

// TestMovedWhileItWaits: an update that begins when a link has moved sees what is where it
// leads, and is made there, also if it inherits the wait for a lock from one that began before.
func TestMovedWhileItWaits(t *testing.T) {
	keep := func(old []byte) ([]byte, error) { return old, nil }
	for name, change := range map[string]func([]byte) ([]byte, error){"keep": keep,
		"add": increment} {
		t.Run(name, func(t *testing.T) {
			a, b, link := twoTargets(t)
			doc := open(t, link, Options{Locking: true})
			theirs := heldElsewhere(t, names.Lock(a))
			done := make(chan error, 2)
			seen := make(chan string, 10)
			update := func() {
				_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
					seen <- string(old)
					return change(old)
				})
				done <- err
			}
			go update()
			for deadline := time.Now().Add(10 * time.Second); doc.Stats().LockWaits == 0; {
				if time.Now().After(deadline) {
					t.Fatal("the lock is not waited for")
				}
				time.Sleep(time.Millisecond)
			}
			moveLink(t, link, "b.json")
			go update()
			if err := errors.Join(theirs.Unlock(), <-done, <-done); err != nil {
				t.Error(err)
			}
			close(seen)
			for old := range seen {
				if old == "1" {
					t.Error("an update has seen what was where the link led before")
				}
			}
			wantFile(t, a, "1")
			want := map[string]string{"keep": "10", "add": "12"}[name]
			wantFile(t, b, want)
		})
	}
}

// TestMovedWhileItIsMade: what was read where a link led before is not written there when it
// leads elsewhere.
func TestMovedWhileItIsMade(t *testing.T) {
	ctx := context.Background()
	for _, locking := range []bool{false, true} {
		a, b, link := twoTargets(t)
		doc := open(t, link, Options{Locking: locking})
		_, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
			moveLink(t, link, "b.json")
			return increment(old)
		})
		if err != nil {
			t.Errorf("locking=%v: %v", locking, err)
		}
		wantFile(t, a, "1")
		wantFile(t, b, "11")
	}
}

// TestMovedDirectory: a directory on the path becomes a link, and is moved while an update has
// the lock of the document that was there before. The other document is not replaced without
// its own lock.
func TestMovedDirectory(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.Mkdir(at("data"), 0o700), os.Mkdir(at("v2"), 0o700),
		os.WriteFile(at("data/s.json"), []byte("1"), 0o600), os.WriteFile(at("v2/s.json"),
			[]byte("1"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	doc := open(t, at("data/s.json"), Options{Locking: true, LockWait: time.Millisecond})
	if err := errors.Join(os.Rename(at("data"), at("v1")),
		os.Symlink("v1", at("data"))); err != nil {
		t.Fatal(err)
	}
	heldElsewhere(t, names.Lock(at("v2/s.json")))
	_, err = doc.Update(context.Background(), func(old []byte) ([]byte, error) {
		moveLink(t, at("data"), "v2")
		return increment(old)
	})
	if !errors.Is(err, ErrLocked) {
		t.Errorf("the error is %v, want that the other document is locked", err)
	}
	wantFile(t, at("v1/s.json"), "1")
	wantFile(t, at("v2/s.json"), "1")
}

// TestLinkedToNothing: a directory on the path is a link to nothing when the handle is opened.
func TestLinkedToNothing(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	moveLink(t, at("data"), "v1")
	doc := open(t, at("data/s.json"), Options{})
	for _, version := range []string{"v1", "v2"} {
		if err := os.Mkdir(at(version), 0o700); err != nil {
			t.Fatal(err)
		}
		moveLink(t, at("data"), version)
		if _, err := doc.Update(context.Background(), become(`"`+version+`"`)); err != nil {
			t.Error(err)
		}
		wantFile(t, at(version+"/s.json"), `"`+version+`"`)
	}
	if doc.drv.files.linked == "" {
		t.Error("links are not followed by each operation")
	}
}

// TestMovedAndNested: whether two documents are one is a matter of where links lead now.
func TestMovedAndNested(t *testing.T) {
	ctx := context.Background()
	a, b, link := twoTargets(t)
	byLink := open(t, link, Options{Locking: true})
	onA, onB := open(t, a, Options{}), open(t, b, Options{LockWait: time.Millisecond})
	moveLink(t, link, "b.json")
	_, err := byLink.Update(ctx, func(old []byte) ([]byte, error) {
		if _, err := onA.Update(ctx, increment); err != nil {
			t.Errorf("of another document: %v", err)
		}
		if _, err := onB.Update(ctx, increment); !errors.Is(err, errNested) {
			t.Errorf("of the same document: %v", err)
		}
		return old, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// elsewhere is a file system of which a directory is on another device, which is remote.
type elsewhere struct {
	fsys.FS
	dir string
}

func (e elsewhere) Network(dir string) (string, error) {
	if dir == e.dir {
		return "nfs", nil
	}
	return e.FS.Network(dir)
}

func (e elsewhere) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	file, err := e.FS.Open(name, how, perm)
	if err == nil && filepath.Dir(name) == e.dir {
		file = onDevice{file}
	}
	return file, err
}

func (e elsewhere) Lstat(name string) (fsys.Info, error) {
	info, err := e.FS.Lstat(name)
	if filepath.Dir(name) == e.dir {
		info.Dev++
	}
	return info, err
}

type onDevice struct{ fsys.File }

func (f onDevice) Stat() (fsys.Info, error) {
	info, err := f.File.Stat()
	info.Dev++
	return info, err
}

// TestMountedBeneath: what is mounted beneath a directory, or lies where a link leads, is
// refused if it is remote, also when the handle was opened elsewhere.
func TestMountedBeneath(t *testing.T) {
	ctx := context.Background()
	for _, there := range []bool{false, true} {
		dir := t.TempDir()
		target := filepath.Join(dir, "sub", "x.json")
		err := os.Mkdir(filepath.Join(dir, "sub"), 0o700)
		if err == nil && there {
			err = os.WriteFile(target, []byte("{}"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		files, err := fsys.Beneath(dir)
		if err != nil {
			t.Fatal(err)
		}
		db, err := openFiles(elsewhere{files, "sub"}, "", ".", &Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Doc("sub/x").Set(ctx, "a", 1); !errors.Is(err, ErrUnsupported) {
			t.Errorf("there=%v: %v", there, err)
		}
		if data, err := os.ReadFile(target); there && string(data) != "{}" || !there && err == nil {
			t.Errorf("there=%v: written is %q", there, data)
		}
		if _, err := db.Doc("y").Set(ctx, "a", 1); err != nil {
			t.Errorf("beside it: %v", err)
		}
	}
}
