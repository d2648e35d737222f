//go:build unix

package crew

import "syscall"

// apart keeps a process from the signals that a terminal sends to ours. They would end one that has
// just begun, and of its death we might be told before we are of the signal.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
