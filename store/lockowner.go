// Who holds the lock of a document.

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// LockOwner is the process that holds a document's lock.
type LockOwner struct {
	PID     int
	Command string // its name, cut short by some systems; empty if it is unknown
}

// String returns the owner as messages name it.
func (o LockOwner) String() string {
	switch {
	case o.PID == os.Getpid():
		return "this process"
	case o.Command == "":
		return fmt.Sprintf("process %d", o.PID)
	}
	return fmt.Sprintf("process %d (%s)", o.PID, o.Command)
}

// LockOwner returns who holds the document's lock just now. It is false if nobody does, and
// where the system does not say: it is known on Linux, of processes that this one can see.
func (d *Doc) LockOwner() (LockOwner, bool) {
	files, err := d.onFiles()
	if err != nil {
		return LockOwner{}, false
	}
	return files.lockOwner(d.key)
}

// lockOwner looks at the lock file by its name, which the owner has open.
func (d *fileDriver) lockOwner(key string) (owner LockOwner, ok bool) {
	_ = d.following(key, func(path string) error {
		info, err := d.files.Lstat(d.shared.locks.pathOf(path))
		if err == nil {
			owner.PID, owner.Command, ok = d.files.LockOwner(info)
		}
		return nil
	})
	return owner, ok
}

// namesOwner adds who holds the lock to an error of somebody who has waited for it.
func (d *Doc) namesOwner(err error) error {
	locked := errors.Is(err, ErrLocked)
	if !locked && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	owner, ok := d.LockOwner()
	if !ok || !locked && owner.PID == os.Getpid() {
		return err
	}
	return fmt.Errorf("%w; %v has the lock", err, owner)
}
