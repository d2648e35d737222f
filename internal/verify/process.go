// The processes of a test, and their output.

package verify

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
)

// crewFor starts a process for each task.
func (r *runner) crewFor(ctx context.Context, todo []task, last time.Duration) (crew.Crew, error) {
	tasks := make([]crew.Task, len(todo))
	for i, t := range todo {
		tasks[i] = crew.Task{What: string(t.Role), Todo: t}
	}
	return r.Program.StartAll(ctx, tasks, last)
}

// acknowledged reads the acknowledgements of a counting process until it ends, and passes on their
// number after each one.
func acknowledged(p *crew.Process, seen func(n int)) (last int, err error) {
	for n := 1; ; n++ {
		line, err := p.Line()
		if err != nil {
			return last, p.End()
		}
		if last, err = strconv.Atoi(line); err != nil {
			p.Kill()
			return last, crew.First(err, p.End())
		}
		if seen != nil {
			seen(n)
		}
	}
}

// result reads the report of a reading process at its end.
func result(p *crew.Process) (watched, error) {
	var seen watched
	p.Stop()
	line, err := p.Line()
	if endErr := p.End(); err != nil || endErr != nil {
		return seen, crew.First(endErr, err)
	}
	return seen, json.Unmarshal([]byte(line), &seen)
}

// AskBy is an Asker that asks another process of the program.
func AskBy(program crew.Program) Asker {
	return func(ctx context.Context, path string) (free bool, err error) {
		ask := crew.Task{What: string(roleAsk), Todo: task{Role: roleAsk, File: path}}
		p, err := program.Start(ctx, ask, 0)
		if err != nil {
			return false, err
		}
		line, err := p.Line()
		if err = crew.First(p.End(), err); err != nil {
			return false, err
		}
		return strconv.ParseBool(line)
	}
}
