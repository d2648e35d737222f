package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// faulty is the real file system, where each operation first asks hook what is to go wrong.
type faulty struct {
	fsys.FS
	hook func(op, name string) error
	open int // files that are open
}

func (f *faulty) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	if err := f.hook([]string{"open", "create", "open lock"}[how], name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, how, perm)
	if err != nil {
		return nil, err
	}
	f.open++
	return &faultyFile{file, f, name}, nil
}

func (f *faulty) Lstat(name string) (fsys.Info, error) {
	if err := f.hook("lstat", name); err != nil {
		return fsys.Info{}, err
	}
	return f.FS.Lstat(name)
}

func (f *faulty) Rename(from, to string, how fsys.RenameHow) error {
	if err := f.hook("rename", to); err != nil {
		return err
	}
	return f.FS.Rename(from, to, how)
}

func (f *faulty) Remove(name string) error {
	if err := f.hook("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *faulty) ReadDir(name string) ([]fsys.Entry, error) {
	if err := f.hook("readdir", name); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(name)
}

func (f *faulty) SyncDir(name string) error {
	if err := f.hook("syncdir", name); err != nil {
		return err
	}
	return f.FS.SyncDir(name)
}

type faultyFile struct {
	fsys.File
	in   *faulty
	name string
}

func (f *faultyFile) Read(p []byte) (int, error) {
	if err := f.in.hook("read", f.name); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.in.hook("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2]) // as a device does that is full half-way
		return n, err
	}
	return f.File.Write(p)
}

func (f *faultyFile) Stat() (fsys.Info, error) {
	if err := f.in.hook("stat", f.name); err != nil {
		return fsys.Info{}, err
	}
	return f.File.Stat()
}

func (f *faultyFile) SetMtime(ns int64) error {
	if err := f.in.hook("set mtime", f.name); err != nil {
		return err
	}
	return f.File.SetMtime(ns)
}

func (f *faultyFile) Sync() error {
	if err := f.in.hook("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) TryLock() (bool, error) {
	if err := f.in.hook("lock", f.name); err != nil {
		return false, err
	}
	return f.File.TryLock()
}

func (f *faultyFile) Close() error {
	f.in.open--
	return f.File.Close()
}

// openFaulty is OpenFile on a faulty file system. The hook is set after it was opened.
func openFaulty(t *testing.T, path string, opts Options) (*Doc, *faulty) {
	t.Helper()
	files := &faulty{FS: fsys.New(), hook: func(string, string) error { return nil }}
	db, err := openFiles(files, path, filepath.Dir(path), &opts)
	if err != nil {
		t.Fatal(err)
	}
	doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path, owns: true}
	t.Cleanup(func() { doc.Close() })
	return doc, files
}

// TestFaults: whichever call of the file system goes wrong in an update, it leaves the old
// content and says what went wrong, or the new one; the next one goes well, and there is no
// litter but what could not be removed, which the next handle sweeps.
func TestFaults(t *testing.T) {
	const before, after = "[1]", "[2]"
	type operation struct {
		name      string
		old, want string
		do        func(doc *Doc) error
	}
	operations := []operation{
		{"create", "", after, func(doc *Doc) error { _, err := doc.Update(context.Background(), become(after)); return err }},
		{"replace", before, after, func(doc *Doc) error { _, err := doc.Update(context.Background(), become(after)); return err }},
		{"delete", before, "", func(doc *Doc) error { return doc.Delete(context.Background()) }},
	}
	for _, mode := range []Options{{}, {Locking: true}, {Versions: VersionMtime}, {Durability: Volatile}} {
		for _, op := range operations {
			for _, fault := range []error{syscall.EIO, syscall.ENOSPC, syscall.EMFILE} {
				name := fmt.Sprintf("%s %v %v %v %v", op.name, mode.Versions, mode.Locking, mode.Durability, fault)
				t.Run(name, func(t *testing.T) {
					for nth := 1; ; nth++ {
						if !faultAt(t, op.old, op.want, mode, op.do, nth, fault) {
							if nth < 8 {
								t.Fatalf("only %d calls were seen", nth-1)
							}
							return
						}
					}
				})
			}
		}
	}
}

// faultAt makes the nth call go wrong, and reports whether there are that many.
func faultAt(t *testing.T, old, want string, opts Options, do func(*Doc) error, nth int, fault error) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doc.json")
	if old != "" {
		if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc, files := openFaulty(t, path, opts)
	calls, failed := 0, ""
	files.hook = func(op, name string) error {
		calls++
		if calls != nth {
			return nil
		}
		failed = op + " " + filepath.Base(name)
		return &fs.PathError{Op: op, Path: name, Err: fault}
	}
	err := do(doc)
	files.hook = func(string, string) error { return nil }
	data, readErr := os.ReadFile(path)
	got := string(data)
	switch {
	case readErr != nil && !errors.Is(readErr, fs.ErrNotExist):
		t.Fatal(readErr)
	case strings.HasPrefix(failed, "syncdir") && !errors.Is(err, ErrNotDurable):
		t.Errorf("%s failed: %v, want ErrNotDurable", failed, err)
	case err == nil && got != want:
		t.Errorf("%s failed: no error, and the content is %q, want %q", failed, got, want)
	case errors.Is(err, ErrNotDurable) && (got != want || !strings.HasPrefix(failed, "syncdir")):
		t.Errorf("%s failed: %v, and the content is %q, want %q", failed, err, got, want)
	case err != nil && !errors.Is(err, ErrNotDurable) && got != old:
		t.Errorf("%s failed: %v, and the content is %q, want %q", failed, err, got, old)
	case err != nil && !errors.Is(err, fault):
		t.Errorf("%s failed: the error is %v, want %v", failed, err, fault)
	}
	// The handle is as good as before.
	if _, err := doc.Update(context.Background(), become("[3]")); err != nil {
		t.Errorf("%s failed; the next update: %v", failed, err)
	}
	doc.Close()
	if files.open != 0 {
		t.Errorf("%s failed: %d files are still open", failed, files.open)
	}
	checkUnlocked(t, doc)
	return failed != ""
}

// TestForeignCreator: a program that takes no lock makes the document between verify and publish;
// what it wrote is not replaced unseen.
func TestForeignCreator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	doc, files := openFaulty(t, path, Options{})
	foreign := false
	files.hook = func(op, name string) error {
		if op == "rename" && !foreign {
			foreign = true
			return os.WriteFile(path, []byte("41"), 0o600)
		}
		return nil
	}
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Error(err)
	}
	if got := content(t, doc); got != "42" {
		t.Errorf("the document is %s, want 42", got)
	}
	if stats := doc.Stats(); stats.Conflicts != 1 {
		t.Errorf("stats: %v", stats)
	}
}

// TestSureLoserDoesNotFlush: an update whose document has moved on is told so before it
// waits for the device.
func TestSureLoserDoesNotFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	doc, files := openFaulty(t, path, Options{Retry: Retry{MaxTries: 1}})
	files.hook = func(op, name string) error {
		if strings.HasPrefix(op, "sync") {
			t.Errorf("%s %s", op, name)
		}
		return nil
	}
	_, err := doc.Update(context.Background(), func([]byte) ([]byte, error) {
		return []byte("1"), os.WriteFile(path, []byte("2"), 0o600)
	})
	if !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
}

// TestFlushes: each level flushes what it promises to, and in that order.
func TestFlushes(t *testing.T) {
	for _, test := range []struct {
		opts Options
		want string
	}{
		{Options{}, "sync rename syncdir"},
		{Options{Locking: true}, "sync rename syncdir"},
		{Options{Durability: Ordered}, "sync rename"},
		{Options{Durability: Volatile}, "rename"},
	} {
		path := filepath.Join(t.TempDir(), "doc.json")
		doc, files := openFaulty(t, path, test.opts)
		for _, data := range []string{"1", "2"} {
			var ops []string
			files.hook = func(op, name string) error {
				if strings.HasPrefix(op, "sync") || op == "rename" {
					ops = append(ops, op)
				}
				if op == "syncdir" {
					holdLock(t, doc)() // nobody waits for our flush
				}
				return nil
			}
			if _, err := doc.Update(context.Background(), become(data)); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(ops, " "); got != test.want {
				t.Errorf("%v: %s, want %s", test.opts.Durability, got, test.want)
			}
		}
	}
}
