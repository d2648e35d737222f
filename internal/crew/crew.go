// Package crew starts processes of this program, which begin something together, and ends them whatever they do. Each
// gets a line of JSON that says what it is to do, and one more when all are to begin.
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

// Program is what the processes run. It is started by means of package os alone: os/exec would
// make the command a good deal larger.
type Program struct {
	Path string
	Args []string // the first is the name
	Env  []string // nil: as ours

	inherited []*os.File // by its processes
}

// Patience is how long a process may take beyond its time.
const Patience = 20 * time.Second

// Process is one that has been started.
type Process struct {
	what   string // it does
	os     *os.Process
	stdin  *os.File
	stdout *os.File
	out    *bufio.Reader // of stdout
	stderr chan string   // gets all that it said, at its end
	forget []func() bool // to be called when it has ended
	killed atomic.Bool   // by us, in the midst of its work
	hung   atomic.Bool   // and was killed for that
}

// Task is what a process is to do.
type Task struct {
	What string // for messages: hold the lock
	Todo any    // what it is told
}

// Start starts a process that has work for some time. It ends with the context, whatever it does.
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
		what: task.What, os: started, stdin: in.write, stdout: out.read, stderr: make(chan string, 1),
		out: bufio.NewReaderSize(out.read, 64<<10), // as a pipe holds
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
	_ = p.Send(string(encoded)) // if it is dead, its output says so
	return p, nil
}

func (p *Process) Send(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// Pass sends data as it is.
func (p *Process) Pass(data []byte) error {
	_, err := p.stdin.Write(data)
	return err
}

// Line is the next line that the process tells; not one that was cut off.
func (p *Process) Line() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// Take is so many bytes that the process tells next.
func (p *Process) Take(size int) ([]byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(p.out, data)
	return data, err
}

// Expect wants a certain line next.
func (p *Process) Expect(want string) error {
	line, err := p.Line()
	if err == nil && line != want {
		err = fmt.Errorf("a process said %q instead of %q", line, want)
	}
	if err != nil {
		return First(p.End(), err)
	}
	return nil
}

// Kill ends it by force, as an operator or the system might.
func (p *Process) Kill() {
	p.killed.Store(true)
	_ = p.os.Kill()
}

// Stop asks it to finish what it does.
func (p *Process) Stop() { p.stdin.Close() }

// End waits for the end of its output and of itself, and tells what went wrong with it. To call it once more, after
// kill, does no harm.
func (p *Process) End() error {
	p.Stop()
	_, _ = io.Copy(io.Discard, p.out)
	p.stdout.Close()
	said := <-p.stderr
	p.stderr <- "" // for who asks once more
	state, err := p.os.Wait()
	for _, forget := range p.forget {
		forget()
	}
	switch {
	case p.hung.Load():
		return fmt.Errorf("a process did not get on (it was to %s) and was killed after %v", p.what, Patience)
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
	return fmt.Errorf("a process could not go on: %s", said)
}

// Killed reports whether it was Kill that ended it.
func (p *Process) Killed() bool { return p.killed.Load() }

// Crew is processes that begin together.
type Crew []*Process

// StartAll starts one for each task, and waits until all say that they are ready.
func (program Program) StartAll(ctx context.Context, tasks []Task, last time.Duration) (c Crew, err error) {
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
			c = append(c[:i], c[i+1:]...) // that one has ended
			return c, err
		}
	}
	return c, nil
}

// Begin lets them all begin.
func (c Crew) Begin() {
	for _, p := range c {
		_ = p.Send("go")
	}
}

// Stop asks them to finish what they do.
func (c Crew) Stop() {
	for _, p := range c {
		p.Stop()
	}
}

// Kill ends and forgets them.
func (c Crew) Kill() {
	for _, p := range c {
		p.Kill()
	}
	for _, p := range c {
		_ = p.End()
	}
}

// First is the first error that there is: the others mostly follow from it, or say the same.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
