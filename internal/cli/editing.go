// The verb edit: the user's editor on a draft of the document.

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/merge"
	"github.com/jsonstore/jsonstore/store"
)

// mostRounds bounds how often the editor is started again where no user can end that.
const mostRounds = 10

type editing struct {
	app *app
	writeFlags
	resume string

	file     string // the document as the user named it
	command  string // the editor
	terminal bool
	doc      *store.Doc
	draft    *draft
	invalid  *store.Version // of a document whose content is invalid, which is to be replaced
}

func (a *app) editCommand() *cobra.Command {
	e := &editing{app: a}
	cmd := &cobra.Command{
		Use:   "edit FILE",
		Short: "Edit the document in $VISUAL or $EDITOR, and merge what others have changed",
		Long: `Edit the document in $VISUAL or $EDITOR, and merge what others have changed
meanwhile. The editor gets a draft; no lock is held while it runs. When it ends, the draft takes the
place of the document. If the document was changed meanwhile, the two are merged by path, as by
jsonstore merge. Where both have changed the same value, the editor is started again, with
{"` + merge.MarkKey + `": {"base": …, "ours": …, "theirs": …}} in the place of the value: ours is
that of the draft. Put the right value there. An invalid draft is edited again too.

A draft that is as it was writes nothing. If the editor fails, or the document cannot be
written, the draft is kept, in a directory that only you may enter, beneath $XDG_STATE_HOME or
~/.local/state; the message has the command that goes on with it.

A document that does not exist is created. One with invalid content can be edited too.`,
		Example: `  jsonstore edit settings.json
  EDITOR='code --wait' jsonstore edit settings.json
  jsonstore edit settings.json --expect "$version"`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&e.resume, "resume", "", "go on with a `DRAFT` that was kept")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		e.file = unshield(args[0])
		e.terminal = isTerminalInput(a.stdin) && isTerminal(a.stderr)
		if e.command, err = editorCommand(e.terminal); err != nil {
			return err
		}
		return a.write(cmd, &e.writeFlags, args,
			func(_ context.Context, doc *store.Doc) (written, error) {
				e.doc = doc
				return e.edit(cmd.Context())
			})
	}
	return a.writeCommand(cmd, &e.writeFlags)
}

func isTerminalInput(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && isTerminal(file)
}

// say prints a message.
func (e *editing) say(format string, args ...any) {
	if !e.app.flags.quiet && !e.app.flags.json {
		fmt.Fprintf(e.app.stderr, "jsonstore: %s: %s\n", e.file, fmt.Sprintf(format, args...))
	}
}

// A problem is why the editor has to be started again.
type problem struct {
	err  error
	line int // in the draft, or 0
}

// edit runs the editor until there is a result. The context has no timeout: that is for
// each operation on the document.
func (e *editing) edit(ctx context.Context) (w written, err error) {
	why, version, err := e.open(ctx)
	if err != nil {
		return w, err
	}
	defer e.draft.close()
	w.Version = &version
	for round := 0; ; round++ {
		fresh := round == 0 && e.resume == "" // the draft has nothing that the document has not
		opened, err := e.draft.read(e.app.flags.sizeLimit())
		if err != nil && !errors.Is(err, store.ErrTooLarge) {
			return w, e.keep(err)
		}
		if err := e.run(ctx, why); err != nil {
			return w, e.failed(err, opened, fresh)
		}
		data, found := e.saved(opened)
		same := bytes.Equal(data, opened)
		switch {
		case same && fresh:
			return w, e.unchanged(why)
		case same && why != nil:
			return w, e.keep(why.err)
		}
		if found != nil && errors.Is(found.err, errNoDraft) {
			return w, e.keep(found.err)
		}
		if why = found; why == nil {
			if version, why, err = e.publish(ctx, data); err != nil {
				return w, e.keep(err)
			}
		}
		if why == nil {
			return w, e.draft.remove()
		}
		if err := e.again(ctx, why.err, round); err != nil {
			return w, e.keep(err)
		}
	}
}

// open makes the draft, or opens the one to go on with.
func (e *editing) open(ctx context.Context) (*problem, store.Version, error) {
	document, err := documentPath(e.file)
	if err != nil {
		return nil, store.Absent, err
	}
	reading, cancel := e.app.context(ctx)
	defer cancel()
	data, version, invalid := readOrAbsent(reading, e.doc)
	if invalid != nil && !errors.Is(invalid, store.ErrInvalid) {
		return nil, version, invalid
	}
	if err := mustHave(e.doc, e.expected, version); err != nil {
		return nil, version, err
	}
	if e.resume != "" {
		if e.draft, err = openDraft(unshield(e.resume), document); err != nil {
			return nil, version, err
		}
		if invalid != nil && bytes.Equal(data, e.draft.base) {
			e.invalid = &version
		}
		return nil, version, nil
	}
	for _, path := range leftDrafts(document) {
		e.say("an earlier edit has left a draft: go on with %s, or remove %s",
			e.goOn(path), shellQuote(filepath.Dir(path)))
	}
	content := data
	if version.IsAbsent() {
		content = []byte("{}\n")
	}
	if e.draft, err = newDraft(document, content, data); err != nil {
		return nil, version, fmt.Errorf("make a draft: %w", err)
	}
	if invalid != nil {
		e.say("%v", invalid)
		e.invalid = &version
		return &problem{invalid, lineOf(invalid)}, version, nil
	}
	return nil, version, nil
}

// lineOf is the line that an error about JSON names, or 0.
func lineOf(err error) int {
	var at *splice.SyntaxError
	if errors.As(err, &at) {
		return at.Line
	}
	return 0
}

// run runs the editor, at the line of the problem.
func (e *editing) run(ctx context.Context, why *problem) error {
	line := 0
	if why != nil {
		line = why.line
	}
	err := context.Cause(ctx)
	var by *signalError
	if errors.As(err, &by) && by.signal == os.Interrupt {
		err = nil // a key in the editor, or at the question that follows it
	}
	if err == nil {
		err = e.app.runEditor(e.command, e.draft.path, line)
	}
	if errors.As(err, &by) {
		e.app.cause = func() error { return by }
	}
	return err
}

// again tells the user why the editor is started again, and asks if there is a terminal.
func (e *editing) again(ctx context.Context, why error, round int) error {
	if !e.terminal {
		if round+1 >= mostRounds {
			return why
		}
		e.say("%v", why)
		return nil
	}
	fmt.Fprintf(e.app.stderr, "jsonstore: %s: %v\nPress Enter to edit the draft again, "+
		"or Ctrl-C to keep it for later: ", e.file, why)
	ctx, stop := untilSignal(context.WithoutCancel(ctx))
	defer stop()
	answer := make(chan error, 1)
	go func() { answer <- skipLine(e.app.stdin) }()
	select {
	case err := <-answer:
		if err != nil {
			return why
		}
		return nil
	case <-ctx.Done():
		fmt.Fprintln(e.app.stderr)
		return why
	}
}

// skipLine reads a line, and not more than that.
func skipLine(r io.Reader) error {
	for one := make([]byte, 1); one[0] != '\n'; {
		if _, err := io.ReadFull(r, one); err != nil {
			return err
		}
	}
	return nil
}

// unchanged removes a draft that has nothing new, unless an editor has left files beside it:
// it may be running still, and save the draft later.
func (e *editing) unchanged(why *problem) error {
	alone := e.draft.isAlone()
	switch {
	case !alone && why != nil:
		return e.keep(why.err)
	case !alone:
		e.draft.close()
		e.say("unchanged; the draft is kept, since the editor has left files beside it: "+
			"go on with %s", e.goOn(e.draft.path))
		return nil
	case why != nil:
		return errors.Join(why.err, e.draft.remove())
	}
	e.say("unchanged")
	return e.draft.remove()
}

// failed is the error of an editor that failed. A draft that has nothing new is not kept.
func (e *editing) failed(err error, opened []byte, fresh bool) error {
	data, readErr := e.draft.read(e.app.flags.sizeLimit())
	if fresh && readErr == nil && bytes.Equal(data, opened) && e.draft.isAlone() {
		return errors.Join(fmt.Errorf("%w; nothing was changed", err), e.draft.remove())
	}
	return e.keep(err)
}

// keep keeps the draft, and adds to an error how to go on with it.
func (e *editing) keep(err error) error {
	e.draft.close()
	if _, gone := os.Lstat(e.draft.path); errors.Is(gone, fs.ErrNotExist) {
		if e.draft.isAlone() {
			return errors.Join(fmt.Errorf("%w; nothing was changed", err), e.draft.remove())
		}
		return fmt.Errorf("%w; nothing was changed; what the editor has left is in %s", err,
			filepath.Dir(e.draft.path))
	}
	changed := "nothing was changed, and the draft is kept"
	if errors.Is(err, store.ErrNotDurable) || errors.Is(err, store.ErrUnknown) {
		changed = "the draft is kept"
	}
	var where *store.Error
	if errors.As(err, &where) {
		return &store.Error{Op: where.Op, Name: where.Name, Err: fmt.Errorf("%w; %s: go on with %s",
			where.Err, changed, e.goOn(e.draft.path))}
	}
	var by *signalError
	if errors.As(err, &by) { // its text comes last, see explain
		return fmt.Errorf("%s: go on with %s; %w", changed, e.goOn(e.draft.path), err)
	}
	return fmt.Errorf("%w; %s: go on with %s", err, changed, e.goOn(e.draft.path))
}

// goOn is the command that goes on with a draft.
func (e *editing) goOn(path string) string {
	return "jsonstore edit " + shellQuote(e.file) + " --resume " + shellQuote(path)
}

// shellQuote quotes a word for a shell, if it needs that.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-+,:@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
