// The directories in which crews work, inside a directory of the user. Each has a lock
// file. The process that made the directory holds the lock, and its crew holds it through
// the descriptor that each process inherits. The kernel frees the lock when the last of
// them has ended: the directory is then abandoned, and the next crew removes it.

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
	// lockName is the name of the lock file.
	lockName = "in-use.lock"
	// settling is longer than making a directory and locking the file in it takes.
	settling = time.Minute
)

// The name of such a directory is a prefix and 16 hexadecimal digits.
const (
	BenchPrefix  = ".jsonstore-bench-"
	VerifyPrefix = ".jsonstore-verify-"
)

// IsOurs reports whether an entry has the name of a crew's directory.
func IsOurs(entry fsys.Entry) bool {
	digits, ok := strings.CutPrefix(entry.Name, BenchPrefix)
	if !ok {
		digits, ok = strings.CutPrefix(entry.Name, VerifyPrefix)
	}
	return ok && entry.Type.IsDir() && len(digits) == 16 &&
		strings.Trim(digits, "0123456789abcdef") == ""
}

// Claim is a directory that is in use.
type Claim struct {
	Dir    string
	files  fsys.FS
	lock   io.Closer
	shared []*os.File // the locked file, for processes to inherit
}

// NewClaim makes a directory and claims it.
func NewClaim(files fsys.FS, dir, prefix string) (*Claim, error) {
	path := filepath.Join(dir, fmt.Sprintf("%s%016x", prefix, files.Random()))
	if err := files.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	c := &Claim{Dir: path, files: files}
	if err := c.hold(filepath.Join(path, lockName)); err != nil {
		err = fmt.Errorf("lock the directory %s: %w", path, err)
		return nil, errors.Join(err, fsys.RemoveAll(files, path))
	}
	return c, nil
}

// Share returns a program whose processes share the claim: it lasts until all of them have ended.
func (c *Claim) Share(program Program) Program {
	program.inherited = c.shared
	return program
}

// Release removes the directory and its content.
func (c *Claim) Release() error {
	err := fsys.RemoveAll(c.files, c.Dir)
	if closeErr := c.lock.Close(); closeErr != nil {
		return errors.Join(err, closeErr)
	}
	if err != nil {
		err = fsys.RemoveAll(c.files, c.Dir) // Windows does not remove open files
	}
	return err
}

// Abandoned reports whether all processes that used a crew's directory have ended.
func Abandoned(files fsys.FS, dir string) bool {
	file, err := files.Open(filepath.Join(dir, lockName), fsys.OpenExisting, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// A process is making the directory now, or died while it made or removed it.
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

// Sweep removes the abandoned directories of crews of this user. It leaves what it cannot remove.
func Sweep(files fsys.FS, dir string) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name)
		// If other users may write to dir, a name does not prove who made a directory.
		if IsOurs(entry) && owned(files, path) && Abandoned(files, path) {
			_ = fsys.RemoveAll(files, path)
		}
	}
}

func owned(files fsys.FS, path string) bool {
	info, err := files.Lstat(path)
	return err == nil && info.Mode.IsDir() && (os.Geteuid() < 0 || info.UID == uint32(os.Geteuid()))
}
