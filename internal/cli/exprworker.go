// The process that an expression runs in if it might take this one along: it can be killed at any
// instruction, and its stack may overflow. It gets the expression and the document on its
// standard input, and writes the result on its standard output: a line that says what came of it,
// and a line with the new content.

package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/store"
)

// exprWorkerVerb is what such a process is started with. It is not for users.
const exprWorkerVerb = "expr-worker"

// exprStack is how large its stack may become, a quarter of the memory that an expression may take.
const exprStack = enoughMemory / 4

// exprTask is what it is to do.
type exprTask struct {
	Source     source `json:"source"`
	Size       int    `json:"size"` // of the document, which follows; -1: there is none
	MaxSize    int64  `json:"max_size"`
	Duplicates bool   `json:"duplicates"`
}

// exprReply is what came of it.
type exprReply struct {
	Error    string `json:"error,omitempty"`
	Invalid  bool   `json:"invalid,omitempty"`   // it is the document
	TooLarge bool   `json:"too_large,omitempty"` // it is what was to become of it
}

var errDeep = &runtimeError{errors.New("it nests values too deeply for what it does with them; " +
	"make fewer levels")}

// elsewhere runs the program in another process, which ends with the context.
func (p *program) elsewhere(ctx context.Context, old []byte, flags *commonFlags) ([]byte, error) {
	task := exprTask{p.source, -1, flags.maxSize, flags.duplicates}
	if old != nil {
		task.Size = len(old)
	}
	text, err := p.ask(ctx, task, old)
	if ctx.Err() != nil {
		return nil, ctx.Err() // what became of the process follows from that
	}
	return text, err
}

func (p *program) ask(ctx context.Context, task exprTask, old []byte) ([]byte, error) {
	program, err := self(exprWorkerVerb)
	if err != nil {
		return nil, err
	}
	const forEver = math.MaxInt64 - crew.Patience
	worker, err := program.Start(ctx, crew.Task{What: "run an expression", Todo: task}, forEver)
	if err != nil {
		return nil, err
	}
	_ = worker.Send(string(old)) // if it is dead, its output says so
	var reply exprReply
	var text string
	line, err := worker.Line()
	if err == nil {
		err = json.Unmarshal([]byte(line), &reply)
	}
	if err == nil && reply.Error == "" {
		text, err = worker.Line()
	}
	if endErr := worker.End(); err != nil {
		return nil, death(crew.First(endErr, err), memoryFor(len(old)))
	}
	switch {
	case reply.Invalid:
		return nil, fmt.Errorf("%w: %s", store.ErrInvalid, reply.Error)
	case reply.TooLarge:
		return nil, fmt.Errorf("%w: %s", store.ErrTooLarge, reply.Error)
	case reply.Error != "":
		return nil, &runtimeError{errors.New(reply.Error)}
	}
	return []byte(text), nil
}

// death says why a process that may have so much memory has not answered.
func death(err error, memory uint64) error {
	said := err.Error()
	switch {
	case strings.Contains(said, "stack overflow"):
		return errDeep
	case strings.Contains(said, "out of memory"), strings.Contains(said, "cannot allocate memory"):
		return tooMuch(memory)
	}
	text, _, _ := strings.Cut(said, "\n") // the rest is for who mends the program
	return &runtimeError{fmt.Errorf("the process that ran it has ended: %s", text)}
}

// runTask is what the process does with its life.
func runTask(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	input := bufio.NewReader(stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return errors.New("a process that runs an expression has to be given it: " +
			"run jsonstore update FILE --expr JQ")
	}
	var task exprTask
	if err := json.Unmarshal(line, &task); err != nil {
		return fmt.Errorf("the task of a process that runs an expression: %w", err)
	}
	var old []byte
	if task.Size >= 0 {
		old = make([]byte, task.Size)
		if _, err := io.ReadFull(input, old); err != nil {
			return err
		}
	}
	// Whoever wants the result holds the other end for as long as it lives.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, input)
		cancel()
	}()
	p, err := task.Source.compile()
	if err != nil {
		return err
	}
	debug.SetMaxStack(exprStack)
	limitMemory(memoryFor(len(old)) * 5 / 4)
	flags := &commonFlags{maxSize: task.MaxSize, duplicates: task.Duplicates}
	text, err := p.here(ctx, old, flags, unbounded)
	var reply exprReply
	var runtime *runtimeError
	switch {
	case errors.As(err, &runtime):
		reply.Error = runtime.err.Error()
	case errors.Is(err, store.ErrInvalid):
		reply.Invalid = true
		reply.Error = strings.TrimPrefix(err.Error(), store.ErrInvalid.Error()+": ")
	case errors.Is(err, store.ErrTooLarge):
		reply.TooLarge = true
		reply.Error = strings.TrimPrefix(err.Error(), store.ErrTooLarge.Error()+": ")
	case err != nil:
		return err
	}
	if err := encodeLine(stdout, reply); err != nil {
		return err
	}
	_, err = stdout.Write(append(text, '\n'))
	return err
}

func (a *app) exprWorkerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    exprWorkerVerb,
		Short:  "Be the process that an expression runs in",
		Hidden: true,
		Args:   cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runTask(cmd.Context(), a.stdin, a.stdout)
	}
	return cmd
}
