// Calls that other programs get in the way of: whoever has a file open, as a reader, a virus
// scanner or a backup does for a moment, can keep others from renaming, removing or opening it.

package fsys

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/windows"
)

const (
	// patience is for how long such a call is made again.
	patience = 2 * time.Second
	// The pause between two of them grows from the first to the second.
	shortPause = time.Millisecond
	longPause  = 16 * time.Millisecond
)

// insist makes a call again while others are in the way of it, within bounds: nothing tells
// when they are done.
func insist(call func() error, inTheWay func(error) bool) error {
	err := call()
	if err == nil || !inTheWay(err) {
		return err
	}
	begun := time.Now()
	for pause := shortPause; time.Since(begun) < patience; pause = min(2*pause, longPause) {
		time.Sleep(pause)
		if err = call(); err == nil || !inTheWay(err) {
			return err
		}
	}
	return fmt.Errorf("%w (for %v: another program keeps the file open, or this user may not "+
		"change it; end that program, or keep it off this directory)", err, patience)
}

// isShared: another program has opened the file, and shares it with nobody.
func isShared(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}

// isBusy: the name cannot be taken from the file, or given to another, at this moment. That
// access is denied can also mean that it will be tomorrow; nothing tells the two apart.
func isBusy(err error) bool {
	return isShared(err) || errors.Is(err, fs.ErrPermission) ||
		errors.Is(err, windows.ERROR_DELETE_PENDING) ||
		errors.Is(err, windows.ERROR_USER_MAPPED_FILE)
}
