// The verbs that change nothing: get, version, stat, check.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

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
	cmd.Flags().BoolVarP(&exitStatus, "exit-status", "e", false, "exit with 1 if the value is null or false")
	cmd.Flags().StringVar(&fallback, "default", "", "print this `TEXT` if there is no such file or value")
	cmd.Flags().BoolVar(&withVersion, "with-version", false, "print the version first, on a line of its own")
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
					value = quote(string(value))
				}
			}
			if err != nil {
				return err
			}
			text := value
			if raw && len(value) > 0 && value[0] == '"' {
				text = []byte(splice.Unquote(value) + "\n") // one of its own stays beside it
			}
			if withVersion {
				text = append([]byte(version.String()+"\n"), text...)
			}
			if err := a.show(result{File: doc.Name(), Value: value, Version: &version}, text); err != nil {
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
		Short:   "Print the version of the document, - if there is none",
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
			return a.done(doc, version, a.status(doc, each, version.String()))
		})
	}
	return cmd
}

// status is a line about one of several files.
func (a *app) status(doc *store.Doc, each bool, text string) []byte {
	if each {
		text = doc.Name() + ": " + text
	}
	return []byte(text)
}

func (a *app) statCommand() *cobra.Command {
	var each bool
	cmd := &cobra.Command{
		Use:     "stat FILE",
		Short:   "Describe the document's file: versions, size, mode, lock",
		Example: "  jsonstore stat settings.json",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&each, "each", false, "take several files")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, each, func(ctx context.Context, doc *store.Doc) error {
			info, err := doc.Inspect(ctx)
			if err != nil {
				return err
			}
			if a.flags.json {
				return wrote(encodeLine(a.stdout, struct {
					File     string        `json:"file"`
					Path     string        `json:"path"`
					Hash     store.Version `json:"hash"`
					Mtime    store.Version `json:"mtime"`
					Size     int64         `json:"size"`
					Mode     string        `json:"mode"`
					Modified time.Time     `json:"modified"`
					Locked   bool          `json:"locked"`
					Orphans  []string      `json:"orphans"`
					Left     []string      `json:"left"`
				}{doc.Name(), info.Path, info.Hash, info.Mtime, info.Size, fmt.Sprintf("%04o", info.Mode.Perm()), info.ModTime,
					info.Locked, append([]string{}, info.Orphans...), append([]string{}, info.Left...)}))
			}
			lock := "free"
			if info.Locked {
				lock = "held"
			}
			mtime := info.Mtime.String()
			if info.Mtime.IsAbsent() {
				mtime = "not to be had: the file system's times are too coarse, or the directory is read-only"
			}
			text := fmt.Sprintf("file:     %s\npath:     %s\nhash:     %v\nmtime:    %s\nsize:     %d\nmode:     %v\nmodified: %s\nlock:     %s\norphans:  %d\n",
				doc.Name(), info.Path, info.Hash, mtime, info.Size, info.Mode, info.ModTime.Format(time.RFC3339Nano), lock, len(info.Orphans))
			if len(info.Left) > 0 {
				text += "left:     " + strings.Join(info.Left, ", ") + "\n"
			}
			return a.print([]byte(text))
		})
	}
	return cmd
}

func (a *app) checkCommand() *cobra.Command {
	var each bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check that the document is valid, and sweep what dead writers left beside it",
		Long: `Check that the document is valid, and sweep what dead writers left beside it.
An absent document is exit code 4, an invalid one 5; it is left as it is.`,
		Example: `  jsonstore check settings.json
  jsonstore check state/*.json --each`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&each, "each", false, "take several files, a line for each")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, each, func(ctx context.Context, doc *store.Doc) error {
			_, version, err := doc.Read(ctx)
			swept, left, sweepErr := doc.Sweep(ctx)
			if err = errors.Join(err, sweepErr); err != nil {
				var where *store.Error // the joined error has no document's name of its own
				if errors.As(err, &where) {
					if len(swept) > 0 {
						where = &store.Error{Op: where.Op, Name: where.Name, Err: fmt.Errorf("%w; swept %s", where.Err, litter(swept))}
					}
					return where
				}
				return err
			}
			if a.flags.json {
				return wrote(encodeLine(a.stdout, struct {
					File    string        `json:"file"`
					Valid   bool          `json:"valid"`
					Version store.Version `json:"version"`
					Swept   []string      `json:"swept"`
					Left    []string      `json:"left"`
				}{doc.Name(), true, version, append([]string{}, swept...), append([]string{}, left...)}))
			}
			text := "valid"
			if len(swept) > 0 {
				text = "valid; swept " + litter(swept)
			}
			if len(left) > 0 {
				text += "; left alone, since this user may not read, remove or mend it: " + strings.Join(left, ", ")
			}
			return a.print(a.status(doc, each, text))
		})
	}
	return cmd
}

func litter(swept []string) string {
	return fmt.Sprintf("%d temporary files of dead writers", len(swept))
}
