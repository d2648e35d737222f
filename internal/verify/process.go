// The processes of a test, seen from the one that starts them.

package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Program is what runs Work in a process of its own. It is started by means of package os alone: os/exec would
// make the command a good deal larger.
type Program struct {
	Path string
	Args []string // the first is the name
	Env  []string // nil: as ours
}

// patience is how long a process may take beyond the time of its test.
const patience = 20 * time.Second

// process is a worker that runs.
type process struct {
	task   task
	os     *os.Process
	stdin  *os.File
	stdout *os.File
	out    *bufio.Reader // of stdout
	stderr chan string   // gets all that it said, at its end
	forget []func() bool // to be called when it has ended
	killed atomic.Bool   // by us, in the midst of its work
	hung   atomic.Bool   // and was killed for that
}

// start starts a worker that has work for some time. It ends with the context, whatever it does.
func (program Program) start(ctx context.Context, todo task, last time.Duration) (*process, error) {
	encoded, err := json.Marshal(todo)
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
			return nil, err
		}
	}
	in, out, messages := pipes[0], pipes[1], pipes[2]
	started, err := os.StartProcess(program.Path, program.Args, &os.ProcAttr{
		Env: program.Env, Files: []*os.File{in.read, out.write, messages.write},
	})
	in.read.Close()
	out.write.Close()
	messages.write.Close()
	if err != nil {
		in.write.Close()
		out.read.Close()
		messages.read.Close()
		return nil, fmt.Errorf("start another process of this program: %w", err)
	}
	p := &process{task: todo, os: started, stdin: in.write, stdout: out.read, out: bufio.NewReader(out.read), stderr: make(chan string, 1)}
	go func() {
		said, _ := io.ReadAll(messages.read)
		messages.read.Close()
		p.stderr <- string(said)
	}()
	limit := time.AfterFunc(last+patience, func() {
		p.hung.Store(true)
		_ = p.os.Kill()
	})
	p.forget = []func() bool{limit.Stop, context.AfterFunc(ctx, func() { _ = p.os.Kill() })}
	_ = p.send(string(encoded)) // if it is dead, its output says so
	return p, nil
}

func (p *process) send(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// line is the next line that the process tells; not one that was cut off.
func (p *process) line() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// expect wants a certain line next.
func (p *process) expect(want string) error {
	line, err := p.line()
	if err == nil && line != want {
		err = fmt.Errorf("a process said %q instead of %q", line, want)
	}
	if err != nil {
		return first(p.end(), err)
	}
	return nil
}

// kill ends it by force, as an operator or the system might.
func (p *process) kill() {
	p.killed.Store(true)
	_ = p.os.Kill()
}

// stop asks it to finish what it does.
func (p *process) stop() { p.stdin.Close() }

// end waits for the end of its output and of itself, and tells what went wrong with it. To call it once more, after
// kill, does no harm.
func (p *process) end() error {
	p.stop()
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
		return fmt.Errorf("a process did not get on (it was to %s) and was killed after %v", p.task.Role, patience)
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

// crew is the processes of one test. They begin together.
type crew []*process

func (program Program) crew(ctx context.Context, todo []task, last time.Duration) (c crew, err error) {
	defer func() {
		if err != nil {
			c.kill()
		}
	}()
	for _, t := range todo {
		p, err := program.start(ctx, t, last)
		if err != nil {
			return c, err
		}
		c = append(c, p)
	}
	for i, p := range c {
		if err := p.expect("ready"); err != nil {
			c = append(c[:i], c[i+1:]...) // that one has ended
			return c, err
		}
	}
	return c, nil
}

// begin lets them all begin. Creators wait for the name of a document instead.
func (c crew) begin() {
	for _, p := range c {
		_ = p.send("go")
	}
}

func (c crew) stop() {
	for _, p := range c {
		p.stop()
	}
}

// kill ends and forgets them.
func (c crew) kill() {
	for _, p := range c {
		p.kill()
	}
	for _, p := range c {
		_ = p.end()
	}
}

// acknowledged reads what a counting process was acknowledged until it ends, passing on how many it were by then.
func (p *process) acknowledged(seen func(n int)) (last int, err error) {
	for n := 1; ; n++ {
		line, err := p.line()
		if err != nil {
			return last, p.end()
		}
		if last, err = strconv.Atoi(line); err != nil {
			p.kill()
			return last, first(err, p.end())
		}
		if seen != nil {
			seen(n)
		}
	}
}

// result reads what a reading process tells at its end.
func (p *process) result() (watched, error) {
	var seen watched
	p.stop()
	line, err := p.line()
	if endErr := p.end(); err != nil || endErr != nil {
		return seen, first(endErr, err)
	}
	return seen, json.Unmarshal([]byte(line), &seen)
}

// Ask is an Asker.
func (program Program) Ask(ctx context.Context, path string) (free bool, err error) {
	p, err := program.start(ctx, task{Role: roleAsk, File: path}, 0)
	if err != nil {
		return false, err
	}
	line, err := p.line()
	if err = first(p.end(), err); err != nil {
		return false, err
	}
	return strconv.ParseBool(line)
}

// first is the first error that there is: the others mostly follow from it, or say the same.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
