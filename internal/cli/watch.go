// The verb watch: what comes of each state of a document, or of all in a directory.

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/docpath"
	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

func (a *app) watchCommand() *cobra.Command {
	w := &watching{app: a, shown: map[string][]byte{}, versions: map[string]store.Version{}}
	var f exprFlags
	var condition, from string
	cmd := &cobra.Command{
		Use:   "watch FILE|DIR [PATH]",
		Short: "Print each state of a document, or of all in a directory, as it comes",
		Long: `Print each state of a document, or of all documents in a directory, as it comes: the
current one first, then the latest whenever it has changed, until it is interrupted. Each is a
line of JSON with the file, its version and its value. The version of a file that does not exist
is -, and it has no value. With a PATH, the value there is what counts and what is printed.
States that follow each other quickly may be skipped; the last one never is.

With --for it waits until the expression is true of a value, prints that state, and exits with
0, or with 7 after --timeout. An absent value is null. With --exec it runs a shell command for
each state instead, with the value on standard input and JSONSTORE_WATCH_FILE and
JSONSTORE_WATCH_VERSION set: one at a time, and what has changed meanwhile is next.

The system tells of changes. Where it cannot, the files are looked at ten times a second, and a
message says why. A file with bad content is named, and the watch goes on.`,
		Example: `  jsonstore watch settings.json theme.color
  jsonstore watch job.json --for '.state == "done"' --timeout 10m
  jsonstore watch settings.json --exec 'systemctl reload app'
  jsonstore watch state/ | jq -c '[.file, .value.count]'`,
		Args: cobra.RangeArgs(1, 2),
	}
	flags := cmd.Flags()
	flags.StringVar(&condition, "for", "", "wait until this `JQ` expression is true")
	f.registerArguments(flags)
	flags.StringVar(&w.command, "exec", "", "run this shell `COMMAND` for each state")
	flags.StringVar(&from, "from", "", "begin with the first state after this `VERSION`")
	flags.DurationVar(&w.poll, "poll", 0, "look at the files every `TIME`, 100ms if none is "+
		"given, and do not ask the system for changes")
	flags.Lookup("poll").NoOptDefVal = "100ms"
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		switch {
		case flags.Changed("for") && flags.Changed("exec"):
			return usage("give --for or --exec, not both")
		case flags.Changed("exec") && w.command == "":
			return usage("--exec takes a command")
		case flags.Changed("poll") && w.poll <= 0:
			return usage("--poll takes a time, such as 100ms")
		case flags.Changed("poll") && len(args) == 2 && isTime(args[1]):
			return usage("give the time as --poll=%s", args[1])
		case !flags.Changed("for") && len(f.args)+len(f.json) > 0:
			return usage("--arg and --argjson are for --for")
		case flags.Changed("from"):
			if w.after, err = store.ParseVersion(unshield(from)); err != nil {
				return usage("--from: %v", err)
			}
		}
		if len(args) == 2 {
			w.path = unshield(args[1])
			if err := docpath.Check(w.path, false); err != nil {
				return fmt.Errorf("%w: %w", store.ErrPath, err)
			}
		}
		if flags.Changed("for") {
			task, err := f.taskOf(unshield(condition), &a.flags)
			if err != nil {
				return err
			}
			if w.condition, err = compile(cmd.Context(), *task); err != nil {
				return err
			}
			defer w.condition.close()
		}
		w.from = flags.Changed("from")
		return w.watch(cmd.Context(), unshield(args[0]))
	}
	return cmd
}

// isTime reports whether an argument is a time rather than a path.
func isTime(arg string) bool {
	_, err := time.ParseDuration(arg)
	return err == nil && arg != "0"
}

// watching is one run of the verb.
type watching struct {
	app       *app
	path      string // of the value
	condition *program
	command   string
	poll      time.Duration
	after     store.Version
	from      bool // after was given

	name     string                   // of the file or the directory
	shown    map[string][]byte        // the last values at the path, by file
	versions map[string]store.Version // the last ones, by key
}

// errHolds ends a watch: the condition is true.
var errHolds = errors.New("the condition is true")

func (w *watching) watch(ctx context.Context, name string) error {
	w.name = name
	opts, err := w.app.flags.options()
	if err != nil {
		return err
	}
	opts.Poll = w.poll
	opts.Logger = slog.New(watchLog{slog.DiscardHandler, w})
	ctx, cancel := w.app.context(ctx)
	defer cancel()
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		if w.from {
			return usage("--from is for one file; each document has versions of its own")
		}
		err = w.directory(ctx, opts)
	} else {
		err = w.document(ctx, opts)
	}
	var where *store.Error // it has the directory's absolute path
	if errors.As(err, &where) && where.Op == "watch" {
		err = where.Err
	}
	if err != nil && err != errHolds {
		w.app.fail(name, err)
	}
	return nil
}

// watchLog prints what the store warns of.
type watchLog struct {
	slog.Handler
	w *watching
}

func (l watchLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (l watchLog) Handle(_ context.Context, r slog.Record) error {
	if l.w.poll > 0 {
		return nil
	}
	why := ""
	r.Attrs(func(attr slog.Attr) bool {
		if attr.Key == "why" {
			why = ": " + attr.Value.String()
		}
		return true
	})
	l.w.app.note(l.w.name, "%s%s", r.Message, why)
	return nil
}

func (w *watching) document(ctx context.Context, opts *store.Options) error {
	doc, err := store.OpenFile(w.name, opts)
	if err != nil {
		return err
	}
	defer doc.Close()
	if !w.from { // a document that does not exist is no event
		_, version, err := readOrAbsent(ctx, doc)
		if err == nil && version.IsAbsent() {
			if err := w.take(ctx, w.name, store.Event{}, nil); err != nil {
				return err
			}
		}
	}
	for event, err := range doc.Watch(ctx, w.after) {
		if isLast(ctx, err) {
			return err
		}
		if err := w.take(ctx, w.name, event, err); err != nil {
			return err
		}
	}
	return nil
}

// directory watches the directory that has the name, also when that is another one later.
func (w *watching) directory(ctx context.Context, opts *store.Options) error {
	for {
		db, err := store.Open(w.name, opts)
		if err == nil {
			err = w.documents(ctx, db)
			db.Close()
			if errors.Is(err, store.ErrNotExist) {
				w.app.note(w.name, "the directory was removed, moved or replaced; the watch "+
					"goes on when there is one")
			}
		}
		if !errors.Is(err, store.ErrNotExist) {
			return err
		}
		select {
		case <-time.After(max(w.poll, 100*time.Millisecond)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (w *watching) documents(ctx context.Context, db *store.DB) error {
	for event, err := range db.Watch(ctx, "", w.versions) {
		if isLast(ctx, err) {
			return err
		}
		if w.versions[event.Name] = event.Version; event.Version.IsAbsent() {
			delete(w.versions, event.Name)
		}
		file := filepath.Join(w.name, filepath.FromSlash(event.Name)+".json")
		if err := w.take(ctx, file, event, err); err != nil {
			return err
		}
	}
	return nil
}

// isLast reports whether an error ends a watch.
func isLast(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, store.ErrNotExist) ||
		errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrVersion))
}

// take does what is to be done with an event. Its file is bad if bad is an error.
func (w *watching) take(ctx context.Context, file string, event store.Event, bad error) error {
	var value []byte
	if bad == nil && event.Data != nil {
		value = event.Data
		if w.path != "" {
			found, ok, err := docpath.Get(value, w.path, splice.Limits{
				AllowDuplicateKeys: w.app.flags.duplicates})
			if err != nil {
				bad = fmt.Errorf("%w: %w", store.ErrPath, err)
			}
			if value = found; !ok {
				value = nil
			}
		}
	}
	if bad != nil {
		w.report(file, bad)
		return nil
	}
	if w.path != "" {
		last, seen := w.shown[file]
		if seen && bytes.Equal(last, value) && (last == nil) == (value == nil) {
			return nil
		}
		w.shown[file] = value
	}
	switch {
	case w.condition != nil:
		result, err := w.condition.run(ctx, value)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			w.report(file, err) // another state may be one that it is made for
			return nil
		case isNo(result):
			return nil
		}
		if err := w.print(file, event, value); err != nil {
			return err
		}
		return errHolds
	case w.command != "":
		return w.run(ctx, file, event, value)
	}
	return w.print(file, event, value)
}

// report is fail for an error that does not end the watch, nor set the exit code.
func (w *watching) report(file string, err error) {
	code := w.app.code
	w.app.fail(file, err)
	w.app.code = code
}

func (w *watching) print(file string, event store.Event, value []byte) error {
	line := struct {
		File    string          `json:"file"`
		Version store.Version   `json:"version"`
		Value   json.RawMessage `json:"value,omitempty"`
		Polling string          `json:"polling,omitempty"`
	}{File: file, Version: event.Version, Value: value}
	if event.Polling != nil {
		line.Polling = inFlags.Replace(event.Polling.Error())
	}
	return wrote(encodeLine(w.app.stdout, line))
}
