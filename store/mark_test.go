//go:build unix

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/names"
)

// markedDoc is a document beside whose lock file there may be an intent: of a guard that died
// when it had displaced 41 by 2.
func markedDoc(t *testing.T, mark lockMark, intent bool) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "doc.json")
	put := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(path, "2")
	put(names.Lock(path), marked(mark))
	if intent {
		_, digits, _ := names.Temporary(filepath.Base(planted(t, path, "41", os.Geteuid())))
		if err := os.Symlink(digits, names.Intent(path)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func markOfLock(t *testing.T, path string) lockMark {
	t.Helper()
	info, err := os.Lstat(names.Lock(path))
	if err != nil {
		t.Fatal(err)
	}
	return lockMark(info.Size())
}

// TestMarks: the size of the lock file says who has to look for an intent, whatever goes
// wrong with setting it.
func TestMarks(t *testing.T) {
	ctx := context.Background()
	update := func(t *testing.T, doc *Doc, want string) {
		t.Helper()
		_, err := doc.Update(ctx, increment)
		if errors.Is(err, ErrUnsupported) {
			t.Skip(err)
		}
		if got := content(t, doc); err != nil || got != want {
			t.Fatalf("the document is %s, %v; want %s", got, err, want)
		}
	}
	wantMark := func(t *testing.T, path string, want lockMark) {
		t.Helper()
		if got := markOfLock(t, path); got != want {
			t.Errorf("the mark is %d, want %d", got, want)
		}
	}
	guard := Options{GuardForeign: true}
	nothing := func(string, string) error { return nil }

	t.Run("set", func(t *testing.T) {
		path := markedDoc(t, markUnknown, false)
		update(t, open(t, path, Options{}), "3")
		wantMark(t, path, markNoIntent)
		update(t, open(t, path, guard), "4")
		wantMark(t, path, markIntents)
		update(t, open(t, path, Options{}), "5")
		wantMark(t, path, markIntents)
	})
	t.Run("emptied", func(t *testing.T) {
		path := markedDoc(t, markUnknown, true)
		doc := openFaulty(t, path, Options{}, func(op, name string) error {
			if op == "remove" && name == names.Intent(path) {
				return syscall.EIO
			}
			return nil
		})
		update(t, doc, "42")
		wantMark(t, path, markUnknown)
		update(t, open(t, path, Options{}), "43")
		if _, err := os.Lstat(names.Intent(path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the intent is still there: %v", err)
		}
	})
	t.Run("remote", func(t *testing.T) {
		path := markedDoc(t, markNoIntent, true)
		doc := open(t, path, Options{})
		doc.drv.files.shared.locks.remote.Store(true)
		update(t, doc, "42")
	})
	t.Run("set from afar", func(t *testing.T) {
		path := markedDoc(t, markUnknown, false)
		doc := open(t, path, Options{})
		doc.drv.files.shared.locks.remote.Store(true)
		update(t, doc, "3")
		wantMark(t, path, markUnknown) // what was seen may be out of date
	})
	t.Run("not flushed", func(t *testing.T) {
		path := markedDoc(t, markNoIntent, false)
		flushes, fails := 0, true
		inject := func(op, name string) error {
			switch {
			case op != "sync" || name != names.Lock(path):
			case fails:
				return syscall.EIO
			default:
				flushes++
			}
			return nil
		}
		if _, err := openFaulty(t, path, guard, inject).Update(ctx, increment); err == nil {
			t.Error("a flush that failed is no error")
		}
		fails = false
		doc := openFaulty(t, path, guard, inject)
		update(t, doc, "3")
		update(t, doc, "4")
		if flushes != 1 {
			t.Errorf("the next guard has flushed the mark %d times, want once", flushes)
		}
	})
	t.Run("of a stranger", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root can make files of another user")
		}
		path := markedDoc(t, markNoIntent, true)
		dir := filepath.Dir(path)
		if err := errors.Join(os.Chmod(dir, fs.ModeSticky|0o777),
			os.Chown(names.Lock(path), stranger, stranger)); err != nil {
			t.Fatal(err)
		}
		update(t, open(t, path, Options{}), "42")
	})
	t.Run("denied", func(t *testing.T) {
		path := markedDoc(t, markNoIntent, false)
		doc := openFaulty(t, path, guard, func(op, name string) error {
			switch op {
			case "truncate":
				return syscall.EINVAL // of a file that is open for reading only
			case "symlink":
				t.Error("an intent is made for which nobody looks")
			}
			return nil
		})
		update(t, doc, "3")
	})
	t.Run("denied, and unknown", func(t *testing.T) {
		path, noted := markedDoc(t, markUnknown, false), false
		doc := openFaulty(t, path, guard, func(op, name string) error {
			noted = noted || op == "symlink"
			if op == "truncate" {
				return syscall.EINVAL
			}
			return nil
		})
		update(t, doc, "3")
		if !noted {
			t.Error("no intent is made, though everybody would look for it")
		}
	})
	t.Run("of another file", func(t *testing.T) {
		path := markedDoc(t, markNoIntent, false)
		if err := os.Link(names.Lock(path), path+".other"); err != nil {
			t.Fatal(err)
		}
		update(t, openFaulty(t, path, guard, nothing), "3")
		wantMark(t, path, markNoIntent)
	})
}
