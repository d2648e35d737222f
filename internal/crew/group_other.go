//go:build !unix

package crew

import "syscall"

// apart returns nil: this system has no process groups that share signals.
func apart() *syscall.SysProcAttr { return nil }
