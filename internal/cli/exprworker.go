// The process that runs an expression. It is expendable: its stack may overflow, and it
// is killed if it takes too long. Its standard input has the task, a line of JSON, and
// then each document: a line with the size (-1 if absent), and the bytes. It replies to
// the task and to each document on standard output: a line of JSON, and the new
// content. It ends after replying with an error.

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// exprStack is the limit of its stack.
const exprStack = enoughMemory / 4

// exprTask is the task of the process.
type exprTask struct {
	Text       []byte   `json:"text"` // of the expression, not yet parsed
	Names      []string `json:"names"`
	Values     [][]byte `json:"values"` // JSON
	MaxSize    int64    `json:"max_size"`
	Duplicates bool     `json:"duplicates"`
	Pair       bool     `json:"pair"` // the input is two documents, $old and $new
}

func (t *exprTask) add(name string, value []byte) {
	t.Names, t.Values = append(t.Names, "$"+name), append(t.Values, value)
}

// exprReply is the reply to the task or to a document.
type exprReply struct {
	Size  int    `json:"size"` // of the new content
	Kind  string `json:"kind,omitempty"`
	Error string `json:"error,omitempty"`
}

// The kinds of errors.
const (
	kindCompile  = "compile"
	kindRun      = "run"
	kindInvalid  = "invalid"   // the document
	kindTooLarge = "too_large" // the result
)

// replyTo is the reply with a result or an error. The error's text leaves out what its
// kind says.
func replyTo(text []byte, err error) exprReply {
	var compile *compileError
	var runtime *runtimeError
	cut := func(kind error) string { return strings.TrimPrefix(err.Error(), kind.Error()+": ") }
	switch {
	case err == nil:
		return exprReply{Size: len(text)}
	case errors.As(err, &compile):
		return exprReply{Kind: kindCompile, Error: compile.err.Error()}
	case errors.As(err, &runtime):
		return exprReply{Kind: kindRun, Error: runtime.err.Error()}
	case errors.Is(err, store.ErrInvalid):
		return exprReply{Kind: kindInvalid, Error: cut(store.ErrInvalid)}
	case errors.Is(err, store.ErrTooLarge):
		return exprReply{Kind: kindTooLarge, Error: cut(store.ErrTooLarge)}
	}
	return exprReply{Kind: kindRun, Error: err.Error()}
}

// work is the main function of the process.
func work(stdin io.Reader, stdout io.Writer) error {
	input := bufio.NewReader(stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return errors.New("this verb is started by other verbs, which send it an expression: " +
			"run jsonstore update FILE --expr JQ")
	}
	var task exprTask
	if err := json.Unmarshal(line, &task); err != nil {
		return fmt.Errorf("the task of a process that runs an expression: %w", err)
	}
	debug.SetMaxStack(exprStack)
	e, err := task.compile()
	if writeErr := encodeLine(stdout, replyTo(nil, err)); err != nil || writeErr != nil {
		return writeErr
	}
	// The parent holds the other end of the pipe while it wants results.
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	documents := make(chan []byte)
	go func() {
		defer close(documents)
		for {
			document, err := readDocument(input)
			if err != nil {
				cancel(err)
				return
			}
			documents <- document
		}
	}()
	for old := range documents {
		limitMemory(memoryFor(len(old)) * 5 / 4)
		text, err := e.run(ctx, old)
		if ctx.Err() != nil {
			break
		}
		if writeErr := encodeLine(stdout, replyTo(text, err)); err != nil || writeErr != nil {
			return writeErr
		}
		if _, err := stdout.Write(text); err != nil {
			return err
		}
	}
	if err := context.Cause(ctx); err != io.EOF {
		return err
	}
	return nil
}

// readDocument reads a document, nil if it is absent. It returns io.EOF at the end of
// input.
func readDocument(input *bufio.Reader) ([]byte, error) {
	line, err := input.ReadString('\n')
	if err != nil {
		return nil, err
	}
	size, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
	if err != nil || size < 0 {
		return nil, err
	}
	document := make([]byte, size)
	if _, err := io.ReadFull(input, document); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return document, nil
}

// expression is a compiled task. One goroutine uses it at a time.
type expression struct {
	exprTask
	code   *gojq.Code
	names  []string // of the variables
	values []any
	order  *keyOrder  // of the document, if the expression asks for it
	needs  *needed    // of the document; nil is all
	each   *byElement // nil if it does not change an array element by element
}

func (t exprTask) compile() (*expression, error) {
	values, err := t.arguments()
	if err != nil {
		return nil, err
	}
	e := &expression{exprTask: t, values: values}
	query, err := gojq.Parse(string(t.Text))
	if err != nil {
		return nil, &compileError{err}
	}
	e.each = e.byElement(query)
	var own literals
	own.takeFrom(query, string(t.Text))
	e.values = append(e.values, own.values...)
	e.names = slices.Concat(t.Names, own.names)
	if t.Pair {
		e.names = append(e.names, pairNames[:]...)
	}
	options := []gojq.CompilerOption{gojq.WithVariables(e.names)}
	if bytes.Contains(t.Text, []byte(unsortedKeys)) {
		e.order = newKeyOrder()
		unsorted := func(value any, _ []any) any { return e.order.unsorted(value) }
		options = append(options, gojq.WithFunction(unsortedKeys, 0, 0, unsorted))
	}
	// Without loaders and input, the expression has no access to environment, files or
	// modules.
	if e.code, err = gojq.Compile(query, options...); err != nil {
		return nil, &compileError{err}
	}
	return e, nil
}

// arguments are the decoded values.
func (t exprTask) arguments() ([]any, error) {
	var values []any
	for _, value := range t.Values {
		r, err := newReader(value, splice.Limits{})
		if err != nil {
			return nil, err
		}
		values = append(values, r.value())
	}
	return values, nil
}

// run computes the new content from the old, which is nil if absent.
func (e *expression) run(ctx context.Context, old []byte) ([]byte, error) {
	if e.Pair {
		return e.runPair(ctx, old)
	}
	halves, err := checkHalves(string(e.Text), append([][]byte{old}, e.Values...)...)
	if err != nil {
		return nil, &runtimeError{err}
	}
	defer saveMemory(len(old))()
	if e.each != nil && len(old) >= e.each.from {
		if text, ok, err := e.runByElement(ctx, old, halves); ok {
			return text, err
		}
	}
	var input any
	var texts *texts
	if old != nil {
		r, err := newReader(old, splice.Limits{AllowDuplicateKeys: e.Duplicates})
		if err != nil {
			return nil, invalid(err)
		}
		if e.order != nil {
			e.order = newKeyOrder()
			r.order = e.order
		}
		texts = newTexts()
		r.texts, r.needed = texts, e.needs
		input = r.value()
	}
	result, err := e.one(ctx, input, memoryFor(len(old)))
	if err != nil {
		return nil, err
	}
	return encodeResult(result, e.limit(), sizeOfResult(old), halves, texts)
}

// invalid is the error for a document that is not JSON.
func invalid(err error) error { return fmt.Errorf("%w: %w", store.ErrInvalid, err) }

// limit is the limit of a document in bytes.
func (t exprTask) limit() int64 { return (&commonFlags{maxSize: t.MaxSize}).sizeLimit() }

// sizeOfResult is the expected size of the result for a document.
func sizeOfResult(old []byte) int { return len(old) + len(old)/16 + 256 }

// one returns the only result, computed within a limit of memory.
func (e *expression) one(ctx context.Context, input any, memory uint64) (any, error) {
	return within(ctx, memory, func(ctx context.Context) (any, error) {
		return e.single(ctx, input)
	})
}

// within calls a function that runs gojq, with a limit of memory. gojq checks the
// context only between two instructions, and one instruction can take hours: its
// goroutine is then left behind.
func within[T any](
	ctx context.Context, memory uint64, run func(ctx context.Context) (T, error),
) (none T, err error) {
	ctx, stop := withMemory(ctx, memory)
	defer stop()
	type outcome struct {
		result T
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		result, err := run(ctx)
		ended <- outcome{result, err}
	}()
	select {
	case o := <-ended:
		if ctx.Err() == nil {
			return o.result, o.err
		}
	case <-ctx.Done():
	}
	return none, context.Cause(ctx)
}

// single runs the expression.
func (e *expression) single(ctx context.Context, input any) (any, error) {
	results := e.code.RunWithContext(ctx, input, e.values...)
	result, ok := results.Next()
	switch {
	case !ok && e.Pair:
		return nil, &runtimeError{errors.New("it has no result, so there is nothing to print")}
	case !ok:
		return nil, &runtimeError{errors.New("it has no result, so there is no new content; " +
			"to delete the document, use delete")}
	}
	if err, failed := result.(error); failed {
		return nil, &runtimeError{err}
	}
	if more, ok := results.Next(); ok {
		if err, failed := more.(error); failed {
			return nil, &runtimeError{err}
		}
		return nil, &runtimeError{errors.New("it has more than one result; " +
			"collect them in an array with [ ]")}
	}
	return result, nil
}
