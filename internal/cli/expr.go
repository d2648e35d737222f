// Expressions: jq, compiled once and run on what the document is at each try.

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/itchyny/gojq"
	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// compileError is an expression that does not compile, runtimeError one that fails when it is run.
type (
	compileError struct{ err error }
	runtimeError struct{ err error }
)

func (e *compileError) Error() string {
	return "the expression does not compile: " + e.err.Error() + "; its language is that of jq"
}
func (e *compileError) Unwrap() error { return e.err }
func (e *runtimeError) Error() string { return "the expression failed: " + e.err.Error() }
func (e *runtimeError) Unwrap() error { return e.err }

// exprFlags are the flags of a verb that takes an expression.
type exprFlags struct {
	expr, file string
	args, json []string
}

func (f *exprFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.expr, "expr", "", "make the new content from the old by this `JQ` expression; . is null if there is no document")
	flags.StringVar(&f.file, "from-file", "", "read the expression from a `FILE`")
	flags.StringArrayVar(&f.args, "arg", nil, "for the expression, $NAME is the text VALUE: `NAME VALUE`")
	flags.StringArrayVar(&f.json, "argjson", nil, "for the expression, $NAME is the JSON value VALUE: `NAME VALUE`")
}

// program is a compiled expression with the values of its variables.
type program struct {
	code   *gojq.Code
	values []any
}

// compile returns nil if there is no expression and none is needed.
func (f *exprFlags) compile(flags *pflag.FlagSet, needed bool) (*program, error) {
	text := unshield(f.expr)
	switch {
	case flags.Changed("expr") && flags.Changed("from-file"):
		return nil, usage("give --expr or --from-file, not both")
	case flags.Changed("from-file"):
		data, err := os.ReadFile(unshield(f.file))
		if err != nil {
			return nil, fmt.Errorf("read the expression: %w", err)
		}
		text = string(data)
	case !flags.Changed("expr"):
		if needed {
			return nil, usage("say what to do by --expr or --from-file")
		}
		if len(f.args)+len(f.json) > 0 {
			return nil, usage("--arg and --argjson are for an expression")
		}
		return nil, nil
	}
	var names []string
	p := &program{}
	for _, arg := range f.args {
		name, value, ok := strings.Cut(arg, shield)
		if !ok {
			return nil, usage("--arg takes a name and a value")
		}
		names, p.values = append(names, "$"+name), append(p.values, unshield(value))
	}
	for _, arg := range f.json {
		name, value, ok := strings.Cut(arg, shield)
		if !ok {
			return nil, usage("--argjson takes a name and a value")
		}
		decoded, err := decode([]byte(value), splice.Limits{})
		if err != nil {
			return nil, usage("--argjson %s: the value is not JSON: %v", name, err)
		}
		names, p.values = append(names, "$"+name), append(p.values, decoded)
	}
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, &compileError{err}
	}
	// Without loaders and an input, there is no way out: no environment, files or modules.
	if p.code, err = gojq.Compile(query, gojq.WithVariables(names)); err != nil {
		return nil, &compileError{err}
	}
	return p, nil
}

func decode(data []byte, lim splice.Limits) (any, error) {
	if err := splice.Check(data, lim); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // numbers that are not computed with keep all their digits
	var value any
	err := decoder.Decode(&value)
	return value, err
}

// apply computes the new content from the old, nil if there is none, and writes it into
// the old so that only what differs changes.
func (p *program) apply(ctx context.Context, old []byte, flags *commonFlags) ([]byte, error) {
	var input any
	if old != nil {
		var err error
		if input, err = decode(old, flags.limits()); err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
	}
	// Decoded, a document takes some ten times its size, and the expression may hold it twice.
	result, err := p.one(ctx, input, enoughMemory+64*uint64(len(old)))
	if err != nil {
		return nil, err
	}
	text, err := encodeResult(result, flags.sizeLimit())
	if err != nil {
		return nil, err
	}
	if old == nil {
		return append(text, '\n'), nil
	}
	text, err = splice.Merge(old, text, flags.limits())
	if err != nil {
		return nil, &runtimeError{err}
	}
	return text, nil
}

// one runs the program, which must have exactly one result, in so many bytes of memory.
func (p *program) one(ctx context.Context, input any, memory uint64) (any, error) {
	ctx, stop := withMemory(ctx, memory)
	defer stop()
	results := p.code.RunWithContext(ctx, input, p.values...)
	result, ok := results.Next()
	if !ok {
		return nil, &runtimeError{errors.New("it has no result, so there is no new content; to delete the document, use delete")}
	}
	if err := failure(ctx, result); err != nil {
		return nil, err
	}
	if more, ok := results.Next(); ok {
		if err := failure(ctx, more); err != nil {
			return nil, err
		}
		return nil, &runtimeError{errors.New("it has more than one result; put them into one array by [ ]")}
	}
	return result, nil
}

// failure is the error that a result is, if it is one.
func failure(ctx context.Context, result any) error {
	err, failed := result.(error)
	if !failed {
		return nil
	}
	if ctx.Err() != nil {
		var tooMuch *runtimeError // of withMemory
		if errors.As(context.Cause(ctx), &tooMuch) {
			return tooMuch
		}
		return ctx.Err()
	}
	return &runtimeError{err}
}

// enoughMemory is more than an expression on small documents ever needs.
const enoughMemory = 1 << 30

// withMemory returns a context that ends when the process holds more memory than that: def f: [f]; f would
// take all that the machine has. What one builtin takes by itself is seen only after it.
func withMemory(ctx context.Context, most uint64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // what the last collection left
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if metrics.Read(live); live[0].Value.Kind() == metrics.KindUint64 && live[0].Value.Uint64() > most {
				cancel(&runtimeError{fmt.Errorf("it holds more than %d MiB of memory", most>>20)})
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
