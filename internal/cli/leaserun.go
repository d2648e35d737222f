// The verb lease run: a program that runs while the lease is held.

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// runsProgram annotates a verb whose exit code is that of the program that it runs.
const runsProgram = "runs"

// programError says why a program cannot be run, with the exit code that shells have.
type programError struct {
	code int
	err  error
}

func (e *programError) Error() string { return e.err.Error() }
func (e *programError) Unwrap() error { return e.err }

// codeOfRun is the exit code for an error of a verb that runs a program.
func codeOfRun(code int, err error) int {
	var program *programError
	switch {
	case errors.As(err, &program):
		return program.code
	case code == exitInterrupted || code == exitTerminated:
		return code
	}
	return exitOurs
}

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
		dash := cmd.ArgsLenAtDash()
		switch {
		case dash != 1 || len(args) < 2:
			return usage("give one FILE, and the command after --: " +
				"jsonstore lease run FILE -- CMD ARG…")
		case heldCode < 0 || heldCode > 255:
			return usage("--exit-held %d: want 0 to 255", heldCode)
		}
		opts, err := f.options(filepath.Base(args[1]))
		if err != nil {
			return err
		}
		path, err := lookUp(args[1])
		if err != nil {
			return err
		}
		r := &leaseRun{app: a, file: unshield(args[0]), path: path, args: args[1:]}
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
	app  *app
	file string
	path string   // of the program
	args []string // the first one is its name
}

func (r *leaseRun) run(ctx context.Context, l *lease.Lease) error {
	// From here on signals are the program's. One that came before has ended ctx.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	defer signal.Stop(signals)
	if ctx.Err() != nil {
		r.release(ctx, l)
		return context.Cause(ctx)
	}
	work, stop := l.Keep(context.WithoutCancel(ctx))
	code, err := r.supervise(work, l, signals)
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

// supervise runs the program, and ends it when the work's context ends. It returns its
// exit code.
func (r *leaseRun) supervise(
	work context.Context, l *lease.Lease, signals <-chan os.Signal,
) (int, error) {
	child, err := startChild(r.path, r.args, r.environment(l), os.Stdin)
	if err != nil {
		return 0, &programError{exitNotRunnable, fmt.Errorf("run %s: %w", r.args[0], err)}
	}
	ended := make(chan *os.ProcessState, 1)
	failed := make(chan error, 1)
	go func() {
		state, err := child.process.Wait()
		if err != nil {
			failed <- err
			return
		}
		ended <- state
	}()
	lost := work.Done()
	var kill <-chan time.Time
	var look <-chan time.Time // at what the program has left, when it was ended
	code := 0
	for {
		select {
		case state := <-ended:
			if code = exitCodeOf(state); kill == nil || child.isGone() {
				return code, nil
			}
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			look = ticker.C
		case <-look:
			if child.isGone() {
				return code, nil
			}
		case err := <-failed:
			return 0, fmt.Errorf("wait for %s: %w", r.args[0], err)
		case s := <-signals:
			child.pass(s)
		case <-lost:
			lost = nil
			// The lease was stolen, or is about to expire.
			grace := l.Left()
			if grace == 0 {
				grace = min(l.TTL()/4, time.Second)
			}
			timer := time.NewTimer(grace)
			defer timer.Stop()
			kill = timer.C
			child.terminate()
		case <-kill:
			if child.kill(); look != nil {
				return code, nil
			}
		}
	}
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
