// The verb lease run: a program that runs while the lease is held.

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// The variables that the program gets.
const (
	tokenVariable = "JSONSTORE_LEASE_TOKEN"
	nonceVariable = "JSONSTORE_LEASE_NONCE"
	fileVariable  = "JSONSTORE_LEASE_FILE"
)

func (a *app) leaseRunCommand() *cobra.Command {
	var f leaseFlags
	var heldCode int
	cmd := &cobra.Command{
		Use:   "run FILE -- CMD ARG…",
		Short: "Run a command while the lease is held, and renew it until it ends",
		Long: `Run a command while the lease is held, and renew the lease in the background until it
ends. The exit code is the command's (128 plus the signal that killed it), 127 if there is no
such command, 126 if it cannot be run, and 125 for all else. If the lease is lost, or cannot
be renewed in time, the command and its process group get SIGTERM, and SIGKILL when the lease
expires. The command runs in a process group of its own, unless this one is in the foreground
of a terminal; then only the command itself is ended. Signals are passed on. If this process is
killed on Linux, the command is killed too. On Windows it is ended at once, without SIGTERM.

The command has the token in ` + tokenVariable + `, and ` + nonceVariable + ` and
` + fileVariable + `.`,
		Example: `  jsonstore lease run job.lease --ttl 1m --no-wait -- ./nightly.sh
  jsonstore lease run job.lease --ttl 10s --wait 1h -- sh -c 'echo "token $` + tokenVariable + `"'`,
		Annotations: map[string]string{runsProgram: ""},
		Args:        cobra.MinimumNArgs(1),
	}
	a.registerLease(&f, cmd.Flags())
	cmd.Flags().IntVar(&heldCode, "exit-held", exitOurs,
		"the exit `CODE` if another holder has the lease")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkExitHeld(heldCode); err != nil {
			return err
		}
		prog, err := checkProgram("lease run", args, cmd.ArgsLenAtDash())
		if err != nil {
			return err
		}
		prog.diesToo = true // nobody would renew its lease
		opts, err := f.options(filepath.Base(args[1]))
		if err != nil {
			return err
		}
		r := &leaseRun{app: a, file: unshield(args[0]), program: prog}
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			l, err := lease.Acquire(ctx, doc, opts)
			if errors.Is(err, lease.ErrHeld) && ctx.Err() == nil && heldCode != exitOurs {
				return &programError{heldCode, err}
			}
			if err != nil {
				return err
			}
			return r.run(ctx, l)
		})
	}
	return cmd
}

// leaseRun is one run of a program under a lease.
type leaseRun struct {
	app     *app
	file    string
	program command
}

func (r *leaseRun) run(ctx context.Context, l *lease.Lease) error {
	signals := catchSignals()
	if ctx.Err() != nil {
		r.release(ctx, l)
		return context.Cause(ctx)
	}
	work, stop := l.Keep(context.WithoutCancel(ctx))
	code, err := r.program.supervise(r.environment(l), signals, work.Done(),
		func() time.Duration { return grace(l) })
	lost := context.Cause(work)
	stop()
	released := r.release(ctx, l)
	switch {
	case err != nil:
		return err
	case lost != nil:
		return lost
	case errors.Is(released, lease.ErrLost):
		return released
	case released != nil && !r.app.flags.quiet:
		fmt.Fprintf(r.app.stderr, "jsonstore: %v; the lease ends in %v\n", released, l.TTL())
	}
	r.app.code = code
	return nil
}

func (r *leaseRun) release(ctx context.Context, l *lease.Lease) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.TTL())
	defer cancel()
	return l.Release(ctx)
}

// grace is how long the program has to end, when the lease was stolen or is about to expire.
func grace(l *lease.Lease) time.Duration {
	if left := l.Left(); left > 0 {
		return left
	}
	return min(l.TTL()/4, time.Second)
}

// environment is ours with the variables of the lease.
func (r *leaseRun) environment(l *lease.Lease) []string {
	file := r.file
	if path, err := filepath.Abs(file); err == nil {
		file = path
	}
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "JSONSTORE_LEASE_")
	})
	return append(env, tokenVariable+"="+strconv.FormatUint(l.Token(), 10),
		nonceVariable+"="+l.Nonce(), fileVariable+"="+file)
}
