//go:build unix

package crew

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// hold makes a file with a lock on it, that of fsys, on a descriptor that others can inherit. The
// file gets its name when it is locked: nobody finds it free.
func (c *Claim) hold(path string) error {
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	// Where there are no locks, verify is to find that out. Nobody takes the directory for
	// abandoned there.
	for unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EINTR {
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return errors.Join(err, file.Close())
	}
	c.lock, c.shared = file, []*os.File{file}
	return nil
}
