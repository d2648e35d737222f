// The real file system: the part that all systems share.

package fsys

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

// New returns the whole file system of this machine.
func New() FS { return system{} }

// ForFile returns a file system for one document and its neighbours, and the
// document's name in it.
func ForFile(path string) (FS, string, error) { return forFile(path) }

// Beneath returns the files beneath a directory, which must exist. No name leads out of
// it, by ".." or by a symbolic link.
func Beneath(dir string) (FS, error) { return beneath(dir) }

func (s system) Mkdir(name string, perm fs.FileMode) error {
	if s.root == nil {
		return os.Mkdir(name, perm)
	}
	return s.root.Mkdir(name, perm)
}

func (s system) openDir(name string) (*os.File, error) {
	if s.root == nil {
		return os.Open(name)
	}
	return s.root.Open(name)
}

func (s system) Now() int64            { return time.Now().UnixNano() }
func (s system) Uptime() time.Duration { return time.Since(started) }
func (s system) Random() uint64        { return rand.Uint64() }

// started is the zero of Uptime: a difference of two times uses the clock of the machine that
// nobody sets.
var started = time.Now()

// Pause implements FS. A timer may be early by a step of the clock.
func (s system) Pause(ctx context.Context, d time.Duration) error {
	for until := s.Uptime() + d; ; {
		left := until - s.Uptime()
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

func lockError(name string, err error) error { return fmt.Errorf("lock %s: %w", name, err) }
