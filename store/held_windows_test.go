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

	"golang.org/x/sys/windows"
)

// hold opens a file as another program would, sharing it as told, and returns how to close it.
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

func want(t *testing.T, doc *Doc, json string) {
	t.Helper()
	if found := content(t, doc); found != json {
		t.Errorf("the document is %s, want %s", found, json)
	}
}

// TestNothingStaysOpen: between the calls of a handle, and while it waits for the lock, the
// document is open nowhere: another program can have it for itself.
func TestNothingStaysOpen(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		ctx := context.Background()
		doc := document(t, "0", opts)
		var tries []int
		alone := func() { hold(t, doc.Name(), 0)() }
		for try := range 3 {
			if _, _, err := doc.Read(ctx); err != nil {
				t.Fatal(err)
			}
			alone()
			if _, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
				tries = append(tries, try)
				alone() // what was read is closed before the function runs
				return increment(old)
			}); err != nil {
				t.Fatal(err)
			}
			alone()
		}
		if len(tries) != 3 {
			t.Errorf("the functions ran in the tries %v", tries)
		}
		if _, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
			return old,
				nil
		}); err != nil {
			t.Error(err)
		}
		alone()
		want(t, doc, "3")
	})
}

// TestHeldByAReader: who reads a document without keeping others from reading it makes an
// update wait; if for too long, nothing is changed, and nothing is left.
func TestHeldByAReader(t *testing.T) {
	ctx := context.Background()
	doc := document(t, "0", Options{})
	update := func() (took time.Duration, err error) {
		begun := time.Now()
		_, err = doc.Update(ctx, increment)
		return time.Since(begun), err
	}

	const held = 300 * time.Millisecond
	timer := time.AfterFunc(held, hold(t, doc.Name(), windows.FILE_SHARE_READ))
	defer timer.Stop()
	took, err := update()
	if err != nil || took < held/2 {
		t.Errorf("%v, after %v", err, took)
	}
	want(t, doc, "1")

	release := hold(t, doc.Name(), windows.FILE_SHARE_READ)
	took, err = update()
	release()
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		t.Errorf("%v, want that access is denied", err)
	}
	if took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	want(t, doc, "1")

	release = hold(t, doc.Name(), windows.FILE_SHARE_READ)
	_, version, err := doc.Read(ctx)
	if err == nil {
		err = doc.CompareAndDelete(ctx, version)
	}
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		t.Errorf("%v, want that it cannot be deleted", err)
	}
	release()
	want(t, doc, "1")
	if err := doc.CompareAndDelete(ctx, version); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Dir(doc.Name()))
	if err != nil || len(entries) != 1 || entries[0].Name() != ".doc.json.lock" {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestNoDirectory: a document in a directory that is not there says so as it is opened.
func TestNoDirectory(t *testing.T) {
	_, err := OpenFile(filepath.Join(t.TempDir(), "missing", "doc.json"), nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("%v, want what to do", err)
	}
}

// TestLockFileOfOne: the lock file of a document that is opened by its path is beside it.
func TestLockFileOfOne(t *testing.T) {
	doc := document(t, "0", Options{})
	want := filepath.Join(filepath.Dir(doc.Name()), ".doc.json.lock")
	if lock, err := doc.LockFile(); err != nil || lock != want {
		t.Errorf("%s, %v, want %s", lock, err, want)
	}
}
