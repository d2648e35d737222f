//go:build unix

// A program that a verb runs, on Unix: its process group, and signals.

package cli

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// child is the program.
type child struct {
	process *process
	group   bool // it has a process group of its own
}

// passedOn are the signals that the program gets. Those that were ignored when we began
// stay ignored, as under nohup. SIGPIPE is there so that it is not ignored in the
// program, as it is in this one.
func passedOn() []os.Signal {
	signals := []os.Signal{
		syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT,
	}
	signals = slices.DeleteFunc(signals, signal.Ignored)
	return append(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
}

// startChild starts a program with a standard input. If that dies with this process, the
// calling goroutine must run until the program has ended: it keeps the thread that Linux takes
// for the parent.
func startChild(p command, env []string, stdin *os.File) (*child, error) {
	path, args := p.path, p.args
	c := &child{group: !inForeground()}
	attr := &syscall.SysProcAttr{Setpgid: c.group}
	files := []*os.File{stdin, os.Stdout, os.Stderr}
	if p.diesToo {
		runtime.LockOSThread()
		dieWithParent(attr)
	}
	var err error
	c.process, err = startProcess(path, args, env, files, attr)
	if errors.Is(err, syscall.ENOEXEC) { // a script without #!
		args = append([]string{"sh", path}, args[1:]...)
		c.process, err = startProcess("/bin/sh", args, env, files, attr)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// inForeground reports whether this process is in the foreground of a terminal. Its
// keys then signal the program too, as a process of the same group.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// pass passes a signal on.
func (c *child) pass(s os.Signal) {
	switch {
	case s == syscall.SIGPIPE:
		// One of our messages had no reader.
	case !c.group && (s == syscall.SIGINT || s == syscall.SIGQUIT):
		// The terminal has sent it to both.
	default:
		c.signal(s.(syscall.Signal))
	}
}

// isGone reports whether the program, which has ended, has left nothing in its group.
func (c *child) isGone() bool {
	return !c.group || errors.Is(syscall.Kill(-c.process.pid, 0), syscall.ESRCH)
}

func (c *child) terminate() { c.signal(syscall.SIGTERM) }
func (c *child) kill()      { c.signal(syscall.SIGKILL) }

func (c *child) signal(s syscall.Signal) {
	if c.group {
		_ = syscall.Kill(-c.process.pid, s)
		return
	}
	c.process.signal(s)
}

// wait waits until the program has ended.
func (c *child) wait() error { return c.process.wait() }

// exitCode is that of the program that has ended, as shells have it. It is for the goroutine
// that signals the program.
func (c *child) exitCode() (int, error) {
	status, err := c.process.status()
	if status.Signaled() {
		return 128 + int(status.Signal()), err
	}
	return status.ExitStatus(), err
}

// inShell is the program and the arguments that run a command line.
func inShell(command string) (path string, args []string) {
	return "/bin/sh", []string{"sh", "-c", command}
}

// lookUp finds a program as a shell does.
func lookUp(name string) (string, error) {
	places := []string{name}
	if !strings.Contains(name, "/") {
		places = nil
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			places = append(places, filepath.Join(dir, name))
		}
	}
	found := ""
	for _, path := range places {
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case info.Mode().IsRegular() && info.Mode()&0o111 != 0:
			return path, nil
		default:
			found = path
		}
	}
	if found != "" {
		return "", &programError{exitNotRunnable, fmt.Errorf("%s: not executable", found)}
	}
	return "", &programError{exitNotFound, fmt.Errorf("%s: command not found", name)}
}
