// Plain files, written by hand or with the help of a library.

package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

var (
	background = context.Background()
	quiet      = slog.New(slog.DiscardHandler)
)

var filePeers = []peer{
	{
		name: "rename, no lock",
		about: "read, write a temporary file, rename; fsync of the file and, durable, " +
			"of the directory",
		loses: true,
		open:  openFile(replaceByHand, noLock),
	},
	{
		name:  base,
		about: "the same under a blocking flock of a file beside it (gofrs/flock)",
		open:  openFile(replaceByHand, blocking),
	},
	{
		name:  "flock polling + rename",
		about: "the same with `TryLockContext`, tried every millisecond",
		open:  openFile(replaceByHand, polling),
	},
	{
		name:  "flock + renameio",
		about: "the same as flock + rename with google/renameio, which always flushes the file",
		open: func(s setting) (handle, error) {
			if s.Durability == store.Volatile {
				return nil, errNotOffered
			}
			return openFile(replaceByRenameio, blocking)(s)
		},
	},
	{
		name: "lockedfile.Transform",
		about: "rogpeppe/go-internal: writes the file in place under a lock, flushes nothing; " +
			"a crash of the process can tear it",
		goroutines: true,
		open: func(s setting) (handle, error) {
			if s.Durability != store.Volatile {
				return nil, errNotOffered
			}
			return transformed{s.Path}, nil
		},
	},
}

// locking is the way in which a file is locked for an update.
type locking int

const (
	noLock locking = iota
	blocking
	polling
)

func openFile(replace func(s setting, data []byte) error, how locking) func(setting) (handle,
	error) {
	return func(s setting) (handle, error) {
		f := &file{setting: s, replace: replace, poll: how == polling}
		if how != noLock {
			f.lock = flock.New(s.Path + ".lck")
		}
		return f, nil
	}
}

// file is a document that is replaced by renaming.
type file struct {
	setting
	replace func(s setting, data []byte) error
	lock    *flock.Flock // nil for no lock
	poll    bool
	mu      sync.Mutex // excludes goroutines; a flock.Flock excludes processes only
}

func (f *file) Update(int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	switch {
	case f.poll:
		_, err = f.lock.TryLockContext(background, time.Millisecond)
	case f.lock != nil:
		err = f.lock.Lock()
	}
	if err != nil {
		return err
	}
	old, err := os.ReadFile(f.Path)
	if err == nil {
		old, err = load.Increment(old)
	}
	if err == nil {
		err = f.replace(f.setting, old)
	}
	if f.lock != nil {
		if unlockErr := f.lock.Unlock(); err == nil {
			err = unlockErr
		}
	}
	return err
}

func (f *file) Read(int) ([]byte, error) { return os.ReadFile(f.Path) }

func (f *file) Close() error { return nil }

func replaceByHand(s setting, data []byte) error {
	temp := s.Path + "." + strconv.Itoa(os.Getpid()) + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && s.Durability != store.Volatile {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp, s.Path)
	}
	return syncDirectory(s, err)
}

func replaceByRenameio(s setting, data []byte) error {
	return syncDirectory(s, renameio.WriteFile(s.Path, data, 0o600))
}

// syncDirectory makes a rename durable if the setting asks for it, unless err is an earlier error.
func syncDirectory(s setting, err error) error {
	if err != nil || s.Durability != store.Durable {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.Path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

type transformed struct{ path string }

func (t transformed) Update(int) error { return lockedfile.Transform(t.path, load.Increment) }

func (t transformed) Read(int) ([]byte, error) {
	f, err := lockedfile.Open(t.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (t transformed) Close() error { return nil }
