// The process that holds a document's lock.

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
	Command string // its name, truncated by some systems; empty if it is unknown
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

// LockOwner returns the process that holds the document's lock now. It is false if the
// lock is free, and where the holder is unknown: Linux names it, if this process can
// see it.
func (d *Doc) LockOwner() (LockOwner, bool) {
	files, err := d.onFiles()
	if err != nil {
		return LockOwner{}, false
	}
	return files.lockOwner(d.key)
}

// lockOwner looks up the lock file, which the holder has open, by its name.
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

// namesOwner adds the lock holder to the error of a caller that has waited.
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
