package filelock_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// writerFiles is the file system of a writer. It tells when the writer waits in the kernel.
type writerFiles struct {
	fsys.FS
	waits bool
}

type writerFile struct {
	fsys.File
	of *writerFiles
}

func (w *writerFiles) Open(path string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	file, err := w.FS.Open(path, how, perm)
	if err != nil || path != simulatedLock {
		return file, err
	}
	return &writerFile{file, w}, nil
}

func (f *writerFile) Lock(spin time.Duration) error {
	f.of.waits = true
	defer func() { f.of.waits = false }()
	return f.File.Lock(spin)
}

// TestOvertake: in every order of the operations, no reader gets the lock that comes when a
// writer waits for another reader.
func TestOvertake(t *testing.T) {
	if filepath.Separator != '/' {
		t.Skip("the simulated file system has slashes")
	}
	if raceDetector {
		t.Skip("has no two goroutines that run at once")
	}
	waited := 0
	e := simfs.Explorer{Setup: func(w *simfs.World) func() error {
		w.Put(simulatedLock, "")
		w.Quiet = func(op, name string) bool {
			return name == simulatedLock && (op == "open" || op == "lstat")
		}
		var writer writerFiles
		had := false
		w.Go("writer", func(files fsys.FS) error {
			writer.FS = files
			held := filelock.Held[struct{}]{}
			err := table(&writer, nil).Acquire(context.Background(), simulatedLock,
				&filelock.Request{Perm: 0o600}, &held)
			if err == nil {
				had = true
				_, _ = files.Lstat("/dir/used")
				held.Release()
			}
			return err
		})
		for _, name := range []string{"reader", "another reader"} {
			w.Go(name, func(files fsys.FS) error {
				_, _ = files.Lstat("/dir/begun")
				late := writer.waits
				if late {
					waited++
					files.(*simfs.Process).Note(1)
				}
				held := filelock.Held[struct{}]{}
				err := table(files, nil).Acquire(context.Background(), simulatedLock,
					&filelock.Request{Shared: true, Perm: 0o600}, &held)
				if err != nil {
					return err
				}
				if late && !had {
					return errors.New("a reader has overtaken a writer that waits")
				}
				for range 2 {
					_, _ = files.Lstat("/dir/used")
				}
				held.Release()
				return nil
			})
		}
		return func() error { return nil }
	}}
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	if waited == 0 {
		t.Error("no reader has come when the writer waited")
	}
	t.Logf("%d states, %d runs", e.States, e.Runs)
}
