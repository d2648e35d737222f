// The verbs that change parts of a document: set, append, incr, delete, patch. Delete
// also deletes the whole document.

package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

func (a *app) setCommand() *cobra.Command {
	return a.valueCommand((*store.Doc).Set, &cobra.Command{
		Use:   "set FILE PATH VALUE",
		Short: "Put a JSON value at a path; - reads it from standard input",
		Long: `Put a JSON value at a path; - reads it from standard input. With --string the value
is text; after -- everything is text, even a single -.`,
		Example: `  jsonstore set settings.json theme '{"color": "dark"}'
  jsonstore set settings.json name --string 'Ada Lovelace'
  jsonstore set --string -- settings.json name "$name"
  jsonstore set settings.json 'hosts.example\.com' true --expect "$version"`,
	})
}

func (a *app) appendCommand() *cobra.Command {
	return a.valueCommand((*store.Doc).Append, &cobra.Command{
		Use: "append FILE PATH VALUE",
		Short: "Append a JSON value to the array at a path; - reads it from " +
			"standard input",
		Example: `  jsonstore append jobs.json queue '{"id": 7}'`,
	})
}

// editByPath is Doc.Set or Doc.Append.
type editByPath func(*store.Doc, context.Context, string, any) (store.Version, error)

// valueCommand completes a verb that edits a path with a value.
func (a *app) valueCommand(edit editByPath, cmd *cobra.Command) *cobra.Command {
	var f writeFlags
	var asString bool
	cmd.Args = cobra.ExactArgs(3)
	cmd.Flags().BoolVar(&asString, "string", false, "VALUE is text, and becomes a JSON string")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dash := cmd.ArgsLenAtDash()
		literal := asString && 0 <= dash && dash < len(args)
		return a.write(cmd, &f, args[:1],
			func(ctx context.Context, doc *store.Doc) (written, error) {
				var value []byte
				var err error
				if literal {
					value, err = quoteText("the text for --string", args[2])
				} else {
					value, err = a.value(ctx, args[2], asString)
				}
				if err != nil {
					return written{}, err
				}
				var given any = json.RawMessage(value)
				if asString {
					given = splice.Unquote(value) // JSON has several spellings of it
				}
				version, err := edit(doc, ctx, unshield(args[1]), given)
				return written{result: result{Version: &version}}, err
			})
	}
	return a.writeCommand(cmd, &f)
}

func (a *app) incrCommand() *cobra.Command {
	var f writeFlags
	return a.writeCommand(&cobra.Command{
		Use:   "incr FILE PATH [N]",
		Short: "Add N (1 by default) to the number at a path, exactly, and print the sum",
		Example: `  jsonstore incr counter.json hits
  jsonstore incr account.json balance -12.50`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			by := "1"
			if len(args) == 3 {
				by = unshield(args[2])
			}
			return a.write(cmd, &f, args[:1],
				func(ctx context.Context, doc *store.Doc) (written, error) {
					sum, version, err := doc.Add(ctx, unshield(args[1]), json.RawMessage(by))
					return written{result{Value: []byte(sum), Version: &version}, []byte(sum),
						false}, err
				})
		},
	}, &f)
}

func (a *app) deleteCommand() *cobra.Command {
	var f writeFlags
	return a.writeCommand(&cobra.Command{
		Use:   "delete FILE [PATH]",
		Short: "Delete the document, or the value at a path",
		Example: `  jsonstore delete settings.json theme.color
  jsonstore delete settings.json --expect "$(jsonstore version settings.json)"`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.write(cmd, &f, args[:1],
				func(ctx context.Context, doc *store.Doc) (written, error) {
					version, err := store.Absent, error(nil)
					if len(args) == 2 {
						version, err = doc.Unset(ctx, unshield(args[1]))
					} else {
						err = doc.Delete(ctx)
					}
					return written{result: result{Version: &version}}, err
				})
		},
	}, &f)
}

func (a *app) patchCommand() *cobra.Command {
	var f writeFlags
	var merge bool
	cmd := &cobra.Command{
		Use:   "patch FILE --merge|--json [PATCH]",
		Short: "Apply a JSON Merge Patch or a JSON Patch, from an argument or standard input",
		Long: `Apply a patch, from an argument or standard input: with --merge a JSON Merge Patch
(RFC 7396), with --json alone a JSON Patch (RFC 6902), whose operations are applied all
or none. As everywhere, --json prints the result as JSON.`,
		Example: `  jsonstore patch settings.json --merge '{"theme": {"color": "dark"}, "a": null}'
  jsonstore patch settings.json --json '[{"op": "remove", "path": "/old"}]'`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVar(&merge, "merge", false, "the patch is a JSON Merge Patch")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !merge && !a.flags.json {
			return usage("say --merge or --json: the kind of the patch")
		}
		return a.write(cmd, &f, args[:1],
			func(ctx context.Context, doc *store.Doc) (written, error) {
				arg := "-"
				if len(args) == 2 {
					arg = args[1]
				}
				patch, err := a.value(ctx, arg, false)
				if err != nil {
					return written{}, err
				}
				apply := doc.JSONPatch
				if merge {
					apply = doc.MergePatch
				}
				version, err := apply(ctx, patch)
				return written{result: result{Version: &version}}, err
			})
	}
	return a.writeCommand(cmd, &f)
}
