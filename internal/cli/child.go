// A program that a verb runs: lease run, lock and watch.

package cli

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// runsProgram annotates a verb whose exit code is that of the program that it runs.
const runsProgram = "runs"

// programError says why a program cannot be run, with the exit code that shells have.
type programError struct {
	code int
	err  error
}

func (e *programError) Error() string { return e.err.Error() }
func (e *programError) Unwrap() error { return e.err }

// codeOfRun is the exit code for an error of a verb that runs a program.
func codeOfRun(code int, err error) int {
	var program *programError
	switch {
	case errors.As(err, &program):
		return program.code
	case code == exitInterrupted || code == exitTerminated:
		return code
	}
	return exitOurs
}

// command is the program that is run.
type command struct {
	path string   // where it is
	args []string // the first one is its name
	// diesToo: it is killed when this process is killed, where the system can do that.
	diesToo bool
}

// checkProgram returns the program of a command line: one FILE, and the program after --.
func checkProgram(verb string, args []string, dash int) (command, error) {
	if dash != 1 || len(args) < 2 {
		return command{}, usage("give one FILE, and the command after --: "+
			"jsonstore %s FILE -- CMD ARG…", verb)
	}
	path, err := lookUp(args[1])
	return command{path: path, args: args[1:]}, err
}

func checkExitHeld(code int) error {
	if code < 0 || code > 255 {
		return usage("--exit-held %d: want 0 to 255", code)
	}
	return nil
}

// catchSignals begins to take the signals that are the program's, until this process ends. One
// that came before has ended the context of the run.
func catchSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	return signals
}

// supervise runs the program until it ends, and returns its exit code. When lost is closed it
// ends the program and what that has started: after the time that grace returns it kills them.
func (p command) supervise(
	env []string, signals <-chan os.Signal, lost <-chan struct{}, grace func() time.Duration,
) (int, error) {
	child, err := p.start(env)
	if err != nil {
		return 0, err
	}
	return p.await(child, signals, lost, grace)
}

func (p command) start(env []string) (*child, error) {
	child, err := startChild(p, env, os.Stdin)
	if err != nil {
		return nil, &programError{exitNotRunnable, fmt.Errorf("run %s: %w", p.args[0], err)}
	}
	return child, nil
}

// await is supervise for a program that has been started.
func (p command) await(
	child *child, signals <-chan os.Signal, lost <-chan struct{}, grace func() time.Duration,
) (int, error) {
	ended := make(chan error, 1)
	go func() { ended <- child.wait() }()
	var kill <-chan time.Time
	var look <-chan time.Time // at what the program has left, when it was ended
	code := 0
	for {
		select {
		case err := <-ended:
			if err == nil {
				code, err = child.exitCode()
			}
			if err != nil {
				return 0, fmt.Errorf("wait for %s: %w", p.args[0], err)
			}
			if kill == nil || child.isGone() {
				return code, nil
			}
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			look = ticker.C
		case <-look:
			if child.isGone() {
				return code, nil
			}
		case s := <-signals:
			child.pass(s)
		case <-lost:
			lost = nil
			timer := time.NewTimer(grace())
			defer timer.Stop()
			kill = timer.C
			child.terminate()
		case <-kill:
			if child.kill(); look != nil {
				return code, nil
			}
		}
	}
}
