package fsys

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOwnerIn(t *testing.T) {
	file := Info{Dev: unix.Mkdev(8, 0x11), Ino: 42}
	for _, c := range []struct {
		list   string
		open   bool
		hidden bool
		want   int
	}{
		{list: "1: FLOCK  ADVISORY  WRITE 7 08:11:42 0 EOF\n", open: true, want: 7},
		{list: "1: FLOCK  ADVISORY  WRITE 7 08:11:42 0 EOF\n", hidden: true, want: 7},
		{list: "1: FLOCK  ADVISORY  WRITE 7 08:11:42 0 EOF\n"}, // it is gone
		{list: "1: FLOCK  ADVISORY  WRITE 7 00:23:42 0 EOF\n", hidden: true},
		{list: "1: POSIX  ADVISORY  WRITE 7 08:11:42 0 EOF\n"},
		{list: "1: FLOCK  ADVISORY  WRITE 7 08:11:421 0 EOF\n"},
		{list: "1: FLOCK  ADVISORY  WRITE 7 00:23:42 0 EOF\n"},
		{list: "1: FLOCK  ADVISORY  WRITE 7 00:23:42 0 EOF\n", open: true, want: 7},
		{list: "1: FLOCK  ADVISORY  WRITE 0 08:11:42 0 EOF\n"}, // of another namespace
		{list: "1: FLOCK  ADVISORY  WRITE 7 08:11:42 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 8 08:11:42 0 EOF\n", open: true, want: 7},
		{list: "1: -> FLOCK  ADVISORY  WRITE 8 08:11:42 0 EOF\n"},
		{list: "nonsense\n\n1: FLOCK\n"},
	} {
		got, ok := ownerIn(c.list, file, func(int, Info) (is, known bool) {
			return c.open, !c.hidden
		})
		if got != c.want || ok != (c.want > 0) {
			t.Errorf("%q, open %v: %d %v, want %d", c.list, c.open, got, ok, c.want)
		}
	}
}

// TestLockOwner: the owner of a lock that this process holds is this process.
func TestLockOwner(t *testing.T) {
	files, path := New(), filepath.Join(t.TempDir(), "lock")
	file, err := files.Open(path, OpenLock, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if pid, _, ok := files.LockOwner(info); ok {
		t.Errorf("process %d has a lock that nobody took", pid)
	}
	if locked, err := file.TryLock(); err != nil || !locked {
		t.Fatal(locked, err)
	}
	pid, command, ok := files.LockOwner(info)
	if !ok || pid != os.Getpid() || command == "" {
		t.Errorf("the owner is %d (%s), %v; want %d", pid, command, ok, os.Getpid())
	}
}
