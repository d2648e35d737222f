package cli

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel kill the program when this process is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// process is what was started. Package os would first start another process, to learn whether
// the kernel has descriptors of processes. Without one, a number is the process's until it is
// reaped: so one goroutine waits, and the one that signals reaps.
type process struct {
	pid    int
	reaped bool
}

func startProcess(
	path string, args, env []string, files []*os.File, attr *syscall.SysProcAttr,
) (*process, error) {
	attributes := &syscall.ProcAttr{Env: env, Sys: attr}
	for _, file := range files {
		attributes.Files = append(attributes.Files, file.Fd())
	}
	pid, err := syscall.ForkExec(path, args, attributes)
	if err != nil {
		return nil, &fs.PathError{Op: "fork/exec", Path: path, Err: err}
	}
	return &process{pid: pid}, nil
}

// wait waits until it has ended.
func (p *process) wait() error {
	return uninterrupted(func() error {
		return unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	})
}

// status is how it has ended. It is not signalled any more.
func (p *process) status() (status syscall.WaitStatus, err error) {
	p.reaped = true
	return status, uninterrupted(func() error {
		_, err := syscall.Wait4(p.pid, &status, 0, nil)
		return err
	})
}

func (p *process) signal(s syscall.Signal) {
	if !p.reaped {
		_ = syscall.Kill(p.pid, s)
	}
}

func uninterrupted(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}
