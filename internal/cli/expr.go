// Expressions in jq, run at each try of an update. They are compiled and run in another
// process, except for plain ones (exprplain.go). This file has the flags, exprrun.go
// the command's side, and exprworker.go the process.

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// compileError says that an expression does not compile, runtimeError that it fails
// when it runs.
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
	flags.StringVar(&f.expr, "expr", "",
		"compute the new content from the old with this `JQ` expression; "+
			". is null if the document is absent")
	flags.StringVar(&f.file, "from-file", "", "read the expression from a `FILE`")
	f.registerArguments(flags)
}

// registerArguments registers the flags that set variables.
func (f *exprFlags) registerArguments(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.args, "arg", nil,
		"set the variable $NAME to the text VALUE: `NAME VALUE`")
	flags.StringArrayVar(&f.json, "argjson", nil,
		"set the variable $NAME to the JSON value VALUE: `NAME VALUE`")
}

// compile returns nil if there is no expression and none is needed. The caller closes
// the program.
func (f *exprFlags) compile(
	ctx context.Context, flags *pflag.FlagSet, common *commonFlags, needed bool,
) (*program, error) {
	task, err := f.task(flags, common, needed)
	if err != nil || task == nil {
		return nil, err
	}
	return compile(ctx, *task)
}

// task is the expression and its arguments, or nil if there is none and none is needed.
func (f *exprFlags) task(
	flags *pflag.FlagSet, common *commonFlags, needed bool,
) (*exprTask, error) {
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
			return nil, usage("want an expression: --expr or --from-file")
		}
		if len(f.args)+len(f.json) > 0 {
			return nil, usage("--arg and --argjson are for an expression")
		}
		return nil, nil
	}
	return f.taskOf(text, common)
}

// taskOf is the task of an expression with the arguments of the flags.
func (f *exprFlags) taskOf(text string, common *commonFlags) (*exprTask, error) {
	if err := checkLength(text); err != nil {
		return nil, err
	}
	if err := checkExpression(text); err != nil {
		return nil, err
	}
	task := newTask(text, common, 1)
	for _, arg := range f.args {
		name, value, ok := strings.Cut(arg, shield)
		if !ok {
			return nil, usage("--arg takes a name and a value")
		}
		if err := checkText("--arg", name+unshield(value)); err != nil {
			return nil, err
		}
		task.add(name, quote(unshield(value)))
	}
	for _, arg := range f.json {
		name, value, ok := strings.Cut(arg, shield)
		if !ok {
			return nil, usage("--argjson takes a name and a value")
		}
		if err := checkText("--argjson", name+value); err != nil {
			return nil, err
		}
		if err := splice.Check([]byte(value), splice.Limits{}); err != nil {
			return nil, usage("--argjson %s: the value is not JSON: %v", name, err)
		}
		task.add(name, []byte(value))
	}
	return task, nil
}

// newTask is the task of an expression over so many documents, without arguments.
func newTask(text string, common *commonFlags, documents int) *exprTask {
	return &exprTask{
		Text: []byte(text), MaxSize: common.sizeOf(documents), Duplicates: common.duplicates,
	}
}

// checkLength refuses a text that is too long for an expression.
func checkLength(text string) error {
	if len(text) > longestText {
		return &compileError{
			fmt.Errorf("it has more than %d bytes; pass data with --argjson", longestText),
		}
	}
	return nil
}

// readText reads an expression. Of a file that is too long it reads one byte more than
// the limit.
func readText(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, longestText+1))
	return string(data), err
}

// longestText is the longest expression in bytes. A longer one is most likely the wrong
// file.
const longestText = 32 << 10

// checkExpression refuses text that an expression cannot hold.
func checkExpression(text string) error {
	if err := checkText("the expression", text); err != nil {
		return err
	}
	if splice.HasHalves([]byte(text)) {
		return usage("the expression contains half of a surrogate pair, " +
			"which jq cannot keep; pass it with --argjson")
	}
	return nil
}
