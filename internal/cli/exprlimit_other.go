//go:build !linux

// No memory limit by the kernel.

package cli

// limitMemory does nothing: no limit of these systems is on memory alone. withMemory
// has to do.
func limitMemory(uint64) {}
