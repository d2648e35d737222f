//go:build !linux

package fsys

import (
	"errors"
	"os"
)

// OneJournal implements FS: no such file system is known here.
func (s system) OneJournal(string) bool { return false }

// BeginSync implements File.
func (f file) BeginSync() {}

// SyncData implements File.
func (f file) SyncData() error {
	return &os.PathError{Op: "flush the content of", Path: f.name, Err: errors.ErrUnsupported}
}
