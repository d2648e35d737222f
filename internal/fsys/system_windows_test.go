package fsys

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// hold opens a file as another program would, with a share mode, and returns a function
// that closes it.
func hold(t *testing.T, path string, share uint32) (release func()) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	handle, err := windows.CreateFile(name, windows.GENERIC_READ, share, nil,
		windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := windows.CloseHandle(handle); err != nil {
			t.Error(err)
		}
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// busyCalls are the calls that an open file can block. Each has two files, old and new,
// and leaves no old or no new.
var busyCalls = map[string]func(files FS) error{
	"rename over it": func(files FS) error { return files.Rename("new", "old", Replace) },
	"rename it":      func(files FS) error { return files.Rename("old", "other", NoReplace) },
	"remove it":      func(files FS) error { return files.Remove("old") },
	"open it": func(files FS) error {
		file, err := files.Open("old", OpenExisting, 0)
		if err == nil {
			err = file.Close()
		}
		return err
	},
	"open its lock": func(files FS) error {
		file, err := files.Open("old", OpenLock, 0)
		if err == nil {
			err = file.Close()
		}
		return err
	},
}

// TestHeldOpen: a call that is blocked by a program with an unshared file succeeds as
// soon as that program closes the file, and fails after some time if it does not.
func TestHeldOpen(t *testing.T) {
	for name, call := range busyCalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files, err := Beneath(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer files.Close()
			put(t, filepath.Join(dir, "old"), "1")
			put(t, filepath.Join(dir, "new"), "2")

			release := hold(t, filepath.Join(dir, "old"), 0)
			begun := time.Now()
			err = call(files)
			if took := time.Since(begun); took < patience || took > 4*patience {
				t.Errorf("it took %v, want %v", took, patience)
			}
			if !isShared(err) && !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%v, want a sharing violation", err)
			}
			if info, err := files.Lstat("old"); err != nil || info.Size != 1 || info.Ino == 0 {
				t.Errorf("to look at it: %v, %v", info, err)
			}

			const later = 200 * time.Millisecond
			timer := time.AfterFunc(later, release)
			defer timer.Stop()
			begun = time.Now()
			if err := call(files); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took < later/2 || took > later+time.Second {
				t.Errorf("it took %v, and the file was held for %v", took, later)
			}
		})
	}
}

// TestNotWaitedFor: a permanent obstacle is an error at once.
func TestNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	files, err := Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	put(t, filepath.Join(dir, "new"), "1")
	put(t, filepath.Join(dir, "there"), "2")
	if err := files.Mkdir("dir", 0o700); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := files.Rename("new", "there", NoReplace); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a file that is there: %v", err)
	}
	if err := files.Rename("none", "new", Replace); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if err := files.Rename("new", "dir", Replace); err == nil {
		t.Error("a file took the place of a directory")
	}
	if err := files.Rename("new", "there", Exchange); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("exchange: %v", err)
	}
	for _, name := range []string{"none", filepath.Join("none", "x")} {
		if err := files.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("remove %s: %v", name, err)
		}
		if _, err := files.Open(name, OpenExisting, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open %s: %v", name, err)
		}
	}
	for _, name := range []string{"there:stream", "NUL", "there.", "there "} {
		if _, err := files.Open(name, OpenExisting, 0); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("open %q: %v", name, err)
		}
	}
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	if err := files.Rename("new", "there", Replace); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"dir", "."} {
		if info, err := files.Lstat(name); err != nil || !info.Mode.IsDir() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestOneHandle: a file has the same Info by name, by handle and through another root,
// and another file a different one; times are kept to 100 nanoseconds.
func TestOneHandle(t *testing.T) {
	dir := t.TempDir()
	files, err := Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	file, err := files.Open("a", OpenNew, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const mtime = 1_700_000_000_123_456_700
	if err := file.SetMtime(mtime + 50); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "b"), "1")
	opened, err := file.Stat()
	if err != nil || opened.Mtime != mtime {
		t.Fatalf("%v, %v", opened, err)
	}
	byName, err := files.Lstat("a")
	whole, wholeErr := New().Lstat(filepath.Join(dir, "a"))
	if byName != opened || whole != opened || err != nil || wholeErr != nil {
		t.Errorf("%v and %v, not %v (%v, %v)", byName, whole, opened, err, wholeErr)
	}
	if other, err := files.Lstat("b"); err != nil || other.SameFile(opened) || other.Size != 1 {
		t.Errorf("%v, %v", other, err)
	}
}

// TestLockExcludes: a lock belongs to one handle, can be waited for, and ends with the
// handle.
func TestLockExcludes(t *testing.T) {
	dir := t.TempDir()
	files, err := Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	open := func() File {
		file, err := files.Open("lock", OpenLock, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	one, two := open(), open()
	defer two.Close()
	if locked, err := one.TryLock(); !locked || err != nil {
		t.Fatal(locked, err)
	}
	if locked, err := two.TryLock(); locked || err != nil {
		t.Fatal(locked, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	got := make(chan error, 1)
	go func() { got <- two.Lock(0) }()
	select {
	case err := <-got:
		t.Fatalf("two have it: %v", err)
	case <-ctx.Done():
	}
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("closing the handle did not give the lock back")
	}
}
