//go:build !linux

// The bound of memory where the system keeps none.

package cli

// limitMemory does nothing: of the limits that there are, none is of memory alone.
// withMemory has to do.
func limitMemory(uint64) {}
