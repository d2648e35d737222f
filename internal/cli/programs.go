// The expressions of a verb that has many of them.

package cli

import (
	"context"
	"fmt"
)

// maxWorkers is how many processes may wait for their next document.
const maxWorkers = 16

// programs are compiled expressions. Equal ones are compiled once. Of the processes that run
// them only some are kept between two runs.
type programs struct {
	byTask map[string]*program
	kept   []*program
}

// compile returns the program of a task.
func (p *programs) compile(ctx context.Context, task exprTask) (*program, error) {
	key := fmt.Sprintf("%q %q %q %d", task.Text, task.Names, task.Values, task.MaxSize)
	if known := p.byTask[key]; known != nil {
		return known, nil
	}
	compiled, err := compile(ctx, task)
	if err != nil {
		return nil, err
	}
	if p.byTask == nil {
		p.byTask = map[string]*program{}
	}
	p.byTask[key] = compiled
	if len(p.kept) < maxWorkers {
		p.keep(compiled)
	}
	p.spare(compiled)
	return compiled, nil
}

// keep lets the process of a program wait for the next run.
func (p *programs) keep(one *program) { p.kept = append(p.kept, one) }

// spare ends the process of a program that is not kept. The next run starts another.
func (p *programs) spare(one *program) {
	for _, kept := range p.kept {
		if kept == one {
			return
		}
	}
	one.close()
}

// close ends all processes.
func (p *programs) close() {
	for _, kept := range p.kept {
		kept.close()
	}
}
