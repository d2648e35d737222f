package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLongNames: calls with names that have no room on the stack, or are none, do the same.
func TestLongNames(t *testing.T) {
	short := t.TempDir()
	long := filepath.Join(short, strings.Repeat("d", 200), strings.Repeat("e", 200))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	files := New()
	for _, dir := range []string{short, long} {
		a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
		file, err := files.Open(a, OpenNew, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		first, err := files.Lstat(a)
		is := func(name string, want error) {
			t.Helper()
			info, err := files.Lstat(name)
			if !errors.Is(err, want) || err == nil && !info.SameFile(first) {
				t.Errorf("%s: %+v, %v; want %v", name, info, err, want)
			}
		}
		do := func(err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		do(err, nil)
		do(files.Link(a, b), nil)
		do(files.Link(a, b), fs.ErrExist)
		is(b, nil)
		do(files.Rename(b, c, NoReplace), nil)
		is(c, nil)
		is(b, fs.ErrNotExist)
		do(files.Rename(c, a, NoReplace), fs.ErrExist)
		file, err = files.Open(b, OpenNew, 0o600)
		do(err, nil)
		file.Close()
		do(files.Remove(c), nil)
		do(files.Rename(b, a, Exchange), nil)
		is(b, nil)
		do(files.Rename(b, a, Replace), nil)
		is(a, nil)
		is(b, fs.ErrNotExist)
		do(files.Remove(a), nil)
		do(files.Remove(a), fs.ErrNotExist)
		_, err = files.Open(a, OpenExisting, 0)
		do(err, fs.ErrNotExist)

		none := a + "\x00"
		do(files.Link(a, none), unix.EINVAL)
		do(files.Rename(none, a, Replace), unix.EINVAL)
		do(files.Rename(a, none, NoReplace), unix.EINVAL)
		do(files.Remove(none), unix.EINVAL)
		_, err = files.Open(none, OpenNew, 0o600)
		do(err, unix.EINVAL)
	}
}
