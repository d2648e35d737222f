// Expressions: jq, compiled once and run on what the document is at each try.

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

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

// compile returns nil if there is no expression and none is needed.
func (f *exprFlags) compile(flags *pflag.FlagSet, needed bool) (*program, error) {
	text := unshield(f.expr)
	switch {
	case flags.Changed("expr") && flags.Changed("from-file"):
		return nil, usage("give --expr or --from-file, not both")
	case flags.Changed("from-file"):
		var err error
		if text, err = readText(unshield(f.file)); err != nil {
			return nil, fmt.Errorf("read the expression: %w", err)
		}
	case !flags.Changed("expr"):
		if needed {
			return nil, usage("say what to do by --expr or --from-file")
		}
		if len(f.args)+len(f.json) > 0 {
			return nil, usage("--arg and --argjson are for an expression")
		}
		return nil, nil
	}
	source := source{Text: []byte(text)}
	for _, arg := range f.args {
		name, value, ok := strings.Cut(arg, shield)
		if !ok {
			return nil, usage("--arg takes a name and a value")
		}
		source.add(name, quote(unshield(value)))
	}
	for _, arg := range f.json {
		name, value, ok := strings.Cut(arg, shield)
		if !ok {
			return nil, usage("--argjson takes a name and a value")
		}
		if err := splice.Check([]byte(value), splice.Limits{}); err != nil {
			return nil, usage("--argjson %s: the value is not JSON: %v", name, err)
		}
		source.add(name, []byte(value))
	}
	return source.compile()
}

// readText reads an expression, and no more of the file than it takes to see that it is too long.
func readText(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, longestText+1))
	return string(data), err
}

// longestText is the longest expression in bytes. To compile what is nested takes up to 4 KiB of
// stack for each byte of the text, and a stack that overflows, at 512 MiB, ends the process.
const longestText = 32 << 10

// source is what a program is compiled from, here or in another process.
type source struct {
	Text   []byte            `json:"text"` // of which nothing is known yet
	Names  []string          `json:"names"`
	Values []json.RawMessage `json:"values"`
}

func (s *source) add(name string, value []byte) {
	s.Names, s.Values = append(s.Names, "$"+name), append(s.Values, value)
}

// program is a compiled expression with the values of its variables.
type program struct {
	source source
	code   *gojq.Code
	values []any
	reach  reach

	current *counted    // of the run that is under way
	left    atomic.Bool // a run could not be ended, and goes on
}

func (s source) compile() (*program, error) {
	if len(s.Text) > longestText {
		return nil, &compileError{
			fmt.Errorf("it has more than %d bytes; give what is data by --argjson", longestText),
		}
	}
	p := &program{source: s}
	for _, value := range s.Values {
		decoded, err := decode(value, splice.Limits{})
		if err != nil {
			return nil, err
		}
		p.values = append(p.values, decoded)
	}
	query, err := gojq.Parse(string(s.Text))
	if err != nil {
		return nil, &compileError{err}
	}
	p.reach = prepare(query)
	// Without loaders and an input, there is no way out: no environment, files or modules.
	options := append(p.guards(), gojq.WithVariables(s.Names))
	if p.code, err = gojq.Compile(query, options...); err != nil {
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
