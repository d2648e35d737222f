// What bench and verify share: their duration, the number of processes, and the verbs
// of those processes. The expression worker's verb is here too.

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/internal/measure"
	"github.com/jsonstore/jsonstore/internal/verify"
)

// trial is the duration of such a verb and its number of processes.
type trial struct {
	time      time.Duration
	processes int
}

const maxProcesses = 64

func (t *trial) register(flags *pflag.FlagSet, timeHelp, processesHelp string) {
	flags.DurationVar(&t.time, "time", 30*time.Second, timeHelp)
	flags.IntVar(&t.processes, "processes", 8, processesHelp)
}

// check refuses fewer than least processes.
func (t *trial) check(least int) error {
	if t.time <= 0 || t.processes < least || t.processes > maxProcesses {
		return usage("want a positive --time, and --processes from %d to %d", least, maxProcesses)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// The verbs of the processes that the command starts of itself. They are not for users.
const (
	verifyWorkerVerb = "verify-worker"
	benchWorkerVerb  = "bench-worker"
	exprWorkerVerb   = "expr-worker"
)

// worker is one of these verbs.
type worker struct {
	verb, short string
	run         func(ctx context.Context, stdin io.Reader, stdout io.Writer) error
}

func workers() []worker {
	return []worker{
		{verifyWorkerVerb, "Run as a worker process of jsonstore verify",
			func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
				return verify.Work(ctx, stdin, stdout, verify.StoreTools)
			}},
		{benchWorkerVerb, "Run as a worker process of jsonstore bench", measure.Work},
		{exprWorkerVerb, "Run as the process that evaluates an expression",
			func(_ context.Context, stdin io.Reader, stdout io.Writer) error {
				return work(stdin, stdout)
			}},
	}
}

// isWorker reports whether a verb is that of a worker.
func isWorker(verb string) bool {
	return slices.ContainsFunc(workers(), func(w worker) bool { return w.verb == verb })
}

func (a *app) workerCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, w := range workers() {
		commands = append(commands, &cobra.Command{
			Use:    w.verb,
			Short:  w.short,
			Hidden: true,
			Args:   cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				err := w.run(cmd.Context(), a.stdin, a.stdout)
				if errors.Is(err, context.Canceled) {
					// an interrupt of the trial reaches its processes too
					return context.Canceled
				}
				return err
			},
		})
	}
	return commands
}
