//go:build unix

package crew

import "syscall"

// apart puts a process into a process group of its own, so that it does not get the signals of our
// terminal. A signal would kill a process that has just begun, and we might notice its death before
// the signal.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
