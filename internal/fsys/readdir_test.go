package fsys

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestReadDir: the listing equals that of package os, with and without a root: names of
// all lengths, enough for several system calls, and entries of several types.
func TestReadDir(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		name := fmt.Sprintf("%0*d-ä", 4+i%240, i)
		err := os.WriteFile(filepath.Join(dir, name), nil, 0o600)
		if i%100 == 7 {
			err = os.Mkdir(filepath.Join(dir, name+"d"), 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Log("without a symbolic link:", err) // Windows may refuse
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var want []Entry
	for _, entry := range found {
		want = append(want, Entry{entry.Name(), entry.Type()})
	}
	byName := func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(want, byName)

	root, err := Beneath(top)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, of := range []struct {
		files FS
		name  string
	}{{New(), dir}, {root, "dir"}} {
		got, err := of.files.ReadDir(of.name)
		slices.SortFunc(got, byName)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, want %d (%v)", of.name, len(got), len(want), err)
		}
		if _, err := of.files.ReadDir(of.name + "x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what is not there: %v", err)
		}
		if _, err := of.files.ReadDir(filepath.Join(of.name, found[0].Name())); err == nil {
			t.Error("a file was listed")
		}
	}
}
