// Files that are mount points, such as a single file mounted into a container. Such a
// file can be read and written to, but no other file can take its place.

package store

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/jsonstore/jsonstore/internal/names"
)

// mounted adds to an error of publishing that the file is a mount point, if it is one.
// A new lock file is removed: no update can ever need it. The caller holds the lock.
func (a *attempt) mounted(err error) error {
	if !errors.Is(err, syscall.EBUSY) || errors.Is(err, ErrUnknown) {
		return err
	}
	if a.held != nil && a.held.isNew() {
		_ = a.d.files.Remove(names.Lock(a.path))
	}
	return errMounted(err)
}

func errMounted(err error) error {
	return fmt.Errorf("the file is a mount point, as a single file is that is mounted into a "+
		"container, and cannot be replaced; mount its directory instead: %w", err)
}

// clockTick is how far behind the clock the time of a new file may be.
const clockTick = 20 * time.Millisecond

// isNew reports whether the lock file was made since the handle was opened. It was empty
// then.
func (h *heldLock) isNew() bool {
	return !h.Lent && !h.locks.joins(h.Entry.Key) && h.Entry.Info.Size == 0 &&
		h.Entry.Info.Mtime+int64(clockTick) >= h.locks.opened
}
