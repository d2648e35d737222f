//go:build unix && !linux

package cli

import "syscall"

// dieWithParent does nothing: this system cannot tie the program to this process.
func dieWithParent(*syscall.SysProcAttr) {}
