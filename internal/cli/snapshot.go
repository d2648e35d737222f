// The verbs of snapshots of a directory: create, list, show, restore, delete.

package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/store"
)

func (a *app) snapshotCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "snapshot VERB DIR",
		Short: "Keep all documents of a directory as they are at one moment, and restore them",
		Long: `Keep all documents of a directory, with those in its directories, as they are
together at one moment. Writers go on meanwhile. A snapshot is one file, DIR/.NAME.snapshot.
A document has a KEY: its path in DIR, without .json.`,
		Example: `  jsonstore snapshot create state before-upgrade
  jsonstore snapshot restore state before-upgrade --dry-run
  jsonstore snapshot restore state before-upgrade users/ada`,
	}
	group.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(group, args[0])
		}
		return nil
	}
	group.RunE = func(*cobra.Command, []string) error {
		return usage("a verb is missing: jsonstore snapshot create, list, show, restore or " +
			"delete; see jsonstore help snapshot")
	}
	group.AddCommand(a.snapshotCreateCommand(), a.snapshotListCommand(), a.snapshotShowCommand(),
		a.snapshotRestoreCommand(), a.snapshotDeleteCommand())
	for _, cmd := range group.Commands() {
		cmd.Args = usageArgs(cmd.Args)
		cmd.DisableFlagsInUseLine = true
	}
	return group
}

// inStore opens the directory of documents and calls do with it. An error is reported and
// sets the exit code.
func (a *app) inStore(
	ctx context.Context, dir string, do func(ctx context.Context, db *store.DB) error,
) error {
	dir = unshield(dir)
	if a.flags.lockFile != "" {
		return usage("--lock-file is for one document, not for a directory")
	}
	opts, err := a.flags.options()
	if err != nil {
		return err
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	db, err := store.Open(dir, opts)
	if err == nil {
		err = do(ctx, db)
		db.Close()
	}
	if err == nil {
		return nil
	}
	// The file of a snapshot is named by the path that the user gave.
	var where *store.Error
	if errors.As(err, &where) {
		if base := filepath.Base(where.Name); strings.HasSuffix(base, ".snapshot") {
			dir = filepath.Join(dir, base)
		}
		if !errors.Is(err, store.ErrNotDurable) && !errors.As(err, new(*outputError)) {
			err = &store.Error{Op: where.Op, Name: dir, Err: plainPath(where.Err)}
		}
	}
	a.fail(dir, err)
	return nil
}

// snapshotReport is what --json prints of a snapshot.
type snapshotReport struct {
	Name      string    `json:"name"`
	File      string    `json:"file"`
	Created   time.Time `json:"created"`
	Documents int       `json:"documents"`
	Bytes     int64     `json:"bytes"` // of the documents
	Size      int64     `json:"size"`  // of the file
	Problem   string    `json:"problem,omitempty"`
}

func snapshotReportOf(info store.SnapshotInfo) snapshotReport {
	report := snapshotReport{Name: info.Name, File: info.Path, Created: info.Created,
		Documents: info.Documents, Bytes: info.Bytes, Size: info.Size}
	if info.Problem != nil {
		report.Problem = info.Problem.Error()
	}
	return report
}

func (a *app) snapshotCreateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "create DIR [NAME]",
		Short: "Make a snapshot, and print its name",
		Long: `Make a snapshot of all documents of a directory, and print its name; without NAME it
is named for the time. Of each transaction it has all or nothing. Those may read it who may read
every document in it. If the name is taken, the exit code is 6.`,
		Example: `  jsonstore snapshot create state
  jsonstore snapshot create state before-upgrade --json | jq .documents`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 1 {
				if name = unshield(args[1]); name == "" {
					return usage("the name of the snapshot is empty")
				}
			}
			return a.inStore(cmd.Context(), args[0], func(ctx context.Context, db *store.DB) error {
				info, err := db.CreateSnapshot(ctx, name)
				if err != nil && !errors.Is(err, store.ErrNotDurable) {
					return err
				}
				if a.flags.json {
					return errors.Join(err, wrote(encodeLine(a.stdout, snapshotReportOf(info))))
				}
				return errors.Join(err, a.print([]byte(info.Name)))
			})
		},
	}
}

func (a *app) snapshotListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list DIR",
		Short: "List the snapshots of a directory, the oldest first",
		Long: `List the snapshots of a directory, the oldest first. One that cannot be used is named
on standard error, with the reason.`,
		Example: `  jsonstore snapshot list state
  jsonstore snapshot list state --json | jq -r .name`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inStore(cmd.Context(), args[0], func(ctx context.Context, db *store.DB) error {
				all, err := db.Snapshots(ctx)
				for _, info := range all {
					switch {
					case info.Problem != nil:
						a.fail(filepath.Join(unshield(args[0]), filepath.Base(info.Path)),
							info.Problem)
					case a.flags.json:
						err = wrote(encodeLine(a.stdout, snapshotReportOf(info)))
					default:
						err = a.print(fmt.Appendf(nil, "%s  %s  %d documents, %d bytes", info.Name,
							info.Created.Format(time.RFC3339), info.Documents, info.Bytes))
					}
					if err != nil {
						break
					}
				}
				return err
			})
		},
	}
}

func (a *app) snapshotShowCommand() *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "show DIR NAME [KEY]",
		Short: "List the documents in a snapshot, or print one",
		Long: `List the documents in a snapshot, each with its version by content and its key; or
print the document with a KEY. The checksums of what is read are compared; with --verify those of
all documents.`,
		Example: `  jsonstore snapshot show state before-upgrade
  jsonstore snapshot show state before-upgrade users/ada | jq .age`,
		Args: cobra.RangeArgs(2, 3),
	}
	cmd.Flags().BoolVar(&verify, "verify", false,
		"first compare all documents with their checksums")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.inStore(cmd.Context(), args[0], func(ctx context.Context, db *store.DB) error {
			s, err := db.OpenSnapshot(unshield(args[1]))
			if err != nil {
				return err
			}
			defer s.Close()
			if verify {
				if err := s.Verify(ctx); err != nil {
					return err
				}
			}
			if len(args) > 2 {
				return a.showArchived(s, unshield(args[2]))
			}
			for key, version := range s.Keys() {
				info, err := s.Stat(key + ".json")
				switch {
				case err != nil:
				case a.flags.json:
					err = wrote(encodeLine(a.stdout, struct {
						Key      string        `json:"key"`
						Version  store.Version `json:"version"`
						Size     int64         `json:"size"`
						Modified time.Time     `json:"modified"`
					}{key, version, info.Size(), info.ModTime()}))
				default:
					err = a.print(fmt.Appendf(nil, "%v  %s", version, key))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

// showArchived prints a document in a snapshot, byte by byte.
func (a *app) showArchived(s *store.Snapshot, key string) error {
	data, version, err := s.Read(key)
	switch {
	case err != nil:
		return err
	case a.flags.json:
		return wrote(encodeLine(a.stdout, struct {
			Key     string        `json:"key"`
			Version store.Version `json:"version"`
			Text    string        `json:"text"` // it may not be JSON
		}{key, version, string(data)}))
	}
	return a.print(data)
}

func (a *app) snapshotRestoreCommand() *cobra.Command {
	opts := store.RestoreOptions{}
	f := writeFlags{}
	cmd := &cobra.Command{
		Use:   "restore DIR NAME [KEY...]",
		Short: "Make documents what they are in a snapshot, in one transaction",
		Long: `Make documents of the directory what they are in a snapshot: all of them, or those
with the given KEYs. All are changed, or none. Documents that are not in the snapshot stay, unless
--delete-others is given. What was changed is printed. A transaction changes at most 4096
documents; of a larger snapshot, those that differ have to be fewer, or are restored by their
KEYs, some at a time.`,
		Example: `  jsonstore snapshot restore state before-upgrade --dry-run
  jsonstore snapshot restore state before-upgrade --delete-others
  jsonstore snapshot restore state before-upgrade users/ada --expect "$version"`,
		Args: cobra.MinimumNArgs(2),
	}
	a.writeCommand(cmd, &f)
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "change nothing; print what would be done")
	cmd.Flags().BoolVar(&opts.DeleteOthers, "delete-others", false,
		"delete the documents that the snapshot does not have; with KEYs, those of them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.parse(cmd.Flags()); err != nil {
			return err
		}
		for _, key := range args[2:] {
			opts.Keys = append(opts.Keys, unshield(key))
		}
		if f.expected != nil {
			if len(opts.Keys) != 1 {
				return usage("--expect is the version of one document; name its KEY")
			}
			opts.Expect = map[string]store.Version{opts.Keys[0]: *f.expected}
		}
		return a.inStore(cmd.Context(), args[0], func(ctx context.Context, db *store.DB) error {
			s, err := db.OpenSnapshot(unshield(args[1]))
			if err != nil {
				return err
			}
			defer s.Close()
			restored, err := s.Restore(ctx, &opts)
			if err != nil && !errors.Is(err, store.ErrNotDurable) {
				return err
			}
			a.changed = a.changed || len(restored) > 0
			err = errors.Join(err, a.showRestored(restored, opts.DryRun))
			var output *outputError
			if errors.As(err, &output) {
				output.published = len(restored) > 0 && !opts.DryRun
			}
			return err
		})
	}
	return cmd
}

// restoredReport is what --json prints of a document that was restored.
type restoredReport struct {
	Key     string        `json:"key"`
	Before  store.Version `json:"before"`
	Version store.Version `json:"version"`
}

func (a *app) showRestored(restored []store.RestoredDocument, dry bool) error {
	if a.flags.json {
		report := struct {
			Changed   bool             `json:"changed"` // or would be
			Documents []restoredReport `json:"documents"`
		}{len(restored) > 0, []restoredReport{}}
		for _, r := range restored {
			report.Documents = append(report.Documents, restoredReport(r))
		}
		return wrote(encodeLine(a.stdout, report))
	}
	if len(restored) == 0 {
		return a.print([]byte("nothing to restore"))
	}
	would := ""
	if dry {
		would = "would be "
	}
	var b strings.Builder
	for _, r := range restored {
		done := "restored"
		switch {
		case r.Before.IsAbsent():
			done = "created"
		case r.Version.IsAbsent():
			done = "deleted"
		}
		fmt.Fprintf(&b, "%s: %s%s\n", r.Key, would, done)
	}
	return a.print([]byte(b.String()))
}

func (a *app) snapshotDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete DIR NAME...",
		Short:   "Delete snapshots, and what dead makers of snapshots have left",
		Example: "  jsonstore snapshot delete state before-upgrade",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inStore(cmd.Context(), args[0], func(ctx context.Context, db *store.DB) error {
				for _, name := range args[1:] {
					if err := db.DeleteSnapshot(ctx, unshield(name)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
