//go:build unix

// Where names are: a directory that is open, and a component in it.

package fsys

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// rootDir is the open directory of a root. The last who uses it closes it: else another file
// might have its number while a call is about to use that.
type rootDir struct {
	file   *os.File
	fd     int
	users  atomic.Int64 // and one until close
	closed atomic.Bool
}

func newRootDir(file *os.File) *rootDir {
	d := &rootDir{file: file, fd: int(file.Fd())}
	d.users.Store(1)
	return d
}

// use reports whether the directory is open; then done is to be called.
func (d *rootDir) use() bool {
	for users := d.users.Load(); users > 0 && !d.closed.Load(); users = d.users.Load() {
		if d.users.CompareAndSwap(users, users+1) {
			return true
		}
	}
	return false
}

func (d *rootDir) close() {
	if !d.closed.Swap(true) {
		d.done()
	}
}

func (d *rootDir) done() {
	if d.users.Add(-1) == 0 {
		d.file.Close()
	}
}

// place is a name for the system calls that take a directory.
type place struct {
	dir    int
	base   string
	root   *rootDir // in use, or nil
	opened *os.File // or nil
}

// enter finds the place of a name. Then leave is to be called.
func (s system) enter(name string) (place, error) {
	switch {
	case s.root == nil:
		return place{dir: unix.AT_FDCWD, base: name}, nil
	case strings.Contains(name, "/"):
		// A component may be a symbolic link, which must not lead out of the root.
		dir, err := s.root.Open(filepath.Dir(name))
		if err != nil {
			return place{}, err
		}
		return place{dir: int(dir.Fd()), base: filepath.Base(name), opened: dir}, nil
	case !s.dir.use():
		return place{}, &fs.PathError{Op: "use", Path: name, Err: fs.ErrClosed}
	}
	return place{dir: s.dir.fd, base: name, root: s.dir}, nil
}

func (p place) leave() {
	if p.root != nil {
		p.root.done()
	}
	if p.opened != nil {
		p.opened.Close()
	}
}
