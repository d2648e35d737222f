//go:build !linux

package cli

// limitMemory does nothing: of the limits that there are, none is of memory alone. withMemory has
// to do.
func limitMemory(uint64) {}
