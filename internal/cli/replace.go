// The verbs that create or replace a whole document: create, cas.

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/store"
)

func (a *app) createCommand() *cobra.Command {
	var f writeFlags
	var ifEmpty bool
	cmd := &cobra.Command{
		Use: "create FILE [VALUE]",
		Short: "Create a document that does not exist, from a value or standard input, and " +
			"print its version",
		Example: `  jsonstore create settings.json '{"theme": "dark"}'
  jsonstore create settings.json --create-mode 0644 < defaults.json
  jsonstore create settings.json --if-empty '{}'`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.write(cmd, &f, args[:1],
				func(ctx context.Context, doc *store.Doc) (written, error) {
					data, err := a.newContent(ctx, args[1:])
					if err != nil {
						return written{}, err
					}
					create := doc.Create
					if ifEmpty {
						create = doc.CreateIfEmpty
					}
					return made(create(ctx, data))
				})
		},
	}
	cmd.Flags().BoolVar(&ifEmpty, "if-empty", false,
		"also if the file is empty, of no bytes or of white space")
	return a.writeCommand(cmd, &f)
}

// made is the result of a write whose new version is printed.
func made(version store.Version, err error) (written, error) {
	return written{result: result{Version: &version}, text: []byte(version.String())}, err
}

// newContent is a whole document: the argument and a newline if there is an argument,
// else standard input as it is.
func (a *app) newContent(ctx context.Context, args []string) ([]byte, error) {
	if len(args) == 0 || args[0] == "-" {
		return a.value(ctx, "-", false)
	}
	data, err := a.value(ctx, args[0], false)
	return append(data, '\n'), err
}

func (a *app) casCommand() *cobra.Command {
	var f writeFlags
	var program exprFlags
	cmd := &cobra.Command{
		Use:   "cas FILE [VALUE] --expect VERSION",
		Short: "Replace the document if it has the expected version, and print the new one",
		Long: `Replace the document if it has the expected version, and print the new one.
The new content is VALUE, or standard input, or the result of an expression over the old
content. The version - means that the document does not exist yet.`,
		Example: `  v=$(jsonstore version settings.json)
  jsonstore cas settings.json --expect "$v" --expr '.theme = "dark"'`,
		Args: cobra.RangeArgs(1, 2),
	}
	program.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("expect") {
			return usage("cas needs --expect VERSION, from jsonstore version")
		}
		expr, err := program.compile(cmd.Context(), cmd.Flags(), &a.flags, false)
		if err != nil {
			return err
		}
		defer expr.close()
		if expr != nil && len(args) == 2 {
			return usage("give a value or an expression, not both")
		}
		return a.write(cmd, &f, args[:1],
			func(ctx context.Context, doc *store.Doc) (written, error) {
				old := f.expected
				var data []byte
				var err error
				if expr == nil {
					data, err = a.newContent(ctx, args[1:])
				} else {
					data, err = applyAt(ctx, doc, *old, expr)
				}
				if err != nil {
					return written{}, err
				}
				w, err := made(doc.CompareAndSwap(ctx, *old, data))
				changed := *w.Version != *old
				w.Changed = &changed
				return w, err
			})
	}
	return a.writeCommand(cmd, &f)
}

// applyAt is the result of an expression over the document, which must have the
// version.
func applyAt(
	ctx context.Context, doc *store.Doc, version store.Version, expr *program,
) ([]byte, error) {
	current, found, err := readOrAbsent(ctx, doc)
	if err == nil {
		err = mustHave(doc, &version, found)
	}
	if err != nil {
		return nil, err
	}
	return expr.apply(ctx, current)
}
