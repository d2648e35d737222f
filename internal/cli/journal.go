// The verbs of journals: journal append, read, follow, rotate, check.

package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/journal"
)

// journalFlags are the flags of the verbs that rotate.
type journalFlags struct {
	maxBytes, keepBytes int64
	maxAge, keepAge     time.Duration
	keepSegments        int
	plain               bool
}

func (f *journalFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Int64Var(&f.maxBytes, "max-bytes", 0, fmt.Sprintf(
		"rotate before the file has more than `N` bytes (default %d MiB); -1 for no limit",
		journal.DefaultMaxBytes>>20))
	flags.DurationVar(&f.maxAge, "max-age", 0, "rotate a file that is older than this `TIME`")
	flags.BoolVar(&f.plain, "plain", false, "leave segments uncompressed")
	flags.IntVar(&f.keepSegments, "keep-segments", 0, "keep at most `N` segments")
	flags.Int64Var(&f.keepBytes, "keep-bytes", 0, "keep segments of at most `N` bytes in all")
	flags.DurationVar(
		&f.keepAge,
		"keep-age",
		0,
		"keep segments for this `TIME` after their last record",
	)
}

func (a *app) journalCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "journal",
		Short: "Append to and read journals: append-only JSON Lines with rotation",
		Long: `Append to and read journals: append-only JSON Lines with rotation.

A journal is a file with a JSON value in each line, the record. Several processes append to it at
once. When it is large enough it becomes a segment beside it, with the numbers of its records in
its name, and is compressed. A directory stands for the journal ` + journal.DirName + ` in it.`,
		Example: `  jsonstore journal append audit.jsonl '{"user": "ada", "did": "login"}'
  jsonstore journal read audit.jsonl --from 100 | jq .user
  zcat -f audit.jsonl.* audit.jsonl | jq`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("a verb is missing: jsonstore journal append, read, follow, rotate " +
					"or check; see jsonstore help journal")
			}
			return unknownVerb(cmd, args[0])
		},
	}
	root.AddCommand(a.journalAppendCommand(), a.journalReadCommand(), a.journalFollowCommand(),
		a.journalRotateCommand(), a.journalCheckCommand())
	for _, cmd := range root.Commands() {
		cmd.Args = journalArgs(cmd.Args)
		cmd.DisableFlagsInUseLine = true
	}
	return root
}

// journalArgs is usageArgs for a verb beneath journal.
func journalArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("%v: jsonstore journal %s; see jsonstore help journal %s", err, cmd.Use,
				cmd.Name())
		}
		return nil
	}
}

// onJournal is what a verb does with a journal.
type onJournal func(ctx context.Context, j *journal.Journal) error

// withJournal opens a journal and calls do with it. An error is reported and sets the exit
// code.
func (a *app) withJournal(ctx context.Context, file string, f *journalFlags, do onJournal) error {
	file = unshield(file)
	opts, err := a.journalOptions(file, f)
	if err != nil {
		return err
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	j, err := journal.Open(file, opts)
	if err == nil {
		err = do(ctx, j)
		_ = j.Close()
	}
	if err != nil {
		a.fail(file, err)
	}
	return nil
}

func (a *app) journalOptions(file string, f *journalFlags) (*journal.Options, error) {
	common, err := a.flags.options()
	if err != nil {
		return nil, err
	}
	if common.LockPath != "" || common.GuardForeign {
		return nil, usage("--lock-file and --guard are for documents, not for journals")
	}
	opts := &journal.Options{
		Durability: common.Durability, MaxSize: common.MaxSize, Perm: common.Perm,
		AllowNetwork: common.AllowNetwork, LockWait: common.LockWait,
		OnRepair: func(r journal.Repair) {
			a.note(file, "a torn tail of %d bytes, left by a process that was killed, was moved "+
				"to %s", r.Bytes, r.Path)
		},
		OnTidy: func(err error) { a.note(file, "%v; the next rotation tries again", err) },
	}
	if f == nil {
		return opts, nil
	}
	if f.maxAge < 0 || f.keepSegments < 0 || f.keepBytes < 0 || f.keepAge < 0 {
		return nil, usage("--max-age and --keep-… take no negative value")
	}
	opts.MaxBytes, opts.MaxAge, opts.Plain = f.maxBytes, f.maxAge, f.plain
	opts.Retention = journal.Retention{Segments: f.keepSegments, Bytes: f.keepBytes, Age: f.keepAge}
	return opts, nil
}

// note prints a message that is no failure.
func (a *app) note(file, format string, args ...any) {
	if !a.flags.quiet && !a.flags.json {
		fmt.Fprintf(a.stderr, "jsonstore: %s: %s\n", file, fmt.Sprintf(format, args...))
	}
}

func (a *app) journalRotateCommand() *cobra.Command {
	var f journalFlags
	cmd := &cobra.Command{
		Use:   "rotate FILE",
		Short: "Make a segment of the journal's file now, compress and remove segments",
		Long: `Make a segment of the journal's file now, and print its path; then compress the
segments and remove those that --keep-segments, --keep-bytes and --keep-age do not keep.
The newest segment always stays, since the numbers go on from it. A file without records
stays as it is.`,
		Example: "  jsonstore journal rotate audit.jsonl --keep-age 720h",
		Args:    cobra.ExactArgs(1),
	}
	f.register(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withJournal(cmd.Context(), args[0], &f,
			func(ctx context.Context, j *journal.Journal) error {
				// A journal that does not exist is a mistake; Rotate would do nothing.
				if _, err := j.Last(ctx); err != nil {
					return err
				}
				made, err := j.Rotate(ctx)
				if err != nil {
					return err
				}
				if a.flags.json {
					return wrote(encodeLine(a.stdout, segmentOf(j.Name(), made)))
				}
				if made.First == 0 {
					return nil
				}
				return a.print([]byte(made.Path))
			})
	}
	return cmd
}

// segmentJSON is a segment in JSON; the numbers are 0 if there is none.
type segmentJSON struct {
	File    string `json:"file"`
	Segment string `json:"segment,omitempty"`
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
}

func segmentOf(file string, s journal.Segment) segmentJSON {
	return segmentJSON{file, s.Path, s.First, s.Last}
}

func (a *app) journalCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Read all of the journal, and say what is wrong with it",
		Long: `Read all of the journal, and list its files with the numbers of their records.
The exit code is 5 if a file is corrupt: each is named, with the records that cannot be
read. Nothing is changed. A torn tail, which a process that was killed has left, is no
damage: the next append moves it aside.`,
		Example: "  jsonstore journal check audit.jsonl",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withJournal(cmd.Context(), args[0], nil,
				func(ctx context.Context, j *journal.Journal) error {
					report, err := j.Check(ctx)
					if err != nil {
						return err
					}
					if err := a.showJournal(j.Name(), report); err != nil {
						return err
					}
					for _, bad := range report.Corrupt {
						a.fail(j.Name(), bad)
					}
					return nil
				})
		},
	}
}

// showJournal prints what check has found, without what is wrong.
func (a *app) showJournal(file string, report journal.Report) error {
	if a.flags.json {
		type reported struct {
			segmentJSON
			Bytes    int64     `json:"bytes"`
			Modified time.Time `json:"modified"`
		}
		all := []reported{}
		for _, s := range report.Segments {
			all = append(all, reported{segmentOf(file, s.Segment), s.Bytes, s.ModTime})
		}
		return wrote(encodeLine(a.stdout, struct {
			File     string     `json:"file"`
			Valid    bool       `json:"valid"`
			Torn     int64      `json:"torn_bytes"`
			Aside    []string   `json:"moved_aside"`
			Segments []reported `json:"segments"`
		}{file, len(report.Corrupt) == 0, report.TornBytes,
			append([]string{}, report.Torn...), all}))
	}
	var b strings.Builder
	for _, s := range report.Segments {
		numbers := "no records"
		if s.Records() > 0 {
			numbers = fmt.Sprintf("records %d to %d", s.First, s.Last)
		}
		fmt.Fprintf(&b, "%s: %s, %d bytes\n", s.Path, numbers, s.Bytes)
	}
	if report.TornBytes > 0 {
		fmt.Fprintf(&b, "a torn tail of %d bytes; the next append moves it aside\n",
			report.TornBytes)
	}
	for _, path := range report.Torn {
		fmt.Fprintf(&b, "%s: a torn tail that was moved aside; remove it if you do not need it\n",
			path)
	}
	if len(report.Corrupt) == 0 {
		b.WriteString("valid\n")
	}
	_, err := io.WriteString(a.stdout, b.String())
	return wrote(err)
}

// errRange is for --from and --to.
func errRange(from, to uint64) error {
	if to > 0 && from > to {
		return usage("--from %d comes after --to %d", from, to)
	}
	return nil
}
