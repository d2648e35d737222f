// The verb verify: a storm of processes in a directory, and what it proves.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/verify"
)

// workerVerb is what the processes of a verification are started with. It is not for users.
const workerVerb = "verify-worker"

const mostProcesses = 64

func (a *app) verifyCommand() *cobra.Command {
	var last time.Duration
	var processes int
	cmd := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Put a directory to the test with many processes: is it fit for documents?",
		Long: `Put a directory to the test: what doctor looks at, and then many processes that lock, update, create and read
documents at once, in every mode, and are killed at it. It tells whether a lock excludes, an update was lost, a reader saw half of one.
All happens in a new directory within, which is removed, as is one that was left by a bench or verify
that was killed; nothing else is touched. If the directory is not fit, the exit code is 1.`,
		Example: `  jsonstore verify state/
  jsonstore verify /mnt/share --time 2m --processes 16`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().DurationVar(&last, "time", 30*time.Second, "test for about this `TIME`; 2s is a quick look")
	cmd.Flags().IntVar(&processes, "processes", 8, "run `N` processes at once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if last <= 0 || processes < 2 || processes > mostProcesses {
			return usage("want a positive --time, and --processes from 2 to %d", mostProcesses)
		}
		return a.inDirectory(cmd.Context(), args, func(ctx context.Context, dir string) error {
			return a.verify(ctx, dir, last, processes)
		})
	}
	return cmd
}

func (a *app) verify(ctx context.Context, dir string, last time.Duration, processes int) error {
	program, err := self(workerVerb)
	if err != nil {
		return err
	}
	progress, done := a.progress(last)
	report, err := verify.Run(ctx, verify.Config{
		Files: fsys.New(), Dir: dir, Time: last, Processes: processes,
		AllowNetwork: a.flags.allowNetwork, Program: program, Progress: progress,
	})
	done()
	if err != nil {
		return err
	}
	return a.showReport(report)
}

// showReport prints what came of a verification; its error is also the answer no.
func (a *app) showReport(report *verify.Report) (err error) {
	if a.flags.json {
		err = wrote(encodeLine(a.stdout, report))
	} else {
		var b strings.Builder
		writeFindings(&b, report.Findings)
		if len(report.Checks) > 0 {
			b.WriteByte('\n')
		}
		for _, c := range report.Checks {
			text := c.Text
			if c.Mode != "" {
				text = fmt.Sprintf("%-18s %s", c.Mode+", "+c.Sync+":", c.Text)
			}
			writeRow(&b, c.State, c.Name, text)
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", wrap(report.NotTested, 0),
			verdict(report.Dir, report.Fit, fmt.Sprintf("tested with %d processes for %.0f s", report.Processes, report.Seconds)))
		err = a.print([]byte(b.String()))
	}
	if err == nil && !report.Fit {
		err = errNo
	}
	return err
}

// progress tells on standard error what is going on: on one line if that is a terminal, which done makes empty.
func (a *app) progress(last time.Duration) (tell func(since time.Duration, text string), done func()) {
	if a.flags.quiet || a.flags.json {
		return nil, func() {}
	}
	terminal := isTerminal(a.stderr)
	tell = func(since time.Duration, text string) {
		line := fmt.Sprintf("jsonstore: %2.0f of %.0f s: %s", since.Seconds(), last.Seconds(), text)
		if terminal {
			fmt.Fprintf(a.stderr, "\r\x1b[K%s", line)
		} else {
			fmt.Fprintln(a.stderr, line)
		}
	}
	done = func() {
		if terminal {
			fmt.Fprint(a.stderr, "\r\x1b[K")
		}
	}
	return tell, done
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (a *app) workerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    workerVerb,
		Short:  "Be one of the processes that jsonstore verify starts",
		Hidden: true,
		Args:   cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		err := verify.Work(cmd.Context(), a.stdin, a.stdout, verify.StoreTools)
		if err != nil && errors.Is(err, context.Canceled) {
			return context.Canceled // who interrupts the test interrupts its processes too
		}
		return err
	}
	return cmd
}
