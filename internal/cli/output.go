// The rules of output, and the exit codes.
//
//   - Standard output has the requested data and nothing else.
//   - Messages go to standard error, as "jsonstore: FILE: what is wrong; what to do".
//     -q suppresses them.
//   - With --json each result is one line with a JSON object on standard output, each
//     error one on standard error.
//   - A result that cannot be written is an error, which says whether the document has
//     changed already. If the reader has exited, as head does, the exit code is 8,
//     without a message if nothing changed. A standard output that was closed before
//     the start looks like /dev/null: the Go runtime opens that in its place.

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/journal"
	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/merge"
	"github.com/jsonstore/jsonstore/store"
)

// The exit codes.
const (
	exitDone        = 0
	exitNo          = 1
	exitUsage       = 2
	exitCompile     = 3
	exitAbsent      = 4
	exitInvalid     = 5
	exitConflict    = 6
	exitTimeout     = 7
	exitIO          = 8
	exitChanged     = 10
	exitOurs        = 125 // of a verb that runs a program: a failure that is not the program's
	exitNotRunnable = 126
	exitNotFound    = 127
	exitInterrupted = 130
	exitTerminated  = 143
)

const exitCodesHelp = `
Exit codes:
  0 done              4 no such file, path or value     7 timed out, or locked
  1 the answer is no  5 bad JSON, or the expression     8 input or output
  2 usage               or patch failed              10 changed (--exit-changed)
  3 the expression    6 conflict                    130 interrupted
    does not compile                                143 the same, by SIGTERM
With --each the first file that fails sets the exit code. A verb that runs a program exits with
the program's code, 126 or 127 if it cannot be run, and 125 for all else.
`

// errNo is the answer no. It is not a failure, and prints no message.
var errNo = errors.New("no")

// kinds are the names of the exit codes in JSON.
var kinds = map[int]string{
	exitUsage: "usage", exitCompile: "compile", exitAbsent: "not_exist", exitInvalid: "invalid",
	exitConflict: "conflict", exitTimeout: "timeout", exitIO: "io",
	exitInterrupted: "interrupted", exitTerminated: "interrupted",
}

// exitCode classifies an error. The more specific classes come first: an update that
// timed out after conflicts has timed out.
func exitCode(err error) int {
	var badUsage errUsage
	var compile *compileError
	var runtime *runtimeError
	var conflicts *merge.Conflicts
	for _, c := range []struct {
		is   bool
		code int
	}{
		{errors.Is(err, errNo), exitNo},
		{errors.As(err, &badUsage), exitUsage},
		{errors.As(err, &compile), exitCompile},
		{errors.Is(err, context.Canceled), exitInterrupted},
		{errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrLocked), exitTimeout},
		{errors.Is(err, lease.ErrHeld), exitTimeout},
		{errors.Is(err, lease.ErrLost), exitConflict},
		{errors.As(err, &runtime), exitInvalid},
		{errors.Is(err, store.ErrNotDurable), exitIO},
		{errors.Is(err, store.ErrConflict) || errors.As(err, &conflicts), exitConflict},
		{errors.Is(err, store.ErrVersion), exitUsage},
		{errors.Is(err, store.ErrPath) || errors.Is(err, store.ErrKey), exitUsage},
		{errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrTooLarge), exitInvalid},
		{errors.Is(err, journal.ErrCorrupt), exitInvalid},
		{errors.Is(err, fs.ErrNotExist) || errors.Is(err, journal.ErrRemoved), exitAbsent},
	} {
		if c.is {
			return c.code
		}
	}
	return exitIO
}

// fail reports an error, about a file if one is given. The first error sets the exit
// code.
func (a *app) fail(file string, err error) {
	code := exitCode(err)
	if code == exitInterrupted && a.cause != nil {
		code = interruptedBy(a.cause())
	}
	kind := kinds[code]
	if a.runs {
		code = codeOfRun(code, err)
	}
	if a.code == exitDone {
		a.code = code
	}
	var output *outputError
	a.unheard = a.unheard || errors.As(err, &output)
	unheard := output != nil && !output.published && errors.Is(err, syscall.EPIPE)
	if code == exitNo || unheard {
		return
	}
	// What is around an operation's error says less than that.
	var at *opError
	if errors.As(err, &at) {
		if err = at.err; at.file != "" {
			file = at.file
		}
	}
	// store.Error would name the document a second time.
	op, number := "", 0
	var where *store.Error
	if errors.As(err, &where) && where.Name == file {
		op, err = where.Op, where.Err
	}
	if at != nil {
		op, number = at.verb, at.number
		err = &opError{at.number, at.verb, at.file, err}
	}
	if a.flags.json {
		report := struct {
			File  string         `json:"file,omitempty"`
			Op    string         `json:"op,omitempty"`
			In    int            `json:"operation,omitempty"` // of a transaction
			Kind  string         `json:"kind"`
			Exit  int            `json:"exit"`
			Error string         `json:"error"`
			Want  *store.Version `json:"want,omitempty"`
			Have  *store.Version `json:"have,omitempty"`
		}{
			File: file, Op: op, In: number, Kind: kind, Exit: code,
			Error: inVerbs(file, inFlags.Replace(err.Error())),
		}
		var conflict *store.ConflictError
		if errors.As(err, &conflict) {
			report.Want, report.Have = &conflict.Want, &conflict.Have
		}
		_ = encodeLine(a.stderr, report)
		return
	}
	if a.flags.quiet {
		return
	}
	message := inVerbs(file, inFlags.Replace(explain(file, err)))
	if file != "" {
		message = file + ": " + message
	}
	fmt.Fprintf(a.stderr, "jsonstore: %s\n", strings.ReplaceAll(message, shield, ""))
}

// inFlags replaces the options that the store's messages name by the command's flags.
var inFlags = strings.NewReplacer(
	"raise MaxSize if that is meant", "raise the limit with --max-size",
	"allow it with AllowNetwork", "allow it with --allow-network",
	"which GuardForeign needs", "which --guard needs",
	"LockPath ", "--lock-file ",
	"Options.Poll is set", "--poll is given",
)

// inVerbs replaces the methods that the store's messages name by the command's verbs.
func inVerbs(file, message string) string {
	return strings.ReplaceAll(message, "see Doc.Recover", "try jsonstore recover "+file)
}

// explain is the message for an error in the command's terms.
func explain(file string, err error) string {
	if at, ok := err.(*opError); ok {
		return at.prefix() + explain(file, at.err)
	}
	switch {
	case err == context.DeadlineExceeded:
		return "timed out; allow more with --timeout"
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out; " + err.Error() + "; allow more with --timeout"
	case errors.Is(err, context.Canceled):
		return strings.TrimSuffix("interrupted; "+err.Error(), "; "+context.Canceled.Error())
	case errors.Is(err, errNotMade):
		return "there is no such file; with --each, --create makes it"
	case err == store.ErrNotExist:
		return "there is no such file; create it first"
	}
	if text, ok := strings.CutSuffix(err.Error(), ": "+store.ErrNotExist.Error()); ok {
		// The value is absent, not the file.
		return text + "; see the content with jsonstore get " + file
	}
	return err.Error()
}

func encodeLine(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// outputError says that a result could not be written, perhaps after the change was
// published.
type outputError struct {
	err       error
	published bool
}

func (e *outputError) Error() string {
	text := "write the result: " + e.err.Error()
	if e.published {
		text += "; the document was changed all the same: do not repeat the change"
	}
	return text
}
func (e *outputError) Unwrap() error { return e.err }

// wrote marks an error of writing a result as an outputError.
func wrote(err error) error {
	if err == nil {
		return nil
	}
	return &outputError{err: err}
}

// print writes data, and a newline if data does not end with one.
func (a *app) print(data []byte) error {
	if len(data) == 0 || data[len(data)-1] != '\n' {
		data = append(data[:len(data):len(data)], '\n')
	}
	_, err := a.stdout.Write(data)
	return wrote(err)
}

// result is what --json prints for a document.
type result struct {
	File    string          `json:"file"`
	Value   json.RawMessage `json:"value,omitempty"`
	Version *store.Version  `json:"version,omitempty"`
	Changed *bool           `json:"changed,omitempty"`
	Diff    string          `json:"diff,omitempty"`

	Conflicts []merge.Conflict `json:"conflicts,omitempty"` // of a merge
}

// show prints a result: with --json as JSON, else as the given text, if there is any.
func (a *app) show(r result, text []byte) error {
	if a.flags.json {
		return wrote(encodeLine(a.stdout, r))
	}
	if text == nil {
		return nil
	}
	return a.print(text)
}

func quote(text string) []byte { return splice.Quote(text) }
