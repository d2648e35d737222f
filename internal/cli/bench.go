// The verb bench: what updates and reads cost on the user's own disk.

package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/measure"
)

func (a *app) benchCommand() *cobra.Command {
	var t trial
	var report string
	cmd := &cobra.Command{
		Use:   "bench [DIR]",
		Short: "Measure the cost of updates and reads in a directory, and give advice",
		Long: `Measure the cost of updates and reads in a directory: in each mode and durability,
by the number of processes and goroutines, and by the size and number of documents.
The report has rates, latencies, the fairness between processes, and lost updates (there
must be none), and ends with advice. All work is done in a new subdirectory, which is
removed; so is one left by a bench or verify that was killed. Nothing else is touched.
If an update was lost, the exit code is 1.`,
		Example: `  jsonstore bench state/
  jsonstore bench /mnt/data --time 2m --processes 32 --report bench.html`,
		Args: cobra.MaximumNArgs(1),
	}
	t.register(cmd.Flags(), "measure for about this `TIME`; 5s is a quick look",
		"run up to `N` processes at once")
	cmd.Flags().StringVar(&report, "report", "",
		"also write a report with charts to `FILE`, as one self-contained HTML page")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := t.check(1); err != nil {
			return err
		}
		if cmd.Flags().Changed("report") && report == "" {
			return usage("want the name of a file for --report")
		}
		return a.inDirectory(cmd.Context(), args, func(ctx context.Context, dir string) error {
			return a.bench(ctx, dir, t, report)
		})
	}
	return cmd
}

func (a *app) bench(ctx context.Context, dir string, t trial, page string) error {
	program, err := self(benchWorkerVerb)
	if err != nil {
		return err
	}
	files := fsys.New()
	if !a.flags.allowNetwork {
		if network, err := files.Network(dir); err == nil && network != "" {
			return fmt.Errorf("it is not known to be on a local file system (%s); "+
				"allow it with --allow-network at your own risk", network)
		}
	}
	if page != "" {
		// A missing directory is reported now, not after the measurement.
		if _, err := files.Lstat(filepath.Dir(unshield(page))); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	progress, done := a.countdown()
	report, err := measure.Run(ctx, measure.Config{
		Files: files, Dir: dir, Time: t.time, Processes: t.processes,
		Program: program, Version: version(),
		Command: fmt.Sprintf("jsonstore bench %s --time %v --processes %d", dir, t.time,
			t.processes),
		Progress: progress,
	})
	done()
	if err != nil {
		return err
	}
	if page != "" {
		if err := replaceFile(unshield(page), report.Page(), 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if a.flags.json {
		err = wrote(encodeLine(a.stdout, report))
	} else {
		err = a.print([]byte(benchText(report)))
	}
	if err == nil && report.Lost != 0 {
		err = errNo
	}
	return err
}

// benchLabel is the first column of a row of updates.
func benchLabel(u measure.Update) string {
	if u.Transaction > 0 {
		return fmt.Sprintf("%s, %d at once", u.Sync, u.Transaction)
	}
	return u.Sync + ", " + u.Mode
}

// benchText is the report for a terminal.
func benchText(r *measure.Report) string {
	var b strings.Builder
	section := ""
	for _, u := range r.Updates {
		if u.Section != section {
			section = u.Section
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "by %s\n%-20s %5s %5s %5s %8s ", section, "", "proc", "gor", "docs",
				"bytes")
			fmt.Fprintf(&b, "%10s %9s %9s %9s %9s %7s %9s %9s %5s %5s\n", "updates/s", "median",
				"99.9 %",
				"longest", "conflicts", "retries", "escalated", "waits", "fair", "lost")
		}
		fmt.Fprintf(&b, "%-20s %5d %5d %5d %8d ",
			benchLabel(u), u.Processes, u.Goroutines, u.Documents, u.Bytes)
		if !u.Measured() {
			fmt.Fprintf(&b, "not measured: %s\n", u.Failure)
			continue
		}
		fmt.Fprintf(&b, "%10.0f %9s %9s %9s %9d %7d %9d %9d %5.2f %5d", u.RatePerS,
			measure.Microseconds(u.MedianUs), measure.Microseconds(u.P999Us),
			measure.Microseconds(u.LongestUs), u.Conflicts, u.Retries, u.Escalations, u.LockWaits,
			u.Fairness, u.Lost)
		if u.Failed > 0 {
			fmt.Fprintf(&b, "  %d failed: %s", u.Failed, u.Failure)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\nreads\n%8s %12s %12s\n", "bytes", "first", "unchanged")
	for _, read := range r.Reads {
		fmt.Fprintf(&b, "%8d %12s %12s\n", read.Bytes,
			measure.Microseconds(read.FirstUs), measure.Microseconds(read.UnchangedUs))
	}
	b.WriteByte('\n')
	for _, advice := range r.Advice {
		b.WriteString(wrap(advice, 0) + "\n")
	}
	return b.String()
}

// countdown shows the progress: a bar on a terminal, else a line every ten steps.
func (a *app) countdown() (tell func(done, all int, text string), done func()) {
	if a.flags.quiet || a.flags.json {
		return nil, func() {}
	}
	terminal := isTerminal(a.stderr)
	tell = func(done, all int, text string) {
		switch {
		case terminal:
			const width = 24
			full := width * done / all
			bar := strings.Repeat("█", full) + strings.Repeat("░", width-full)
			fmt.Fprintf(a.stderr, "\r\x1b[K%s %d/%d %s", bar, done, all, text)
		case done%10 == 0:
			fmt.Fprintf(a.stderr, "jsonstore: %d of %d: %s\n", done, all, text)
		}
	}
	done = func() {
		if terminal {
			fmt.Fprint(a.stderr, "\r\x1b[K")
		}
	}
	return tell, done
}
