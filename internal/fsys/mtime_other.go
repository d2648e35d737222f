//go:build !linux && !windows

package fsys

import (
	"os"
	"time"
)

// SetMtime goes by name: the system cannot set the time to the nanosecond by descriptor. The
// zero time leaves the access time as it is.
func (f file) SetMtime(ns int64) error {
	mtime := time.Unix(0, ns)
	if f.in.root == nil {
		return os.Chtimes(f.name, time.Time{}, mtime)
	}
	return f.in.root.Chtimes(f.name, time.Time{}, mtime)
}
