//go:build unix && !linux

package fsys

// stillWrites does nothing: no suitable call is known.
func stillWrites(int) error { return nil }
