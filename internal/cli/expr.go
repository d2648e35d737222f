// Expressions: jq, compiled once and run on what the document is at each try.

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/internal/splice"
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
		data, err := os.ReadFile(f.file)
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
func (p *program) apply(ctx context.Context, old []byte, lim splice.Limits) ([]byte, error) {
	var input any
	if old != nil {
		var err error
		if input, err = decode(old, lim); err != nil {
			return nil, err
		}
	}
	result, err := p.one(ctx, input)
	if err != nil {
		return nil, err
	}
	text, err := appendValue(nil, result)
	if err != nil {
		return nil, &runtimeError{err}
	}
	if old == nil {
		return append(text, '\n'), nil
	}
	return splice.Merge(old, text, lim)
}

// one runs the program, which must have exactly one result.
func (p *program) one(ctx context.Context, input any) (any, error) {
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
		return context.Cause(ctx)
	}
	return &runtimeError{err}
}

// appendValue writes a value as JSON, and refuses what JSON cannot say.
func appendValue(out []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case *big.Int:
		return v.Append(out, 10), nil
	case json.Number:
		return append(out, v...), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("the result has %v in it, which is no JSON number", v)
		}
		text, err := json.Marshal(v)
		return append(out, text...), err
	case string:
		return append(out, quote(v)...), nil
	case []any:
		out = append(out, '[')
		for i, elem := range v {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendValue(out, elem); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case map[string]any:
		out = append(out, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(out, quote(key)...), ':')
			var err error
			if out, err = appendValue(out, v[key]); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	}
	return nil, fmt.Errorf("the result has a %T in it, which is no JSON value", value)
}
