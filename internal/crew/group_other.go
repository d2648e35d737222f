//go:build !unix

package crew

import "syscall"

// apart is nothing: there are no groups of processes that share signals.
func apart() *syscall.SysProcAttr { return nil }
