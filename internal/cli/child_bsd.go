//go:build unix && !linux

package cli

import (
	"os"
	"syscall"
)

// dieWithParent does nothing: this system cannot tie the program to this process.
func dieWithParent(*syscall.SysProcAttr) {}

// process is what was started.
type process struct {
	pid     int
	process *os.Process
	state   *os.ProcessState
}

func startProcess(
	path string, args, env []string, files []*os.File, attr *syscall.SysProcAttr,
) (*process, error) {
	p, err := os.StartProcess(path, args, &os.ProcAttr{Env: env, Files: files, Sys: attr})
	if err != nil {
		return nil, err
	}
	return &process{pid: p.Pid, process: p}, nil
}

// wait waits until it has ended.
func (p *process) wait() (err error) {
	p.state, err = p.process.Wait()
	return err
}

// status is how it has ended.
func (p *process) status() (syscall.WaitStatus, error) {
	return p.state.Sys().(syscall.WaitStatus), nil
}

func (p *process) signal(s syscall.Signal) { _ = p.process.Signal(s) }
