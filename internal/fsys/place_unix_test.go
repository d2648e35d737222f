//go:build unix

package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCloseIsTheLast: a directory that is in use when its root is closed is open until then.
func TestCloseIsTheLast(t *testing.T) {
	files, err := Beneath(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	place, err := files.(system).enter("a")
	if err != nil {
		t.Fatal(err)
	}
	files.Close()
	var st unix.Stat_t
	if err := unix.Fstat(place.dir, &st); err != nil {
		t.Errorf("it is closed while it is in use: %v", err)
	}
	if _, err := files.(system).enter("a"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("it can be used after the close: %v", err)
	}
	place.leave()
	if err := unix.Fstat(place.dir, &st); err != unix.EBADF {
		t.Errorf("it is not closed: %v", err)
	}
}

// TestCloseWhileInUse: calls that are under way when a root is closed use its directory, and
// those after it none, whatever file has the number of its descriptor by then.
func TestCloseWhileInUse(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		files, err := Beneath(dir)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					_, err := files.Lstat("a")
					if errors.Is(err, fs.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Go(func() {
			files.Close()
			files.Close()
			for range 10 { // one of these may get the number
				if opened, err := os.Open(other); err == nil {
					defer opened.Close()
				}
			}
		})
		all.Wait()
		root := files.(system).dir
		if users := root.users.Load(); users != 0 || root.use() {
			t.Errorf("after the close it has %d users, and can have more", users)
		}
	}
}
