package cli

import "syscall"

// dieWithParent makes the kernel kill the program when this process is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
