// The verbs that keep the versions of a document, and bring them back: history, undo, revert.

package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/store"
)

func (a *app) historyCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "history VERB FILE|DIR",
		Short: "Keep the versions of a document, or of all beneath a directory",
		Long: `Keep the versions of a document, or of all beneath a directory. From when it is on,
every writer of jsonstore keeps the version that it replaces or deletes, whatever its flags.
The verbs log, show, diff, undo and revert use them. Nothing is copied: the file of a former
version is beside the document, as .NAME.<digits>.history.`,
		Example: `  jsonstore history on settings.json --keep 20 --age 30d
  jsonstore history on state/
  jsonstore history status state/
  jsonstore history off settings.json`,
	}
	group.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(group, args[0])
		}
		return nil
	}
	group.RunE = func(*cobra.Command, []string) error {
		return usage("a verb is missing: jsonstore history on, off or status; " +
			"see jsonstore help history")
	}
	group.AddCommand(a.historyOnCommand(), a.historyOffCommand(), a.historyStatusCommand())
	for _, cmd := range group.Commands() {
		cmd.Args = usageArgs(cmd.Args)
		cmd.DisableFlagsInUseLine = true
	}
	return group
}

func (a *app) historyOnCommand() *cobra.Command {
	opts := store.HistoryOptions{}
	var keep, age string
	cmd := &cobra.Command{
		Use:   "on FILE|DIR",
		Short: "Keep the versions that are replaced or deleted from now on",
		Long: fmt.Sprintf(`Keep the versions that are replaced or deleted from now on: at most so
many, for at most so long, by default %d. When it has returned, every writer keeps them. Again, it
changes the limits. In a directory it is on for all documents beneath it, those of later
too.`, store.DefaultHistory),
		Example: `  jsonstore history on settings.json --keep 20 --age 30d`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&keep, "keep", "",
		fmt.Sprintf("keep the last `N` versions, or all (default %d, or all with --age)",
			store.DefaultHistory))
	cmd.Flags().StringVar(&age, "age", "",
		"keep a version for this `TIME` after it was replaced, such as 30d or 12h")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if cmd.Flags().Changed("age") {
			if opts.Age, err = parseAge(age); err != nil {
				return err
			}
		}
		if keep = unshield(keep); keep == "all" {
			opts.Keep = -1
		} else if cmd.Flags().Changed("keep") {
			if opts.Keep, err = strconv.Atoi(keep); err != nil || opts.Keep < 1 {
				return usage("--keep %s: want a number of versions, or all; "+
					"to keep none, jsonstore history off", keep)
			}
		}
		return a.switchHistory(cmd.Context(), args[0], &opts)
	}
	return cmd
}

// parseAge reads a duration that may be in days.
func parseAge(text string) (time.Duration, error) {
	text = unshield(text)
	age, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		const day = 24 * time.Hour
		if n, err = strconv.Atoi(days); err == nil && time.Duration(n) <= math.MaxInt64/day {
			age = time.Duration(n) * day
		}
	}
	if err != nil || age <= 0 {
		return 0, usage("--age %s: want a time such as 30d, 12h or 90m", text)
	}
	return age, nil
}

func (a *app) historyOffCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "off FILE|DIR",
		Short:   "Keep no more versions; those that are there stay",
		Example: `  jsonstore history off settings.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.switchHistory(cmd.Context(), args[0], nil)
		},
	}
}

// switchHistory switches the history of a file or directory on, or off if opts is nil.
func (a *app) switchHistory(ctx context.Context, name string, opts *store.HistoryOptions) error {
	return a.onFileOrDir(ctx, name,
		func(ctx context.Context, db *store.DB) error { return db.SetHistory(ctx, opts) },
		func(ctx context.Context, doc *store.Doc) error { return doc.SetHistory(ctx, opts) })
}

// onFileOrDir calls one of two functions, with all documents of a directory or with one.
func (a *app) onFileOrDir(
	ctx context.Context, name string, onDir func(context.Context, *store.DB) error,
	onFile onDocument,
) error {
	name = unshield(name)
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return a.with(ctx, name, onFile)
	}
	opts, err := a.flags.options()
	if err != nil {
		return err
	}
	if opts.LockPath != "" {
		return usage("--lock-file is for one document")
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	db, err := store.Open(name, opts)
	if err == nil {
		err = onDir(ctx, db)
		db.Close()
	}
	if err != nil {
		a.fail(name, err)
	}
	return nil
}

// historyStatus is what history status prints of a document.
type historyStatus struct {
	File     string `json:"file"`
	On       bool   `json:"on"`
	Keep     int    `json:"keep,omitempty"` // 0: no limit
	Age      string `json:"age,omitempty"`  // empty: no limit
	Versions int    `json:"versions"`
	Bytes    int64  `json:"bytes"`
}

func (a *app) historyStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status FILE|DIR",
		Short: "Print whether versions are kept, and how many there are",
		Long: `Print whether versions are kept, how many there are, and their size; of a directory
for each document beneath it.`,
		Example: `  jsonstore history status settings.json
  jsonstore history status state/ --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onFileOrDir(cmd.Context(), args[0],
				func(ctx context.Context, db *store.DB) error {
					for key, err := range db.Keys(ctx, "") {
						if err != nil {
							return err
						}
						if err := a.historyStatus(ctx, db.Doc(key)); err != nil {
							return err
						}
					}
					return nil
				}, a.historyStatus)
		},
	}
}

func (a *app) historyStatus(ctx context.Context, doc *store.Doc) error {
	opts, on, err := doc.HistoryOptions()
	if err != nil && !on {
		return err
	}
	status := historyStatus{File: doc.Name(), On: on, Keep: opts.Keep}
	if opts.Age > 0 {
		status.Age = ageText(opts.Age)
	}
	for e, listErr := range doc.History(ctx) {
		if listErr != nil {
			return errors.Join(err, listErr)
		}
		if e.N > 0 {
			status.Versions++
			status.Bytes += e.Size
		}
	}
	if a.flags.json {
		return errors.Join(err, wrote(encodeLine(a.stdout, status)))
	}
	text := "off"
	if on {
		text = "on"
		if status.Keep > 0 {
			text += fmt.Sprintf(", the last %d", status.Keep)
		}
		if status.Age != "" {
			text += ", for " + status.Age
		}
	}
	return errors.Join(err, a.print(fmt.Appendf(nil, "%s: %s; %d versions, %d bytes", doc.Name(),
		text, status.Versions, status.Bytes)))
}

// ageText is a duration as --age takes it.
func ageText(age time.Duration) string {
	const day = 24 * time.Hour
	if age%day == 0 {
		return strconv.Itoa(int(age/day)) + "d"
	}
	return age.String()
}

func (a *app) undoCommand() *cobra.Command {
	var f writeFlags
	return a.writeCommand(&cobra.Command{
		Use:   "undo FILE [N]",
		Short: "Bring back the version before the current one, or the Nth before it",
		Long: `Bring back the version before the current one, or the Nth before it, as a new
version, and print that. The current one is kept in its turn if the history is on, so that another
undo takes this one back. Of a document that was deleted, 1 is what it was.`,
		Example: `  jsonstore undo settings.json
  jsonstore undo settings.json 3 --expect "$(jsonstore version settings.json)"`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := countArg(args, 1)
			if err != nil {
				return err
			}
			return a.write(cmd, &f, args[:1],
				func(ctx context.Context, doc *store.Doc) (written, error) {
					return made(doc.Undo(ctx, n))
				})
		},
	}, &f)
}

// countArg is the optional second argument, a number that counts back.
func countArg(args []string, least int) (int, error) {
	if len(args) < 2 {
		return least, nil
	}
	n, err := strconv.Atoi(unshield(args[1]))
	if err != nil || n < least {
		return 0, usage("%s: want a number of versions, from %d on; see jsonstore log",
			unshield(args[1]), least)
	}
	return n, nil
}

func (a *app) revertCommand() *cobra.Command {
	var f writeFlags
	return a.writeCommand(&cobra.Command{
		Use:   "revert FILE@N",
		Short: "Take one change back, and keep those since",
		Long: `Take one change back, the one that has made the version N, and keep those since: a
merge, as by jsonstore merge. If a later change is to the same value, that is a conflict,
nothing is changed, and the exit code is 6. The new version is printed.`,
		Example: `  jsonstore revert settings.json@2`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parseAt(args[0], true)
			if err != nil {
				return err
			}
			return a.write(cmd, &f, []string{at.file},
				func(ctx context.Context, doc *store.Doc) (written, error) {
					n := at.n
					if at.version != nil {
						e, err := at.find(ctx, doc)
						if err != nil {
							return written{}, err
						}
						n = e.N
					}
					return made(doc.Revert(ctx, n))
				})
		},
	}, &f)
}
