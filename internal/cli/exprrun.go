// The command's side of an expression that is not plain: start the process that runs
// it, send it documents, and kill it if need be, at any instruction. So no expression
// can harm the command, whatever memory, stack and time it takes.

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// program is an expression and the process that runs it. One goroutine uses it at a
// time.
type program struct {
	task   exprTask
	plain  *expression   // nil if it is not plain, and needs the process
	worker *crew.Process // nil if it has ended; the next run starts another
}

var errDeep = errors.New("it nests values too deeply; use fewer levels")

// compile compiles a plain expression here, and any other in a process that it starts.
func compile(ctx context.Context, task exprTask) (*program, error) {
	p := &program{task: task, plain: task.plain()}
	if p.plain != nil {
		return p, nil
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// close ends the process. The program may be nil.
func (p *program) close() {
	if p != nil && p.worker != nil {
		p.worker.Kill()
		_ = p.end()
	}
}

// end waits for the end of the process, and returns its error.
func (p *program) end() error {
	err := p.worker.End()
	p.worker = nil
	return err
}

func (p *program) start(ctx context.Context) error {
	program, err := self(exprWorkerVerb)
	if err != nil {
		return err
	}
	const forEver = math.MaxInt64 - crew.Patience
	what := crew.Task{What: "run an expression", Todo: p.task}
	// The process outlives the context, which may be that of one file of many.
	if p.worker, err = program.Start(context.WithoutCancel(ctx), what, forEver); err != nil {
		return err
	}
	_, err = p.ask(ctx, 0, func() {}) // the reply to the task
	return err
}

// apply computes the new content from the old (nil if absent), and merges it into the
// old, so that only the differences change.
func (p *program) apply(ctx context.Context, old []byte) ([]byte, error) {
	defer saveMemory(len(old))()
	text, err := p.run(ctx, old)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return append(text, '\n'), nil
	}
	if len(old) >= largeDocument {
		p.close() // its memory is worth more than the start of another
	}
	text, err = splice.Merge(old, text, splice.Limits{AllowDuplicateKeys: p.task.Duplicates})
	if err != nil {
		return nil, &runtimeError{err}
	}
	return text, nil
}

// run computes the new content.
func (p *program) run(ctx context.Context, old []byte) ([]byte, error) {
	if p.plain != nil {
		text, err := p.plain.run(ctx, old)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return text, err
	}
	if p.worker == nil {
		if err := p.start(ctx); err != nil {
			return nil, err
		}
	}
	return p.ask(ctx, len(old), func() {
		size := len(old)
		if old == nil {
			size = -1
		}
		// An error here shows again as a missing answer.
		_ = p.worker.Send(strconv.Itoa(size))
		_ = p.worker.Pass(old)
	})
}

// ask sends a request about a document of that size and returns the answer. After an
// error, or the end of the context, the process has ended.
func (p *program) ask(ctx context.Context, document int, send func()) ([]byte, error) {
	forget := context.AfterFunc(ctx, p.worker.Kill)
	send()
	reply, text, err := p.listen()
	switch {
	case !forget():
		_ = p.end()
		return nil, ctx.Err() // the process was killed for that
	case err != nil:
		return nil, death(crew.First(p.end(), err), memoryFor(document))
	case reply.Kind != "":
		_ = p.end()
		return nil, reply.failure()
	}
	return text, nil
}

func (p *program) listen() (reply exprReply, text []byte, err error) {
	line, err := p.worker.Line()
	if err != nil {
		return reply, nil, err
	}
	if err := json.Unmarshal([]byte(line), &reply); err != nil {
		return reply, nil, err
	}
	text, err = p.worker.Take(reply.Size)
	return reply, text, err
}

// failure is the error in a reply.
func (r exprReply) failure() error {
	err := errors.New(r.Error)
	switch r.Kind {
	case kindCompile:
		return &compileError{err}
	case kindInvalid:
		return fmt.Errorf("%w: %w", store.ErrInvalid, err)
	case kindTooLarge:
		return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
	}
	return &runtimeError{err}
}

// death explains why the process has not answered. memory is its limit.
func death(err error, memory uint64) error {
	said := err.Error()
	switch {
	case strings.Contains(said, "stack overflow"):
		return &runtimeError{errDeep}
	case strings.Contains(said, "out of memory"), strings.Contains(said, "cannot allocate memory"):
		return tooMuch(memory)
	}
	text, _, _ := strings.Cut(said, "\n") // the rest is a stack trace
	return &runtimeError{errors.New(text)}
}
