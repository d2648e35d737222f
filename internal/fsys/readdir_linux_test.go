package fsys

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEntryType: the type in an entry equals the one from lstat, which is used if the
// entry has none.
func TestEntryType(t *testing.T) {
	dir := t.TempDir()
	for name, make := range map[string]func(path string) error{
		"file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"dir":  func(path string) error { return os.Mkdir(path, 0o700) },
		"link": func(path string) error { return os.Symlink("x", path) },
		"fifo": func(path string) error { return unix.Mkfifo(path, 0o600) },
	} {
		if err := make(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	fd := int(opened.Fd())
	for name, test := range map[string]struct {
		kind byte
		want fs.FileMode
	}{
		"file": {unix.DT_REG, 0},
		"dir":  {unix.DT_DIR, fs.ModeDir},
		"link": {unix.DT_LNK, fs.ModeSymlink},
		"fifo": {unix.DT_FIFO, fs.ModeNamedPipe},
	} {
		for _, kind := range []byte{test.kind, unix.DT_UNKNOWN} {
			if mode, there, err := entryType(fd, name, kind); mode != test.want || !there ||
				err != nil {
				t.Errorf("%s as %d: %v, %v, %v", name, kind, mode, there, err)
			}
		}
	}
	if _, there, err := entryType(fd, "removed", unix.DT_UNKNOWN); there || err != nil {
		t.Errorf("an entry that is gone: %v, %v", there, err)
	}
}
