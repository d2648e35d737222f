package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// asUser runs do on a thread that accesses files as another user and group.
func asUser(user, group int, do func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with this goroutine
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSGID, uintptr(group), 0, 0)
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(user), 0, 0)
		do()
	}()
	<-done
}

// TestPublicBesidePrivate: who may read only one document of a transaction reads it while
// the transaction is committed, or if that cannot be, is told so, and nothing is guessed.
func TestPublicBesidePrivate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can read as another user")
	}
	const group = 4003
	for name, c := range map[string]struct {
		a, b       fs.FileMode
		groupB     int
		unreadable bool        // nobody can tell, while the transaction is under way
		aDir       fs.FileMode // 0: 0755
		absent     bool        // a is created
	}{
		"a private one and a public one":              {a: 0o600, b: 0o644},
		"one that is created and a public one":        {absent: true, b: 0o644},
		"one of a group and a public one":             {a: 0o640, b: 0o644},
		"one in a private directory and a public one": {a: 0o644, b: 0o644, aDir: 0o700},
		"those of two groups":                         {a: 0o640, b: 0o640, groupB: group, unreadable: true},
		"a private one and one of a group":            {a: 0o600, b: 0o640, groupB: group},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("/tmp", "home")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			private := filepath.Join(dir, "a")
			mode := fs.FileMode(0o755)
			if c.aDir != 0 {
				mode = c.aDir
			}
			if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(private, mode)); err != nil {
				t.Fatal(err)
			}
			a, b := filepath.Join(private, "a.json"), filepath.Join(dir, "b.json")
			for _, made := range []struct {
				path  string
				mode  fs.FileMode
				group int
			}{{a, c.a, 0}, {b, c.b, c.groupB}} {
				if made.path == a && c.absent {
					continue
				}
				putFile(t, made.path, []byte("1"))
				if err := errors.Join(os.Chmod(made.path, made.mode), os.Chown(made.path, 0,
					made.group)); err != nil {
					t.Fatal(err)
				}
			}
			ctx := context.Background()
			reader := open(t, b, Options{LockWait: -1})
			patient := open(t, b, Options{})
			seen := map[string]bool{}
			refused := false
			read := make(chan error, 1)
			over := false
			look := func(op, name string) error {
				if over { // the handle is closed
					return nil
				}
				asUser(stranger, group, func() {
					data, _, err := reader.Read(ctx)
					if err == nil {
						seen[string(data)] = true
						return
					}
					if !refused {
						go asUser(stranger, group, func() {
							data, _, err := patient.Read(ctx)
							if err == nil && string(data) != "2" {
								err = errors.New(string(data))
							}
							read <- err
						})
					}
					refused = true
					if !c.unreadable || !errors.Is(err, fs.ErrPermission) ||
						!errors.Is(err, ErrLocked) {
						t.Errorf("before the %s of %s: %v", op, name, err)
					}
				})
				return nil
			}
			x, y := openFaulty(t, a, Options{}, look), openFaulty(t, b, Options{}, look)
			if err := Transact(ctx, func(tx *Tx) error {
				return errors.Join(tx.Update(x, increment), tx.Update(y, increment))
			}); err != nil {
				t.Fatal(err)
			}
			over = true
			if refused != c.unreadable || !seen["1"] || !seen["2"] || len(seen) != 2 {
				t.Errorf("refused=%v, seen %v", refused, seen)
			}
			if refused {
				if err := <-read; err != nil {
					t.Errorf("a reader that waits: %v", err)
				}
			}
			wantFiles(t, reader, ".b.json.lock", "a", "b.json")
		})
	}
}

// TestPermits: all who may read one file may read another.
func TestPermits(t *testing.T) {
	file := func(mode fs.FileMode, uid, gid uint32) fsys.Info {
		return fsys.Info{Mode: mode, UID: uid, GID: gid}
	}
	for i, c := range []struct {
		a, b fsys.Info
		want bool
	}{
		{file(0o600, 1, 1), file(0o600, 1, 2), true},
		{file(0o600, 1, 1), file(0o600, 2, 1), false},
		{file(0o600, 1, 1), file(0o640, 1, 1), false},
		{file(0o640, 1, 1), file(0o640, 1, 1), true},
		{file(0o640, 1, 1), file(0o640, 1, 2), false},
		{file(0o644, 1, 1), file(0o640, 2, 2), true},
		{file(0o640, 1, 1), file(0o644, 1, 1), false},
		{file(0o604, 1, 1), file(0o640, 1, 1), false},
		{file(0o604, 1, 1), file(0o600, 1, 1), true},
		{file(0o200, 1, 1), file(0o200, 2, 2), true},
		{file(0o044, 1, 1), file(0o600, 1, 1), false},
	} {
		if got := permits(c.a, c.b, 0o444); got != c.want {
			t.Errorf("case %d: %v", i, got)
		}
	}
}
