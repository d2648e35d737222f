// What bench and verify have in common: how long they run, with how many processes, and
// what these processes are.

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

// trial is how long such a verb runs, and with how many processes.
type trial struct {
	time      time.Duration
	processes int
}

const mostProcesses = 64

func (t *trial) register(flags *pflag.FlagSet, timeHelp, processesHelp string) {
	flags.DurationVar(&t.time, "time", 30*time.Second, timeHelp)
	flags.IntVar(&t.processes, "processes", 8, processesHelp)
}

// check wants so many processes at least.
func (t *trial) check(least int) error {
	if t.time <= 0 || t.processes < least || t.processes > mostProcesses {
		return usage("want a positive --time, and --processes from %d to %d", least, mostProcesses)
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

// The verbs that the command starts other processes of itself with. They are not for users.
const (
	verifyWorkerVerb = "verify-worker"
	benchWorkerVerb  = "bench-worker"
	exprWorkerVerb   = "expr-worker"
)

// worker is such a verb.
type worker struct {
	verb, short string
	run         func(ctx context.Context, stdin io.Reader, stdout io.Writer) error
}

func workers() []worker {
	return []worker{
		{verifyWorkerVerb, "Be one of the processes that jsonstore verify starts",
			func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
				return verify.Work(ctx, stdin, stdout, verify.StoreTools)
			}},
		{benchWorkerVerb, "Be one of the processes that jsonstore bench starts", measure.Work},
		{exprWorkerVerb, "Be the process that an expression runs in",
			func(_ context.Context, stdin io.Reader, stdout io.Writer) error {
				return work(stdin, stdout)
			}},
	}
}

// isWorker reports whether a verb is one of these.
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
					// whoever interrupts the trial interrupts its processes too
					return context.Canceled
				}
				return err
			},
		})
	}
	return commands
}
