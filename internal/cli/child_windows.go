// A program that a verb runs, on Windows: there are no signals but Ctrl-C, which
// the console sends to the program too.

package cli

import (
	"errors"
	"os"
	"os/exec"
)

// child is the program.
type child struct {
	process *os.Process
	state   *os.ProcessState
}

func passedOn() []os.Signal { return []os.Signal{os.Interrupt} }

func startChild(p command, env []string, stdin *os.File) (*child, error) {
	process, err := os.StartProcess(p.path, p.args, &os.ProcAttr{
		Env: env, Files: []*os.File{stdin, os.Stdout, os.Stderr},
	})
	return &child{process: process}, err
}

func (c *child) pass(os.Signal) {}
func (c *child) isGone() bool   { return true }
func (c *child) terminate()     { c.kill() }
func (c *child) kill()          { _ = c.process.Kill() }

// wait waits until the program has ended.
func (c *child) wait() (err error) {
	c.state, err = c.process.Wait()
	return err
}

// exitCode is that of the program that has ended.
func (c *child) exitCode() (int, error) { return c.state.ExitCode(), nil }

// inShell is the program and the arguments that run a command line.
func inShell(command string) (path string, args []string) {
	path = os.Getenv("ComSpec")
	return path, []string{path, "/C", command}
}

// lookUp finds a program in PATH, with the extensions of PATHEXT.
func lookUp(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		return "", &programError{exitNotFound, err}
	case err != nil:
		return "", &programError{exitNotRunnable, err}
	}
	return path, nil
}
