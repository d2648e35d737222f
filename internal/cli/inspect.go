// The verbs that inspect the files of a document: stat, lock-file, check.

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/store"
)

func (a *app) statCommand() *cobra.Command {
	var each bool
	cmd := &cobra.Command{
		Use:     "stat FILE",
		Short:   "Describe the document's file: versions, size, mode, lock, intent",
		Example: "  jsonstore stat settings.json",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&each, "each", false, "take several files")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, each, func(ctx context.Context, doc *store.Doc) error {
			info, err := doc.Inspect(ctx)
			intent, intentErr := doc.Intent()
			switch {
			case errors.Is(err, store.ErrNotExist) && intent.State != store.NoIntent:
				// A transaction was to create or delete it.
				return fmt.Errorf("%w; but there is an intent %s", store.ErrNotExist,
					intentText(intent))
			case err != nil || intentErr != nil:
				return cmp.Or(err, intentErr)
			}
			if a.flags.json {
				return wrote(encodeLine(a.stdout, statOf(doc, info, intent)))
			}
			return a.print([]byte(statText(doc, info, intent)))
		})
	}
	return cmd
}

// stat is what stat prints in JSON.
type stat struct {
	File     string        `json:"file"`
	Path     string        `json:"path"`
	Hash     store.Version `json:"hash"`
	Mtime    store.Version `json:"mtime"`
	Size     int64         `json:"size"`
	Mode     string        `json:"mode"`
	Modified time.Time     `json:"modified"`
	LockFile string        `json:"lock_file"`
	Locked   bool          `json:"locked"`
	LockedBy int           `json:"locked_by,omitempty"` // a process
	Orphans  []string      `json:"orphans"`
	Left     []string      `json:"left"`
	Kept     *candidate    `json:"kept,omitempty"`   // the version before
	History  int           `json:"history"`          // number of versions that are kept
	Aside    []string      `json:"aside"`            // former versions that were moved aside
	Intent   *statIntent   `json:"intent,omitempty"` // of a transaction
}

// statIntent is the intent that a transaction has beside the document.
type statIntent struct {
	File  string `json:"file"`
	State string `json:"state"`          // pending, committed or void
	ID    string `json:"id,omitempty"`   // of the transaction
	Home  string `json:"home,omitempty"` // the document that decides
	Alive bool   `json:"alive"`          // the document's lock is held
}

func statOf(doc *store.Doc, info store.FileInfo, intent store.IntentInfo) stat {
	var left *statIntent
	if intent.State != store.NoIntent {
		left = &statIntent{
			intent.Path, intent.State.String(), intent.ID, intent.Home, intent.Alive,
		}
	}
	return stat{
		Intent: left,
		File:   doc.Name(), Path: info.Path, Hash: info.Hash, Mtime: info.Mtime, Size: info.Size,
		Mode: fmt.Sprintf("%04o", info.Mode.Perm()), Modified: info.ModTime,
		LockFile: info.LockPath, Locked: info.Locked, LockedBy: info.LockedBy.PID,
		Orphans: append([]string{}, info.Orphans...), Left: append([]string{}, info.Left...),
		Kept: candidateOf(info.Kept), History: info.History,
		Aside: append([]string{}, info.Aside...),
	}
}

// statText is the output of stat without --json.
func statText(doc *store.Doc, info store.FileInfo, intent store.IntentInfo) string {
	lock := "free"
	if info.Locked {
		lock = "held"
		if info.LockedBy.PID != 0 {
			lock += " by " + info.LockedBy.String()
		}
	}
	mtime := info.Mtime.String()
	if info.Mtime.IsAbsent() {
		mtime = "unavailable: the file system's times are too coarse, or the directory is read-only"
	}
	var b strings.Builder
	for _, row := range [...][2]any{
		{"file", doc.Name()}, {"path", info.Path}, {"hash", info.Hash}, {"mtime", mtime},
		{"size", info.Size}, {"mode", info.Mode},
		{"modified", info.ModTime.Format(time.RFC3339Nano)},
		{"lock", lock}, {"lock file", info.LockPath}, {"orphans", len(info.Orphans)},
	} {
		fmt.Fprintf(&b, "%-10s %v\n", row[0].(string)+":", row[1])
	}
	if len(info.Left) > 0 {
		b.WriteString("left:      " + strings.Join(info.Left, ", ") + "\n")
	}
	if info.Kept != nil {
		b.WriteString("kept:      " + candidateText(*info.Kept) + "\n")
	}
	if info.History > 0 {
		fmt.Fprintf(&b, "history:   %d versions\n", info.History)
	}
	if len(info.Aside) > 0 {
		b.WriteString("aside:     " + strings.Join(info.Aside, ", ") + "\n")
	}
	if intent.State != store.NoIntent {
		b.WriteString("intent:    " + intentText(intent) + "\n")
	}
	return b.String()
}

// intentText describes the intent of a transaction.
func intentText(intent store.IntentInfo) string {
	text := "of a transaction, " + intent.State.String()
	if intent.Home != "" {
		text += ", home " + intent.Home
	}
	next := map[store.IntentState]string{
		store.IntentPending:   "undoes it",
		store.IntentCommitted: "finishes it",
		store.IntentVoid:      "removes the intent",
	}[intent.State]
	if intent.Alive {
		return text + "; the lock is held, so that it may be under way"
	}
	return text + "; its process is dead, and the next writer, or jsonstore check, " + next
}

func (a *app) lockFileCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lock-file FILE",
		Short: "Print the path of the document's lock file, for flock",
		Long: `Print the path of the file that writers of the document lock. It is beside the
document, after symbolic links. Neither of the two has to exist. Any program that
holds a lock on that file excludes the writers of jsonstore.`,
		Example: `  flock "$(jsonstore lock-file settings.json)" vi settings.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), args[0], a.printLockFile)
		},
	}
}

func (a *app) printLockFile(_ context.Context, doc *store.Doc) error {
	path, err := doc.LockFile()
	if err != nil {
		return err
	}
	if a.flags.json {
		return wrote(encodeLine(a.stdout, struct {
			File     string `json:"file"`
			LockFile string `json:"lock_file"`
		}{doc.Name(), path}))
	}
	return a.print([]byte(path))
}

func (a *app) checkCommand() *cobra.Command {
	var each bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check that the document is valid, and sweep what dead writers left beside it",
		Long: `Check that the document is valid, and sweep what dead writers left beside it.
The exit code is 4 if the document is absent, and 5 if it is invalid; the document
itself is never changed, except that a transaction whose process has died is finished, if
it was committed, or else undone. Beside an invalid document nothing is swept: it may be what
jsonstore recover needs.`,
		Example: `  jsonstore check settings.json
  jsonstore check state/*.json --each`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&each, "each", false, "take several files, a line for each")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, each, func(ctx context.Context, doc *store.Doc) error {
			_, version, err := doc.Read(ctx)
			intent, intentErr := doc.Intent()
			swept, left, sweepErr := doc.Sweep(ctx)
			err = errors.Join(err, intentErr)
			if err = errors.Join(err, sweepErr); err != nil {
				var where *store.Error // the joined error does not name the document
				if errors.As(err, &where) {
					all := where.Err
					if len(swept) > 0 {
						all = fmt.Errorf("%w; %s", all, litter(swept, intent))
					}
					if len(left) > 0 {
						all = fmt.Errorf("%w; left alone: %s", all, strings.Join(left, ", "))
					}
					return &store.Error{Op: where.Op, Name: where.Name, Err: all}
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
					Did     string        `json:"transaction,omitempty"` // finished or undone
				}{doc.Name(), true, version, append([]string{}, swept...), append([]string{},
					left...), settled(swept, intent)}))
			}
			text := "valid"
			if len(swept) > 0 {
				text = "valid; " + litter(swept, intent)
			}
			if len(left) > 0 {
				text += "; left alone, since this user may not read, remove or mend it: " +
					strings.Join(left, ", ")
			}
			return a.print(a.status(doc, each, text))
		})
	}
	return cmd
}

// settled says what a sweep has done with the transaction whose intent was there.
func settled(swept []string, intent store.IntentInfo) string {
	switch {
	case intent.State == store.NoIntent || !slices.Contains(swept, filepath.Base(intent.Path)):
		return ""
	case intent.State == store.IntentCommitted:
		return "finished"
	}
	return "undone"
}

// litter says what a sweep has done.
func litter(swept []string, intent store.IntentInfo) string {
	var did []string
	files := len(swept)
	if settled := settled(swept, intent); settled != "" {
		did = append(did, "a transaction whose process had died is "+settled)
		files--
	}
	if files > 0 {
		did = append(did, fmt.Sprintf("swept %d temporary files of dead writers", files))
	}
	return strings.Join(did, "; ")
}
