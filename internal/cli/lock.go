// The verb lock: a program that runs while the lock of a document is held.

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/lock"
	"github.com/jsonstore/jsonstore/store"
)

// lockRun is one run of a program under a lock.
type lockRun struct {
	app          *app
	shared, keep bool
	heldCode     int
	program      command
}

func (a *app) lockCommand() *cobra.Command {
	r := &lockRun{app: a}
	var path bool
	cmd := &cobra.Command{
		Use:   "lock FILE -- CMD ARG…",
		Short: "Run a command while the document's lock is held, as flock does",
		Long: `Run a command while the lock of the document or journal FILE is held. No writer
changes the document meanwhile but those that the command starts, directly or through scripts:
they have the lock, and exclude each other. FILE need not exist, but its directory must.

The exit code is the command's (128 plus the signal that killed it), 127 if there is no such
command, 126 if it cannot be run, and 125 for all else. Signals are passed on. When the
command has ended, the lock is released, also if it has left processes in the background;
with --keep-lock they keep it until the last of them ends.

With --shared, others may hold the lock with --shared too, and no writer changes the document.
Within the command an exclusive lock is an error then, since it would wait for the command.

flock "$(jsonstore lock --path FILE)" CMD excludes writers as well, but a jsonstore that
changes FILE within CMD waits for CMD then.`,
		Example: `  jsonstore lock settings.json -- vi settings.json
  jsonstore lock settings.json --shared --wait 10s -- cp settings.json backup.json
  flock "$(jsonstore lock --path settings.json)" vi settings.json`,
		Annotations: map[string]string{runsProgram: ""},
		Args:        cobra.MinimumNArgs(1),
	}
	flags := cmd.Flags()
	flags.BoolVar(&r.shared, "shared", false, "share the lock with others that do")
	flags.BoolVar(&r.keep, "keep-lock", false,
		"leave the lock to what the command leaves in the background")
	flags.BoolVar(&path, "path", false, "print the path of the lock file, and run no command")
	flags.IntVar(&r.heldCode, "exit-held", exitOurs,
		"the exit `CODE` if the lock is not free in time")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if path {
			a.runs = false
			if len(args) > 1 || r.shared || r.keep {
				return usage("--path prints the path of one FILE, and runs no command")
			}
			return a.with(cmd.Context(), args[0], a.printLockFile)
		}
		err := checkExitHeld(r.heldCode)
		if err != nil {
			return err
		}
		if r.program, err = checkProgram("lock", args, cmd.ArgsLenAtDash()); err != nil {
			return err
		}
		file := unshield(args[0])
		return a.with(cmd.Context(), file, func(ctx context.Context, doc *store.Doc) error {
			return r.run(ctx, file, doc)
		})
	}
	return cmd
}

// open returns the lock that writers of the document take.
func (r *lockRun) open(file string, doc *store.Doc) (*lock.Lock, error) {
	f := r.app.flags
	opts := &lock.Options{Wait: f.wait}
	if f.noWait {
		opts.Wait = -1
	}
	if f.lockFile == "" {
		return lock.OpenDocument(file, opts)
	}
	path, err := doc.LockFile()
	if err != nil {
		return nil, err
	}
	return lock.Open(path, opts)
}

func (r *lockRun) run(ctx context.Context, file string, doc *store.Doc) error {
	l, err := r.open(file, doc)
	if err != nil {
		return err
	}
	defer l.Close()
	loan, err := l.Lend(ctx, r.shared)
	switch {
	case errors.Is(err, lock.ErrLocked) && ctx.Err() == nil:
		return &programError{r.heldCode, err}
	case err != nil:
		return err
	}
	signals := catchSignals()
	if ctx.Err() != nil { // a signal that came before
		return errors.Join(context.Cause(ctx), loan.End(context.WithoutCancel(ctx)))
	}
	var started *child
	err = loan.Start(func(variable string) (err error) {
		started, err = r.program.start(environmentWith(variable))
		return err
	})
	if err != nil {
		return errors.Join(err, loan.End(context.WithoutCancel(ctx)))
	}
	code, err := r.program.await(started, signals, nil, nil)
	if r.keep {
		loan.Abandon()
	} else {
		waiting, stop := untilEnding(context.WithoutCancel(ctx), signals)
		defer stop()
		if endErr := loan.End(waiting); err == nil && endErr != nil && !r.app.flags.quiet {
			fmt.Fprintf(r.app.stderr,
				"jsonstore: %v; processes that the command has left keep it\n", endErr)
		}
	}
	if err != nil {
		return err
	}
	r.app.code = code
	return nil
}

// untilEnding returns a context that ends at a signal that asks us to end: it ends the wait for
// those that use the lock in the background.
func untilEnding(
	parent context.Context, signals <-chan os.Signal,
) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		for ctx.Err() == nil {
			select {
			case got := <-signals:
				if slices.Contains(ending, got) {
					cancel()
				}
			case <-ctx.Done():
			}
		}
	}()
	return ctx, cancel
}

// environmentWith is ours with another value of the variable of lent locks.
func environmentWith(variable string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, filelock.Variable+"=")
	})
	return append(env, variable)
}
