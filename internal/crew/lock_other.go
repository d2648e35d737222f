//go:build !unix

package crew

import "github.com/jsonstore/jsonstore/internal/fsys"

// hold makes a file with a lock on it. Other processes cannot inherit it here; they end with
// their input.
func (c *Claim) hold(path string) error {
	file, err := fsys.New().Open(path, fsys.OpenNew, 0o600)
	if err != nil {
		return err
	}
	_, _ = file.TryLock() // where there are no locks, verify is to find that out
	c.lock = file
	return nil
}
