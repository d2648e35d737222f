// The verbs that change one place, or the whole document: set, incr, append, delete, create, cas, patch.

package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/store"
)

func (a *app) setCommand() *cobra.Command {
	return a.valueCommand((*store.Doc).Set, &cobra.Command{
		Use:   "set FILE PATH VALUE",
		Short: "Put a JSON value at a path; - reads it from standard input",
		Example: `  jsonstore set settings.json theme '{"color": "dark"}'
  jsonstore set settings.json name --string 'Ada Lovelace'
  jsonstore set settings.json 'hosts.example\.com' true`,
	})
}

func (a *app) appendCommand() *cobra.Command {
	return a.valueCommand((*store.Doc).Append, &cobra.Command{
		Use:     "append FILE PATH VALUE",
		Short:   "Put a JSON value at the end of the array at a path; - reads it from standard input",
		Example: `  jsonstore append jobs.json queue '{"id": 7}'`,
	})
}

// valueCommand completes a verb that edits a path with a value.
func (a *app) valueCommand(edit func(*store.Doc, context.Context, string, any) (store.Version, error), cmd *cobra.Command) *cobra.Command {
	var asString bool
	cmd.Args = cobra.ExactArgs(3)
	cmd.Flags().BoolVar(&asString, "string", false, "VALUE is text, and becomes a JSON string")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			value, err := a.value(ctx, args[2], asString)
			if err != nil {
				return err
			}
			version, err := edit(doc, ctx, unshield(args[1]), json.RawMessage(value))
			if err != nil {
				return err
			}
			return a.done(doc, version, nil)
		})
	}
	return cmd
}

func (a *app) incrCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "incr FILE PATH [N]",
		Short: "Add N, or 1, to the number at a path, exactly, and print the sum",
		Example: `  jsonstore incr counter.json hits
  jsonstore incr account.json balance -12.50`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			by := "1"
			if len(args) == 3 {
				by = unshield(args[2])
			}
			return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
				sum, version, err := doc.Add(ctx, unshield(args[1]), json.RawMessage(by))
				if err != nil {
					return err
				}
				return a.show(result{File: doc.Name(), Value: []byte(sum), Version: &version}, []byte(sum))
			})
		},
	}
}

func (a *app) deleteCommand() *cobra.Command {
	var expect string
	cmd := &cobra.Command{
		Use:   "delete FILE [PATH]",
		Short: "Delete the document, or the value at a path",
		Example: `  jsonstore delete settings.json theme.color
  jsonstore delete settings.json --expect "$(jsonstore version settings.json)"`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().StringVar(&expect, "expect", "", "only if the document has this `VERSION`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var old store.Version
		guarded := cmd.Flags().Changed("expect")
		if guarded {
			var err error
			if old, err = store.ParseVersion(expect); err != nil {
				return usage("--expect: %v", err)
			}
			if len(args) == 2 {
				return usage("--expect is for deleting the whole document; to guard an edit, use cas")
			}
		}
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			version, err := store.Absent, error(nil)
			switch {
			case len(args) == 2:
				version, err = doc.Unset(ctx, unshield(args[1]))
			case guarded:
				err = doc.CompareAndDelete(ctx, old)
			default:
				err = doc.Delete(ctx)
			}
			if err != nil {
				return err
			}
			return a.done(doc, version, nil)
		})
	}
	return cmd
}

func (a *app) createCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "create FILE [VALUE]",
		Short: "Make a document that is not there, from a value or standard input, and print its version",
		Example: `  jsonstore create settings.json '{"theme": "dark"}'
  jsonstore create settings.json < defaults.json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
				data, err := a.newContent(ctx, args[1:])
				if err != nil {
					return err
				}
				version, err := doc.Create(ctx, data)
				if err != nil {
					return err
				}
				return a.done(doc, version, []byte(version.String()))
			})
		},
	}
}

// newContent is a whole document: the argument if there is one, ended by a line's end, else standard input as it is.
func (a *app) newContent(ctx context.Context, args []string) ([]byte, error) {
	if len(args) == 0 || args[0] == "-" {
		return a.value(ctx, "-", false)
	}
	data, err := a.value(ctx, args[0], false)
	return append(data, '\n'), err
}

func (a *app) casCommand() *cobra.Command {
	var expect string
	var program exprFlags
	cmd := &cobra.Command{
		Use:   "cas FILE [VALUE] --expect VERSION",
		Short: "Replace the document if it has a version, and print its new version",
		Long: `Replace the document if it has a version, and print its new version.
The new content is VALUE, or standard input, or what an expression makes of the old content.
The version - means that there is no document yet.`,
		Example: `  v=$(jsonstore version settings.json)
  jsonstore cas settings.json --expect "$v" --expr '.theme = "dark"'`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().StringVar(&expect, "expect", "", "the `VERSION` that the document must have")
	program.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("expect") {
			return usage("cas needs --expect VERSION, from jsonstore version")
		}
		old, err := store.ParseVersion(expect)
		if err != nil {
			return usage("--expect: %v", err)
		}
		expr, err := program.compile(cmd.Context(), cmd.Flags(), &a.flags, false)
		if err != nil {
			return err
		}
		defer expr.close()
		if expr != nil && len(args) == 2 {
			return usage("give a value or an expression, not both")
		}
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			var data []byte
			if expr != nil {
				current, version, err := readOrAbsent(ctx, doc)
				if err != nil {
					return err
				}
				if version != old {
					if !version.IsAbsent() {
						if err := driver.CheckKind(old, version.Kind()); err != nil {
							return err
						}
					}
					return &store.ConflictError{Key: doc.Name(), Want: old, Have: version}
				}
				if data, err = expr.apply(ctx, current); err != nil {
					return err
				}
			} else if data, err = a.newContent(ctx, args[1:]); err != nil {
				return err
			}
			version, err := doc.CompareAndSwap(ctx, old, data)
			if err != nil {
				return err
			}
			return a.done(doc, version, []byte(version.String()))
		})
	}
	return cmd
}

func (a *app) patchCommand() *cobra.Command {
	var merge bool
	cmd := &cobra.Command{
		Use:   "patch FILE --merge|--json [PATCH]",
		Short: "Apply a JSON Merge Patch or a JSON Patch, from an argument or standard input",
		Long: `Apply a patch, from an argument or standard input: with --merge a JSON Merge Patch (RFC 7396), with
--json alone a JSON Patch (RFC 6902), a list of operations of which all are done or none. As everywhere,
--json prints the result as JSON.`,
		Example: `  jsonstore patch settings.json --merge '{"theme": {"color": "dark"}, "old": null}'
  jsonstore patch settings.json --json '[{"op": "remove", "path": "/old"}]'`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVar(&merge, "merge", false, "the patch is a JSON Merge Patch")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !merge && !a.flags.json {
			return usage("say --merge or --json: which kind of patch it is")
		}
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			arg := "-"
			if len(args) == 2 {
				arg = args[1]
			}
			patch, err := a.value(ctx, arg, false)
			if err != nil {
				return err
			}
			apply := doc.JSONPatch
			if merge {
				apply = doc.MergePatch
			}
			version, err := apply(ctx, patch)
			if err != nil {
				return err
			}
			return a.done(doc, version, nil)
		})
	}
	return cmd
}
