//go:build !linux && !windows

package fsys

import (
	"os"
	"time"
)

// SetMtime uses the name: the system cannot set the time to the nanosecond by
// descriptor. The zero time keeps the access time.
func (f file) SetMtime(ns int64) error {
	mtime := time.Unix(0, ns)
	if f.in.root == nil {
		return os.Chtimes(f.name, time.Time{}, mtime)
	}
	return f.in.root.Chtimes(f.name, time.Time{}, mtime)
}
