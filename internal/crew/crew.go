// Package crew starts processes of this program that begin their work together, and always ends
// them. Each process gets its task as a line of JSON, and another line when all shall begin.
package crew

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Program is the program that the processes run. Package os starts it: os/exec would make the
// command much larger.
type Program struct {
	Path string
	Args []string // the first one is the name
	Env  []string // nil means the environment of this process

	inherited []*os.File // files that its processes inherit
}

// Patience is the time that a process may take beyond the expected time.
const Patience = 20 * time.Second

// Process is a process that was started.
type Process struct {
	what   string // its task, for messages
	os     *os.Process
	stdin  *os.File
	stdout *os.File
	out    *bufio.Reader // of stdout
	stderr chan string   // receives its messages when it has ended
	forget []func() bool // functions to call when it has ended
	killed atomic.Bool   // Kill has ended it
	hung   atomic.Bool   // the time limit has ended it
}

// Task is the task of a process.
type Task struct {
	What string // for messages, such as "hold the lock"
	Todo any    // the order that the process gets, as JSON
}

// Start starts a process whose work takes the time last. The end of the context kills it.
func (program Program) Start(ctx context.Context, task Task, last time.Duration) (*Process, error) {
	encoded, err := json.Marshal(task.Todo)
	if err != nil {
		return nil, err
	}
	var pipes [3]struct{ read, write *os.File }
	for i := range pipes {
		if pipes[i].read, pipes[i].write, err = os.Pipe(); err != nil {
			for _, pipe := range pipes[:i] {
				pipe.read.Close()
				pipe.write.Close()
			}
			return nil, fmt.Errorf("start another process of this program: %w", err)
		}
	}
	in, out, messages := pipes[0], pipes[1], pipes[2]
	passed := append([]*os.File{in.read, out.write, messages.write}, program.inherited...)
	attr := &os.ProcAttr{Env: program.Env, Files: passed, Sys: apart()}
	started, err := os.StartProcess(program.Path, program.Args, attr)
	in.read.Close()
	out.write.Close()
	messages.write.Close()
	if err != nil {
		in.write.Close()
		out.read.Close()
		messages.read.Close()
		return nil, fmt.Errorf("start another process of this program: %w", err)
	}
	p := &Process{
		what: task.What, os: started, stdin: in.write, stdout: out.read,
		out:    bufio.NewReaderSize(out.read, 64<<10), // the capacity of a pipe
		stderr: make(chan string, 1),
	}
	go func() {
		said, _ := io.ReadAll(messages.read)
		messages.read.Close()
		p.stderr <- string(said)
	}()
	limit := time.AfterFunc(last+Patience, func() {
		p.hung.Store(true)
		_ = p.os.Kill()
	})
	p.forget = []func() bool{limit.Stop, context.AfterFunc(ctx, func() { _ = p.os.Kill() })}
	_ = p.Send(string(encoded)) // reading its output will show if it has died
	return p, nil
}

// Send sends a line.
func (p *Process) Send(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// Pass sends data.
func (p *Process) Pass(data []byte) error {
	_, err := p.stdin.Write(data)
	return err
}

// Line returns the next line of the process's output. An incomplete last line is an error.
func (p *Process) Line() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// Take returns the next size bytes of the process's output.
func (p *Process) Take(size int) ([]byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(p.out, data)
	return data, err
}

// Expect returns an error unless the next line is the expected one.
func (p *Process) Expect(want string) error {
	line, err := p.Line()
	if err == nil && line != want {
		err = fmt.Errorf("a process printed %q instead of %q", line, want)
	}
	if err != nil {
		return First(p.End(), err)
	}
	return nil
}

// Kill kills the process, as an operator or the system might.
func (p *Process) Kill() {
	p.killed.Store(true)
	_ = p.os.Kill()
}

// Stop asks the process to finish its work.
func (p *Process) Stop() { p.stdin.Close() }

// End waits for the end of the process and of its output, and returns the error of the process.
// It may be called again.
func (p *Process) End() error {
	p.Stop()
	_, _ = io.Copy(io.Discard, p.out)
	p.stdout.Close()
	said := <-p.stderr
	p.stderr <- "" // for a second call
	state, err := p.os.Wait()
	for _, forget := range p.forget {
		forget()
	}
	switch {
	case p.hung.Load():
		return fmt.Errorf("a process made no progress and was killed %v late; its task: %s",
			Patience, p.what)
	case p.killed.Load():
		return nil
	case err == nil && !state.Success():
		err = errors.New(state.String())
	}
	if err == nil {
		return nil
	}
	said = strings.TrimPrefix(strings.TrimSpace(said), "jsonstore: ")
	if said == "" {
		said = err.Error()
	}
	return fmt.Errorf("a process stopped with an error: %s", said)
}

// Killed reports whether Kill has ended the process.
func (p *Process) Killed() bool { return p.killed.Load() }

// Crew is a group of processes that begin together.
type Crew []*Process

// StartAll starts a process for each task, and waits until all are ready.
func (program Program) StartAll(ctx context.Context, tasks []Task, last time.Duration) (
	c Crew, err error,
) {
	defer func() {
		if err != nil {
			c.Kill()
		}
	}()
	for _, t := range tasks {
		p, err := program.Start(ctx, t, last)
		if err != nil {
			return c, err
		}
		c = append(c, p)
	}
	for i, p := range c {
		if err := p.Expect("ready"); err != nil {
			c = append(c[:i], c[i+1:]...) // Expect has ended this one
			return c, err
		}
	}
	return c, nil
}

// Begin tells all processes to begin.
func (c Crew) Begin() {
	for _, p := range c {
		_ = p.Send("go")
	}
}

// Stop asks all processes to finish their work.
func (c Crew) Stop() {
	for _, p := range c {
		p.Stop()
	}
}

// Kill kills all processes and waits for their end.
func (c Crew) Kill() {
	for _, p := range c {
		p.Kill()
	}
	for _, p := range c {
		_ = p.End()
	}
}

// First returns the first error: the others are mostly its consequences.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
