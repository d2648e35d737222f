// The verb update: an expression, applied until nobody was in the way.

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/store"
)

type updateFlags struct {
	exprFlags
	dryRun, diff, each bool
	give               string
}

func (a *app) updateCommand() *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:   "update FILE --expr JQ",
		Short: "Change the document by an expression, again if somebody was faster",
		Long: `Change the document by an expression, again if somebody was faster. What the expression does not
change stays as it is, to the byte. It may be run more than once, sees no environment and no other files, and
must have one result. It has 32 KiB of text at the most, and may hold 1 GiB of memory, and 64 times the document.`,
		Example: `  jsonstore update counter.json --expr '.count += 1'
  jsonstore update users.json --expr '.[$name].age = $age' --arg name ada --argjson age 36 --return new
  jsonstore update settings.json --expr 'del(.old)' --dry-run --diff
  jsonstore update state/*.json --expr '.schema = 2' --each`,
		Args: cobra.MinimumNArgs(1),
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "change nothing; print the new content, or what else is asked for")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "print what changes, as a unified diff")
	cmd.Flags().StringVar(&f.give, "return", "", "print `WHAT`: the document as it was (old), as it is (new), or its version (version)")
	cmd.Flags().BoolVar(&f.each, "each", false, "take several files, each changed on its own, and print a line for each")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch f.give {
		case "", "old", "new", "version":
		default:
			return usage("--return %s: want old, new or version", f.give)
		}
		if f.diff && f.give != "" {
			return usage("--diff and --return both say what to print; give one")
		}
		expr, err := f.compile(cmd.Context(), cmd.Flags(), &a.flags, true)
		if err != nil {
			return err
		}
		defer expr.close()
		return a.each(cmd.Context(), args, f.each, func(ctx context.Context, doc *store.Doc) error {
			return a.update(ctx, doc, expr, &f)
		})
	}
	return cmd
}

func (a *app) update(ctx context.Context, doc *store.Doc, expr *program, f *updateFlags) error {
	var before, after []byte
	change := func(old []byte) ([]byte, error) {
		new, err := expr.apply(ctx, old)
		before, after = old, new
		return new, err
	}
	var version store.Version
	var err error
	if f.dryRun {
		version, err = a.dryRun(ctx, doc, change)
	} else {
		version, err = doc.Update(ctx, change)
	}
	if err != nil {
		return err
	}
	changed := !bytes.Equal(before, after)
	r := result{File: doc.Name(), Version: &version, Changed: &changed}
	var text []byte
	switch {
	case f.diff:
		r.Diff = udiff.Unified(doc.Name(), doc.Name(), string(before), string(after))
		text = []byte(r.Diff)
		if len(text) == 0 {
			text = nil
		}
	case f.give == "old":
		text = before
		if before == nil {
			text = []byte("null")
		}
		r.Value = text
	case f.give == "new" || f.dryRun && f.give == "":
		text, r.Value = after, after
	case f.give == "version":
		text = []byte(version.String())
	}
	if f.each && !a.flags.json {
		status := "unchanged"
		if changed {
			status = "changed"
		}
		if f.dryRun {
			status = "would be " + status
		}
		if err := a.print(a.status(doc, true, status+" "+version.String())); err != nil || text == nil {
			return err
		}
	}
	return a.show(r, text)
}

// dryRun applies the change to what the document is, and returns the version that it had.
func (a *app) dryRun(ctx context.Context, doc *store.Doc, change func([]byte) ([]byte, error)) (store.Version, error) {
	data, version, err := readOrAbsent(ctx, doc)
	if err != nil {
		return version, err
	}
	after, err := change(data)
	if limit := a.flags.sizeLimit(); err == nil && int64(len(after)) > limit {
		err = fmt.Errorf("%w: the new content has %d bytes, the limit is %d", store.ErrTooLarge, len(after), limit)
	}
	return version, err
}

// readOrAbsent is Doc.Read for whom no document is nothing wrong: it has the version Absent. Other
// errors come with that version too, and are errors.
func readOrAbsent(ctx context.Context, doc *store.Doc) ([]byte, store.Version, error) {
	data, version, err := doc.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) && version.IsAbsent() {
		err = nil
	}
	return data, version, err
}
