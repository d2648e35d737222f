//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// TestLockPath: the file that others lock excludes us, is not written to, and no other is
// made.
func TestLockPath(t *testing.T) {
	for _, content := range []string{"", "4711\n"} {
		t.Run(fmt.Sprintf("%q", content), func(t *testing.T) { joinLock(t, content) })
	}
}

func joinLock(t *testing.T, content string) {
	ctx := context.Background()
	dir := t.TempDir()
	path, lock := filepath.Join(dir, "s.json"), filepath.Join(dir, "s.json.lock")
	if err := errors.Join(os.WriteFile(path, []byte("1"), 0o600),
		os.WriteFile(lock, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
	theirs, err := fsys.New().Open(lock, fsys.OpenLock, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if locked, err := theirs.TryLock(); err != nil || !locked {
		t.Fatal(locked, err)
	}
	for _, opts := range []Options{{}, {Locking: true}, {GuardForeign: true}} {
		opts.LockPath, opts.LockWait = lock, -1
		doc := open(t, path, opts)
		if _, err := doc.Update(ctx, increment); !errors.Is(err, ErrLocked) {
			t.Errorf("while it is locked: %v", err)
		}
		info, err := doc.Inspect(ctx)
		if err != nil || info.LockPath != lock || !info.Locked {
			t.Errorf("inspected: %+v, %v", info, err)
		}
		wantFile(t, path, "1")
	}
	if err := theirs.Unlock(); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []Options{{}, {Locking: true}} {
		opts.LockPath = lock
		if _, err := open(t, path, opts).Update(ctx, increment); err != nil {
			t.Error(err)
		}
	}
	wantFile(t, path, "3")
	wantFile(t, lock, content)
	if info, err := os.Stat(lock); err != nil || info.Mode() != 0o644 {
		t.Errorf("the lock file: %v, %v", info, err)
	}
	if _, err := os.Lstat(names.Lock(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock file of ours was made: %v", err)
	}
}

// TestLockPathMeetsIntents: whatever the size of the file, what a dead guard left is found.
func TestLockPathMeetsIntents(t *testing.T) {
	path := markedDoc(t, markNoIntent, true)
	lock := path + ".lock"
	if err := os.WriteFile(lock, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc := open(t, path, Options{LockPath: lock})
	_, err := doc.Update(context.Background(), increment)
	if got := content(t, doc); err != nil && !errors.Is(err, ErrUnsupported) || got != "42" {
		t.Errorf("the document is %s, %v; want 42", got, err)
	}
}

func TestUnusableLockPaths(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.json")
	for lock, want := range map[string]string{
		path:                                     "the document itself",
		filepath.Join(dir, "no", "..", "s.json"): "the document itself",
		names.Place(path, 0):                     "a name that the store has",
		names.Intent(path):                       "a name that the store has",
	} {
		if _, err := OpenFile(path, &Options{LockPath: lock}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", lock, err)
		}
	}
	if _, err := Open(dir, &Options{LockPath: path + ".lock"}); err == nil ||
		!strings.Contains(err.Error(), "OpenFile") {
		t.Errorf("of a directory: %v", err)
	}
	doc := open(t, path, Options{LockPath: filepath.Join(dir, "none", "lock")})
	if _, err := doc.Update(context.Background(), increment); err == nil ||
		!strings.Contains(err.Error(), "none is not there") {
		t.Errorf("in no directory: %v", err)
	}
	doc = open(t, path, Options{LockPath: names.Lock(path)})
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Errorf("the usual one: %v", err)
	}
}

// TestLockPathByAnotherPath: the document, or its own lock file, by a path that leads there
// through a link.
func TestLockPathByAnotherPath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "real", "d.json")
	alias := filepath.Join(dir, "link", "d.json")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700),
		os.Symlink("real", filepath.Dir(alias))); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, &Options{LockPath: alias}); !errors.Is(err, ErrKey) {
		t.Errorf("the document: %v", err)
	}
	doc := open(t, path, Options{LockPath: names.Lock(alias), GuardForeign: true})
	if _, err := doc.Update(context.Background(), become("1")); err != nil {
		t.Fatal(err)
	}
	_, err := doc.Update(context.Background(), increment)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if mark := markOfLock(t, path); err != nil || mark != markIntents {
		t.Errorf("its own lock file: %v, the mark is %d", err, mark)
	}
}

// TestMovedOntoLockPath: a link is moved to the file that is to be locked.
func TestMovedOntoLockPath(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	if err := os.WriteFile(a, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	moveLink(t, filepath.Join(dir, "cur"), "a.json")
	doc := open(t, filepath.Join(dir, "cur"), Options{LockPath: b})
	moveLink(t, filepath.Join(dir, "cur"), "b.json")
	if _, err := doc.Update(context.Background(), increment); !errors.Is(err, errLocksItself) {
		t.Error(err)
	}
	if data, err := os.ReadFile(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("b.json is %q, %v", data, err)
	}
}

// TestLockOwnerIsNamed: who waits in vain is told for whom, by each kind of limit.
func TestLockOwnerIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	holder := open(t, path, Options{Locking: true})
	if _, err := holder.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	if owner, ok := holder.LockOwner(); ok {
		t.Errorf("%v has a lock that is free", owner)
	}
	lock, err := fsys.New().Open(names.Lock(path), fsys.OpenLock, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if locked, err := lock.TryLock(); err != nil || !locked {
		t.Fatal(locked, err)
	}
	owner, known := holder.LockOwner()
	if known && owner.PID != os.Getpid() {
		t.Errorf("the owner is %v", owner)
	}
	for _, wait := range []time.Duration{-1, time.Millisecond} {
		// A swap, since an update leaves a wait behind, which would outlive the directory.
		_, version, err := holder.Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_, err = open(t, path, Options{LockWait: wait}).CompareAndSwap(context.Background(),
			version, []byte("2"))
		if !errors.Is(err, ErrLocked) || known &&
			!strings.HasSuffix(err.Error(), "; this process has the lock") {
			t.Errorf("wait %v: %v", wait, err)
		}
	}
}
