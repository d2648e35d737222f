//go:build !unix

package crew

import "github.com/jsonstore/jsonstore/internal/fsys"

// hold makes and locks the lock file. Other processes cannot inherit the lock here; they end when
// their input ends.
func (c *Claim) hold(path string) error {
	file, err := fsys.New().Open(path, fsys.OpenNew, 0o600)
	if err != nil {
		return err
	}
	_, _ = file.TryLock() // on a file system without locks, verify will report the failure
	c.lock = file
	return nil
}
