// Directories that a crew works in, within one of the user's, and how those of the dead are told
// from those of the living: each has a file whose lock the process that made it holds, and every
// process of its crew through the descriptor that it inherits. The kernel frees the lock when the
// last of them is gone.

package crew

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

const (
	// lockName is in each directory of a crew.
	lockName = "in-use.lock"
	// settling is longer than it takes to make a directory and to lock the file in it.
	settling = time.Minute
)

// The names of such directories are one of these and 16 hexadecimal digits.
const (
	BenchPrefix  = ".jsonstore-bench-"
	VerifyPrefix = ".jsonstore-verify-"
)

// IsOurs reports whether a name is that of a crew's directory.
func IsOurs(entry fsys.Entry) bool {
	digits, ok := strings.CutPrefix(entry.Name, BenchPrefix)
	if !ok {
		digits, ok = strings.CutPrefix(entry.Name, VerifyPrefix)
	}
	return ok && entry.Type.IsDir() && len(digits) == 16 &&
		strings.Trim(digits, "0123456789abcdef") == ""
}

// Claim is a directory in use.
type Claim struct {
	Dir    string
	lock   io.Closer
	shared []*os.File // of the lock, that others can inherit
}

// NewClaim makes a directory and claims it.
func NewClaim(files fsys.FS, dir, prefix string) (*Claim, error) {
	path := filepath.Join(dir, fmt.Sprintf("%s%016x", prefix, files.Random()))
	if err := files.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	c := &Claim{Dir: path}
	if err := c.hold(filepath.Join(path, lockName)); err != nil {
		err = fmt.Errorf("say that a directory is in use: %w", err)
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return c, nil
}

// Share returns the program with the claim: that lasts as long as any process that is started
// from it.
func (c *Claim) Share(program Program) Program {
	program.inherited = c.shared
	return program
}

// Release removes the directory and what is in it.
func (c *Claim) Release() error {
	err := os.RemoveAll(c.Dir)
	if closeErr := c.lock.Close(); closeErr != nil {
		return errors.Join(err, closeErr)
	}
	if err != nil {
		err = os.RemoveAll(c.Dir) // Windows removes no file that is open
	}
	return err
}

// Abandoned reports whether no process uses a crew's directory any more.
func Abandoned(files fsys.FS, dir string) bool {
	file, err := files.Open(filepath.Join(dir, lockName), fsys.OpenExisting, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody died at making or removing it, or is about to make it.
		info, err := files.Lstat(dir)
		return err == nil && files.Now()-info.Mtime > int64(settling)
	}
	if err != nil {
		return false
	}
	defer file.Close()
	free, err := file.TryLock()
	return err == nil && free
}

// Sweep removes the abandoned directories of crews of this user. What cannot be removed is left.
func Sweep(files fsys.FS, dir string) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name)
		// Where others may write too, a name is no proof of whose a directory is.
		if IsOurs(entry) && owned(files, path) && Abandoned(files, path) {
			_ = os.RemoveAll(path)
		}
	}
}

func owned(files fsys.FS, path string) bool {
	info, err := files.Lstat(path)
	return err == nil && info.Mode.IsDir() && (os.Geteuid() < 0 || info.UID == uint32(os.Geteuid()))
}
