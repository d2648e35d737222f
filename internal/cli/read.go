// The verbs that read the document: get, version.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

func (a *app) getCommand() *cobra.Command {
	var raw, exitStatus, withVersion bool
	var fallback string
	cmd := &cobra.Command{
		Use:   "get FILE [PATH]",
		Short: "Print the document, or the value at a path",
		Example: `  jsonstore get settings.json theme.color
  jsonstore get settings.json 'users.#(age>40).name' -r --default nobody`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVarP(&raw, "raw", "r", false, "print a string without quotes and escapes")
	cmd.Flags().BoolVarP(&exitStatus, "exit-status", "e", false,
		"exit with 1 if the value is null or false")
	cmd.Flags().StringVar(&fallback, "default", "",
		"print this `TEXT` if the file or value does not exist")
	cmd.Flags().BoolVar(&withVersion, "with-version", false,
		"print the version first, on a line of its own")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			var value []byte
			var version store.Version
			var err error
			if len(args) == 2 {
				value, version, err = doc.Get(ctx, unshield(args[1]))
			} else {
				value, version, err = doc.Read(ctx)
			}
			if errors.Is(err, fs.ErrNotExist) && cmd.Flags().Changed("default") {
				value, err = []byte(unshield(fallback)), nil
				if a.flags.json && splice.Check(value, splice.Limits{}) != nil {
					if err := checkText("the text for --default", string(value)); err != nil {
						return err
					}
					value = quote(string(value))
				}
			}
			if err != nil {
				return err
			}
			text := value
			if raw && len(value) > 0 && value[0] == '"' {
				plain := splice.Unquote(value)
				if splice.HasHalf(plain) {
					return fmt.Errorf("%w text: the string contains half of a surrogate pair, "+
						"which UTF-8 cannot encode; get it without -r", store.ErrInvalid)
				}
				// With a newline: print would not add one after the text's own.
				text = []byte(plain + "\n")
			}
			if withVersion {
				text = append([]byte(version.String()+"\n"), text...)
			}
			if err := a.show(result{File: doc.Name(), Value: value, Version: &version},
				text); err != nil {
				return err
			}
			if exitStatus && isNo(value) {
				return errNo
			}
			return nil
		})
	}
	return cmd
}

func (a *app) versionCommand() *cobra.Command {
	var each bool
	cmd := &cobra.Command{
		Use:     "version FILE",
		Short:   "Print the version of the document; - if it is absent",
		Example: "  v=$(jsonstore version settings.json)",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&each, "each", false, "take several files, a line for each")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, each, func(ctx context.Context, doc *store.Doc) error {
			_, version, err := readOrAbsent(ctx, doc)
			if err != nil && !errors.Is(err, store.ErrInvalid) {
				return err
			}
			text := a.status(doc, each, version.String())
			return a.show(result{File: doc.Name(), Version: &version}, text)
		})
	}
	return cmd
}

// status prefixes text with the document's name if there are several files.
func (a *app) status(doc *store.Doc, each bool, text string) []byte {
	if each {
		text = doc.Name() + ": " + text
	}
	return []byte(text)
}
