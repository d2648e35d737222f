//go:build unix

package crew

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// hold makes and locks the lock file, through a descriptor that other processes can
// inherit. The lock is the one that package fsys takes. The file gets its name when it is
// locked, so that no process finds it free.
func (c *Claim) hold(path string) error {
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	// On a file system without locks this fails, and verify will report it. No process takes
	// the directory for abandoned there.
	for unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EINTR {
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return errors.Join(err, file.Close())
	}
	c.lock, c.shared = file, []*os.File{file}
	return nil
}
