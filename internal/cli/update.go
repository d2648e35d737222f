// The verb update: apply an expression, again after each conflict.

package cli

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

type updateFlags struct {
	exprFlags
	writeFlags
	dryRun, diff, create bool
	give                 string // --return
	print                string
	raw, exitStatus      bool
}

// updating is a run of the verb on one document or several, one after the other.
type updating struct {
	updateFlags
	app     *app
	expr    *program
	printer *program // nil without --print

	// The input, result and output of the expression's last run.
	before, after, printed []byte
}

func (a *app) updateCommand() *cobra.Command {
	u := &updating{app: a}
	cmd := &cobra.Command{
		Use:   "update FILE --expr JQ",
		Short: "Change the document by an expression, and retry on conflict",
		Long: `Change the document by an expression, and retry on conflict. What the expression does
not change stays as it is, to the byte. The expression may run more than once, has no
access to the environment or other files, and must have exactly one result. Its text is
limited to 32 KiB, its memory to 1 GiB plus 64 times the document.

With --print, a second expression says what to print of the committed update: $old is
the document before it, $new and . the document after it. If it fails, nothing is
changed. So a document can be a queue: each job is printed by the one process that
takes it.

The language is jq (https://jqlang.github.io/jq/manual/), with one difference: within an
expression, objects have no order. So .[], to_entries, with_entries and keys go by the
sorted keys, and a new object is written with its keys sorted; existing members stay
where they are. keys_unsorted returns the document's order:
[keys_unsorted[] as $k | {key: $k, value: .[$k]}] are the entries in it. To write an object
in another order, use set or patch. Numbers that are not computed with keep all their
digits.

With --each, a missing file is an error, unless --create is given.`,
		Example: `  jsonstore update counter.json --expr '.count += 1'
  jsonstore update users.json --expr '.[$name].age = $age' --arg name ada --argjson age 36
  jsonstore update settings.json --expr 'del(.old)' --dry-run --diff
  jsonstore update state/*.json --expr '.schema = 2' --each --exit-changed
  job=$(jsonstore update jobs.json --expr '.queue |= .[1:]' --print '$old.queue[0]' -e)`,
		Args: cobra.MinimumNArgs(1),
	}
	u.register(cmd.Flags())
	flags := cmd.Flags()
	flags.BoolVar(&u.dryRun, "dry-run", false,
		"change nothing; print the new content, or what another flag asks for")
	flags.BoolVar(&u.diff, "diff", false, "print the changes as a unified diff")
	flags.StringVar(&u.give, "return", "",
		"print `WHAT`: the old document (old), the new one (new), or its version (version)")
	flags.StringVar(&u.print, "print", "",
		"print the result of this `JQ` expression over $old and $new")
	flags.BoolVarP(&u.raw, "raw", "r", false, "with --print: a string without quotes and escapes")
	flags.BoolVarP(&u.exitStatus, "exit-status", "e", false,
		"with --print: exit with 1 if the result is null or false")
	flags.BoolVar(&u.each, "each", false,
		"take several files, change each on its own, and print a line for each")
	flags.BoolVar(&u.create, "create", false, "with --each: create missing files")
	cmd.RunE = u.run
	return a.writeCommand(cmd, &u.writeFlags)
}

func (u *updating) run(cmd *cobra.Command, args []string) error {
	flags := cmd.Flags()
	switch u.give {
	case "", "old", "new", "version":
	default:
		return usage("--return %s: want old, new or version", u.give)
	}
	prints, says := flags.Changed("print"), 0
	for _, said := range []bool{u.diff, u.give != "", prints} {
		if said {
			says++
		}
	}
	switch {
	case says > 1:
		return usage("--diff, --return and --print exclude each other; give one")
	case !prints && (u.raw || u.exitStatus):
		return usage("--raw and --exit-status need --print")
	}
	task, err := u.task(flags, &u.app.flags, true)
	if err != nil {
		return err
	}
	if u.expr, err = compile(cmd.Context(), *task); err != nil {
		return err
	}
	defer u.expr.close()
	if prints {
		if u.printer, err = compilePrint(cmd.Context(), unshield(u.print), *task); err != nil {
			return err
		}
		defer u.printer.close()
	}
	return u.app.write(cmd, &u.writeFlags, args, u.update)
}

// errNotMade: with --each, a missing file is more likely a pattern without a match than
// a file to create.
var errNotMade = fmt.Errorf("%w: with --each, --create makes it", store.ErrNotExist)

// change is the function of the update. The store runs it again after a conflict; the
// result of its last run is what was published.
func (u *updating) change(ctx context.Context, old []byte) (new []byte, err error) {
	if old == nil && u.each && !u.create {
		return nil, errNotMade
	}
	if new, err = u.expr.apply(ctx, old); err != nil {
		return nil, err
	}
	if u.printer != nil {
		if u.printed, err = u.printer.print(ctx, old, new); err != nil {
			return nil, err
		}
	}
	u.before, u.after = old, new
	return new, nil
}

func (u *updating) update(ctx context.Context, doc *store.Doc) (w written, err error) {
	var version store.Version
	if u.dryRun {
		version, err = u.dryUpdate(ctx, doc)
	} else {
		version, err = doc.Update(ctx, func(old []byte) ([]byte, error) {
			return u.change(ctx, old)
		})
	}
	if err != nil {
		return w, err
	}
	changed := !bytes.Equal(u.before, u.after) || u.before == nil
	w.Version, w.Changed = &version, &changed
	u.result(doc, &w)
	if u.each && !u.app.flags.json {
		status := "unchanged"
		if changed {
			status = "changed"
		}
		if u.dryRun {
			status = "would be " + status
		}
		line := u.app.status(doc, true, status+" "+version.String())
		if w.text == nil {
			w.text = line
		} else {
			w.text = append(append(line, '\n'), w.text...)
		}
	}
	return w, nil
}

// result sets what is printed.
func (u *updating) result(doc *store.Doc, w *written) {
	switch {
	case u.printer != nil:
		w.Value, w.text = u.printed, u.printed
		if u.raw && u.printed[0] == '"' {
			// With a newline: print would not add one after the text's own.
			w.text = []byte(splice.Unquote(u.printed) + "\n")
		}
		w.no = u.exitStatus && isNo(u.printed)
	case u.diff:
		w.Diff = udiff.Unified(doc.Name(), doc.Name(), string(u.before), string(u.after))
		if w.Diff != "" {
			w.text = []byte(w.Diff)
		}
	case u.give == "old":
		w.text = u.before
		if u.before == nil {
			w.text = []byte("null")
		}
		w.Value = w.text
	case u.give == "new" || u.dryRun && u.give == "":
		w.text, w.Value = u.after, u.after
	case u.give == "version":
		w.text = []byte(w.Version.String())
	}
}

// isNo reports whether --exit-status exits with 1 for a value.
func isNo(value []byte) bool { return string(value) == "null" || string(value) == "false" }

// dryUpdate applies the change to the current document, and returns the version of
// that.
func (u *updating) dryUpdate(ctx context.Context, doc *store.Doc) (store.Version, error) {
	data, version, err := readOrAbsent(ctx, doc)
	if err != nil {
		return version, err
	}
	if err := mustHave(doc, u.expected, version); err != nil {
		return version, err
	}
	after, err := u.change(ctx, data)
	if limit := u.app.flags.sizeLimit(); err == nil && int64(len(after)) > limit {
		err = fmt.Errorf("%w: the new content has %d bytes, the limit is %d",
			store.ErrTooLarge, len(after), limit)
	}
	return version, err
}
