package cli

import "syscall"

// dieWithParent makes the kernel kill the program when this process is killed: nobody
// renews its lease then.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
