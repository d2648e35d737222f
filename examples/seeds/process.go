//go:build unix

// The processes of a round. Each is this program again. It gets its task on standard input, says
// line by line what it has done, and ends when standard input does.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
)

// workerVariable makes this program such a process.
const workerVariable = "SEEDS_WORKER"

// task is what a process is to do.
type task struct {
	System  string
	Load    string
	Ours    bool
	Dir     string
	Process int
	Role    string
}

// self is this program, to be started as a worker.
func self() (crew.Program, error) {
	path, err := os.Executable()
	return crew.Program{Path: path, Args: []string{path},
		Env: append(os.Environ(), workerVariable+"=1")}, err
}

// round is one run of a load.
type round struct {
	task
	*tally
	ctx     context.Context
	program crew.Program
}

// limit bounds a round whose processes hang.
const limit = time.Minute

// start starts a process for each role, and returns when all are ready.
func (r *round) start(roles ...string) (crew.Crew, error) {
	var tasks []crew.Task
	for i, role := range roles {
		t := r.task
		t.Process, t.Role = i, role
		tasks = append(tasks, crew.Task{What: r.System + " " + role, Todo: t})
	}
	return r.program.StartAll(r.ctx, tasks, limit)
}

// group starts n processes of one role and begins.
func (r *round) group(n int, role string) (crew.Crew, error) {
	roles := make([]string, n)
	for i := range roles {
		roles[i] = role
	}
	c, err := r.start(roles...)
	if err == nil {
		c.Begin()
	}
	return c, err
}

// How the processes of a group end.
type ending int

const (
	byThemselves ending = iota
	stopped             // asked to, after some time
	killed              // by SIGKILL, after some time
)

// gather waits until the processes have ended and returns what each has said.
func (r *round) gather(c crew.Crew, how ending, after time.Duration) ([][]string, error) {
	said := make([][]string, len(c))
	var listening sync.WaitGroup
	for i, p := range c {
		listening.Go(func() {
			for line, err := p.Line(); err == nil; line, err = p.Line() {
				said[i] = append(said[i], line)
			}
		})
	}
	if how != byThemselves {
		select {
		case <-time.After(after):
		case <-r.ctx.Done():
		}
	}
	for _, p := range c {
		switch how {
		case stopped:
			p.Stop()
		case killed:
			p.Kill()
		}
	}
	listening.Wait()
	var failed error
	for _, p := range c {
		failed = crew.First(failed, p.End())
	}
	return said, crew.First(r.ctx.Err(), failed)
}

// times counts lines.
func times(said [][]string, line string) (n int) {
	for _, lines := range said {
		for _, l := range lines {
			if l == line {
				n++
			}
		}
	}
	return n
}

// worker is a process, as it sees itself.
type worker struct {
	task
	lines chan string   // from standard input
	stop  chan struct{} // closed when the work is to end
}

// What a worker says. A kill leaves whole lines: each is one short write.
const (
	done   = "+"      // acknowledged
	failed = "failed" // an operation that found something broken
	late   = "late"   // it gave up waiting
	twice  = "twice"  // somebody else was there, too
	held   = "held"   // it has the lock
	lost   = "lost"   // it had the lock for too long
)

func (w *worker) say(line string) { fmt.Fprintln(os.Stdout, line) }

// stopping reports whether the work is to end.
func (w *worker) stopping() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// beWorker is the main function of such a process.
func beWorker() error {
	w := &worker{lines: make(chan string, 1), stop: make(chan struct{})}
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	if err := json.Unmarshal(in.Bytes(), &w.task); err != nil {
		return err
	}
	w.say("ready")
	if !in.Scan() {
		return nil
	}
	go func() {
		for in.Scan() {
			w.lines <- in.Text()
		}
		close(w.stop)
	}()
	for _, s := range systems {
		if s.name == w.System && s.load == w.Load {
			return s.side(w.Ours).work(w)
		}
	}
	return fmt.Errorf("there is no %s under the load %q", w.System, w.Load)
}
