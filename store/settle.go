// Settling: what was published is made durable.

package store

import (
	"fmt"
	"path/filepath"
)

// Settle makes durable what was published. A flush that went wrong is not tried again: the second one would
// succeed without having done anything.
func (a *attempt) Settle() error {
	defer a.closePublished()
	if !a.published || a.d.opts.Durability != Durable {
		return nil
	}
	a.published = false
	if a.renamed != nil && a.d.journalOrder(a.path) {
		if err := a.renamed.Sync(); err != nil {
			return fmt.Errorf("%w: flush the new version: %w", ErrNotDurable, err)
		}
		return nil // with the names of directories that were made for it
	}
	for dir := filepath.Dir(a.path); ; dir = filepath.Dir(dir) {
		if err := a.d.files.SyncDir(dir); err != nil {
			return fmt.Errorf("%w: flush the directory: %w", ErrNotDurable, err)
		}
		// The first document in a directory needs the names on the way there too: another
		// process may have made the directory and not have flushed it yet.
		if !a.created || a.d.single != "" || dir == "." {
			return nil
		}
	}
}

// closePublished closes the file that was published, which is open for Settle.
func (a *attempt) closePublished() {
	if a.renamed != nil {
		a.renamed.Close()
		a.renamed = nil
	}
}
