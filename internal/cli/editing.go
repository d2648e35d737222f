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
	"strings"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/docpath"
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
		Long: `Edit the document in $VISUAL or $EDITOR, and merge what others have changed meanwhile.
The editor gets a draft; no lock is held while it runs. When it ends, the draft takes the place
of the document. If the document was changed meanwhile, the two are merged by path, as by
jsonstore merge. Where both have changed the same value, the editor is started again, with
{"` + merge.MarkKey + `": {"base": …, "ours": …, "theirs": …}} in the place of the value: ours is that
of the draft. Put the right value there. An invalid draft is edited again too.

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
		return a.write(cmd, &e.writeFlags, args, func(_ context.Context, doc *store.Doc) (written, error) {
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
	first, version, err := e.open(ctx)
	if err != nil {
		return w, err
	}
	defer e.draft.close()
	limit := e.app.flags.sizeLimit()
	for round := 0; ; round++ {
		opened, err := e.draft.read(limit)
		if err != nil && !errors.Is(err, store.ErrTooLarge) {
			return w, e.keep(err)
		}
		line := 0
		if first != nil {
			line = first.line
		}
		if err := e.app.runEditor(e.command, e.draft.path, line); err != nil {
			return w, e.failed(err, opened, first == nil && e.resume == "")
		}
		data, found := e.saved(opened, limit)
		if bytes.Equal(data, opened) && found == nil || round == 0 {
			if bytes.Equal(data, opened) && first == nil && e.resume == "" {
				e.say("unchanged")
				w.Version = &version
				return w, e.draft.remove()
			}
		}
		if bytes.Equal(data, opened) && first != nil {
			return w, e.keep(first.err)
		}
		if first = found; first == nil {
			if version, first, err = e.publish(ctx, data); err != nil {
				return w, e.keep(err)
			}
		}
		if first == nil {
			w.Version = &version
			return w, e.draft.remove()
		}
		if err := e.again(ctx, first.err, round); err != nil {
			return w, e.keep(err)
		}
	}
}
