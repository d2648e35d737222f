// The verb verify: a stress test of a directory with many processes.

package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/verify"
)

func (a *app) verifyCommand() *cobra.Command {
	var t trial
	cmd := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Test with many processes whether a directory is fit for documents",
		Long: `Test whether a directory is fit for documents: inspect it as doctor does, then let
many processes lock, update, create and read documents at once, in every mode, and
change several in transactions, and kill some of them. The report says whether locks
exclude, an update was lost, or a reader saw a torn document or half a transaction. All
work is done in a new subdirectory, which is removed; so is one left by a bench or
verify that was killed. Nothing else is touched. If the directory is not fit, the exit
code is 1.`,
		Example: `  jsonstore verify state/
  jsonstore verify /mnt/share --time 2m --processes 16`,
		Args: cobra.MaximumNArgs(1),
	}
	t.register(cmd.Flags(), "test for about this `TIME`; 2s is a quick look",
		"run `N` processes at once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := t.check(2); err != nil {
			return err
		}
		return a.inDirectory(cmd.Context(), args, func(ctx context.Context, dir string) error {
			return a.verify(ctx, dir, t)
		})
	}
	return cmd
}

func (a *app) verify(ctx context.Context, dir string, t trial) error {
	program, err := self(verifyWorkerVerb)
	if err != nil {
		return err
	}
	progress, done := a.progress(t.time)
	report, err := verify.Run(ctx, verify.Config{
		Files: fsys.New(), Dir: dir, Time: t.time, Processes: t.processes,
		AllowNetwork: a.flags.allowNetwork, Program: program, Progress: progress,
	})
	done()
	if err != nil {
		return err
	}
	return a.showReport(report)
}

// showReport prints the report. It returns errNo if the directory is not fit.
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
			verdict(report.Dir, report.Fit,
				fmt.Sprintf("tested with %d processes for %.0f s", report.Processes,
					report.Seconds)))
		err = a.print([]byte(b.String()))
	}
	if err == nil && !report.Fit {
		err = errNo
	}
	return err
}

// progress reports the progress on standard error. On a terminal it is one line, which
// done clears.
func (a *app) progress(
	last time.Duration,
) (tell func(since time.Duration, text string), done func()) {
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
