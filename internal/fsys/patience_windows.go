// Retries of calls that other programs block: a program that has a file open, such as a
// reader, a virus scanner or a backup, can keep others from renaming, removing or
// opening it.

package fsys

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/windows"
)

const (
	// patience is the time for which such a call is retried.
	patience = 2 * time.Second
	// The pause between two retries grows from the first value to the second.
	shortPause = time.Millisecond
	longPause  = 16 * time.Millisecond
)

// insist retries a call while other programs block it, within bounds. There is no
// notification of when they are done.
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

// isShared reports that another program has opened the file without sharing it.
func isShared(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}

// isBusy reports that the name cannot be taken from the file, or given to another, at
// this moment. "Access denied" may also be permanent; the two cannot be distinguished.
func isBusy(err error) bool {
	return isShared(err) || errors.Is(err, fs.ErrPermission) ||
		errors.Is(err, windows.ERROR_DELETE_PENDING) ||
		errors.Is(err, windows.ERROR_USER_MAPPED_FILE)
}
