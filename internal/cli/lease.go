// The verbs of a lease: acquire, renew, release, status. leaserun.go has run.

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

func (a *app) leaseCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "lease VERB FILE",
		Short: "Hold a lock with an owner and a time to live, or run a command under it",
		Long: `Hold a lock with an owner and a time to live. The lock is the document in FILE: no
process has to hold it, it says who holds it, and it passes on when it is not renewed.
Each grant has a token, larger than all before, with which documents can refuse the late
writes of a former holder.`,
		Example: `  jsonstore lease run job.lease --ttl 1m --no-wait -- ./nightly.sh
  read token nonce < <(jsonstore lease acquire job.lease --ttl 1m)
  jsonstore lease release job.lease --nonce "$nonce"`,
	}
	group.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(group, args[0])
		}
		return nil
	}
	group.RunE = func(*cobra.Command, []string) error {
		return usage("a verb is missing: jsonstore lease acquire, renew, release, status or run; " +
			"see jsonstore help lease")
	}
	group.AddCommand(a.leaseAcquireCommand(), a.leaseRenewCommand(), a.leaseReleaseCommand(),
		a.leaseStatusCommand(), a.leaseRunCommand())
	for _, cmd := range group.Commands() {
		cmd.Args = usageArgs(cmd.Args)
		cmd.DisableFlagsInUseLine = true
	}
	return group
}

// leaseFlags are the flags of the verbs that acquire a lease.
type leaseFlags struct {
	ttl, wait, skew time.Duration
	noWait          bool
	owner           string
}

func (a *app) registerLease(f *leaseFlags, flags *pflag.FlagSet) {
	flags.DurationVar(&f.ttl, "ttl", 30*time.Second,
		"the lease lasts this `TIME` unless it is renewed")
	flags.DurationVar(&f.wait, "wait", 0, "wait at most this `TIME` for another holder")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait for another holder")
	flags.DurationVar(&f.skew, "max-skew", 5*time.Second,
		"largest difference of the wall clocks of two machines; negative: do not compare them")
	flags.StringVar(&f.owner, "owner", "", "the holder's `NAME` in messages")
	flags.StringVar(&a.flags.createMode, "create-mode", "",
		"the `MODE` of a new document, before the umask (default 0600)")
}

// options returns the options of the lease that the flags set.
func (f *leaseFlags) options(owner string) (*lease.Options, error) {
	if f.wait < 0 || f.noWait && f.wait > 0 {
		return nil, usage("--wait takes no negative value, and excludes --no-wait")
	}
	opts := &lease.Options{TTL: f.ttl, Wait: f.wait, MaxSkew: f.skew, Owner: unshield(f.owner)}
	if f.noWait {
		opts.Wait = -1
	}
	if f.skew == 0 {
		opts.MaxSkew = time.Nanosecond // 0 is the default
	}
	if opts.Owner == "" {
		opts.Owner = owner
	}
	return opts, checkLease(opts.TTL, opts.Owner)
}

func checkLease(ttl time.Duration, owner string) error {
	if ttl < time.Millisecond || ttl > lease.MaxTTL {
		return usage("--ttl %v: want a time from 1ms to %v", ttl, lease.MaxTTL)
	}
	return checkText("the name for --owner", owner)
}

// leaseReport is what --json prints of a lease.
type leaseReport struct {
	File    string     `json:"file"`
	State   string     `json:"state"` // held, expired or free
	Token   uint64     `json:"token"`
	Owner   string     `json:"owner,omitempty"`
	Host    string     `json:"host,omitempty"`
	PID     int        `json:"pid,omitempty"`
	Nonce   string     `json:"nonce,omitempty"`
	Granted *time.Time `json:"granted,omitempty"`
	Renewed *time.Time `json:"renewed,omitempty"`
	TTL     int64      `json:"ttl_ms,omitempty"`
	Age     int64      `json:"age_ms,omitempty"`  // since the grant
	Left    int64      `json:"left_ms,omitempty"` // negative if it has expired
}

func leaseReportOf(doc *store.Doc, r lease.Record, now time.Time) leaseReport {
	report := leaseReport{File: doc.Name(), State: "free", Token: r.Token}
	if r.Free() {
		return report
	}
	report.State = "held"
	if r.Expired(now) {
		report.State = "expired"
	}
	report.Owner, report.Host, report.PID, report.Nonce = r.Owner, r.Host, r.PID, r.Nonce
	report.Granted, report.Renewed = &r.Granted, &r.Renewed
	report.TTL, report.Age = r.TTLMillis, r.Age(now).Milliseconds()
	report.Left = r.Expires().Sub(now).Milliseconds()
	return report
}

// text is the report without --json.
func (r leaseReport) text() string {
	rows := [][2]any{{"state", r.State}, {"token", r.Token}}
	if r.State != "free" {
		rows = append(rows, [][2]any{
			{"owner", r.Owner}, {"host", r.Host}, {"pid", r.PID}, {"nonce", r.Nonce},
			{"granted", r.Granted.Format(time.RFC3339Nano)},
			{"renewed", r.Renewed.Format(time.RFC3339Nano)},
			{"ttl", time.Duration(r.TTL) * time.Millisecond},
			{"age", time.Duration(r.Age) * time.Millisecond},
			{"left", time.Duration(r.Left) * time.Millisecond},
		}...)
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%-9s %v\n", row[0].(string)+":", row[1])
	}
	return b.String()
}

// errNoLease is the error for an absent document.
type errNoLease struct{}

func (errNoLease) Error() string {
	return "there is no such lease; jsonstore lease acquire makes it"
}
func (errNoLease) Unwrap() error { return store.ErrNotExist }

// onLease is a.with for a lease, which must exist.
func (a *app) onLease(ctx context.Context, file string, do onDocument) error {
	return a.with(ctx, file, func(ctx context.Context, doc *store.Doc) error {
		err := do(ctx, doc)
		if errors.Is(err, store.ErrNotExist) {
			return errNoLease{}
		}
		return err
	})
}

func (a *app) leaseAcquireCommand() *cobra.Command {
	var f leaseFlags
	cmd := &cobra.Command{
		Use:   "acquire FILE",
		Short: "Take the lease, or wait for it, and print its token and nonce",
		Long: `Take the lease, or wait until its holder releases it or does not renew it, and print
its fencing token and its nonce. The nonce is for renew and release. If the lease is held
and --wait has passed, or --no-wait is given, the exit code is 7.`,
		Example: `  read token nonce < <(jsonstore lease acquire job.lease --ttl 1m --wait 10s)`,
		Args:    cobra.ExactArgs(1),
	}
	a.registerLease(&f, cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := f.options(user())
		if err != nil {
			return err
		}
		opts.PID = os.Getppid() // the script: this process ends now
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			l, err := lease.Acquire(ctx, doc, opts)
			if err != nil {
				return err
			}
			if a.flags.json {
				err = wrote(encodeLine(a.stdout, leaseReport{
					File: doc.Name(), State: "held", Token: l.Token(), Nonce: l.Nonce(),
					Owner: opts.Owner, PID: opts.PID, TTL: l.TTL().Milliseconds(),
				}))
			} else {
				err = a.print(fmt.Appendf(nil, "%d %s", l.Token(), l.Nonce()))
			}
			var output *outputError
			if errors.As(err, &output) { // nobody knows the nonce
				if l.Release(context.WithoutCancel(ctx)) == nil {
					return fmt.Errorf("write the token: %w; the lease was released", output.err)
				}
			}
			return err
		})
	}
	return cmd
}

// user is the name of the user, for messages.
func user() string {
	for _, variable := range []string{"USER", "LOGNAME", "USERNAME"} {
		if name := os.Getenv(variable); name != "" {
			return strings.ToValidUTF8(name, "?")
		}
	}
	return "jsonstore"
}

func (a *app) leaseRenewCommand() *cobra.Command {
	var nonce string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "renew FILE --nonce NONCE",
		Short: "Renew the lease that acquire has printed the nonce of",
		Long: `Renew the lease that acquire has printed the nonce of: it lasts for its time to live
from now. If it has expired, or another holder has it, the exit code is 6.`,
		Example: `  jsonstore lease renew job.lease --nonce "$nonce" || exit`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&nonce, "nonce", "", "the `NONCE` that acquire has printed")
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "the new `TIME` to live (default: as before)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if ttl != 0 {
			if err := checkLease(ttl, ""); err != nil {
				return err
			}
		}
		return a.onGrant(cmd.Context(), args[0], nonce, ttl, (*lease.Lease).Renew)
	}
	return cmd
}

func (a *app) leaseReleaseCommand() *cobra.Command {
	var nonce string
	cmd := &cobra.Command{
		Use:   "release FILE --nonce NONCE",
		Short: "Give back the lease that acquire has printed the nonce of",
		Long: `Give back the lease that acquire has printed the nonce of. If another holder has it,
nothing is changed and the exit code is 6. The document stays: it has the last token.`,
		Example: `  jsonstore lease release job.lease --nonce "$nonce"`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&nonce, "nonce", "", "the `NONCE` that acquire has printed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.onGrant(cmd.Context(), args[0], nonce, 0, (*lease.Lease).Release)
	}
	return cmd
}

// onGrant calls do with the grant that has a nonce. With --json it prints the lease.
func (a *app) onGrant(
	ctx context.Context, file, nonce string, ttl time.Duration,
	do func(l *lease.Lease, ctx context.Context) error,
) error {
	if nonce = unshield(nonce); nonce == "" {
		return usage("--nonce is missing: the nonce that jsonstore lease acquire has printed")
	}
	return a.onLease(ctx, file, func(ctx context.Context, doc *store.Doc) error {
		l, err := lease.Resume(ctx, doc, nonce, &lease.Options{TTL: ttl})
		if err == nil {
			err = do(l, ctx)
		}
		if err != nil || !a.flags.json {
			return err
		}
		r, err := lease.Status(ctx, doc)
		if err != nil {
			return err
		}
		return wrote(encodeLine(a.stdout, leaseReportOf(doc, r, time.Now())))
	})
}

func (a *app) leaseStatusCommand() *cobra.Command {
	var exitStatus bool
	cmd := &cobra.Command{
		Use:   "status FILE",
		Short: "Print who holds the lease, since when and for how long",
		Long: `Print whether the lease is held, expired or free, its last token, and who holds it,
since when and for how long, by this machine's clock.`,
		Example: `  jsonstore lease status job.lease
  jsonstore lease status job.lease -e >/dev/null && echo held`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVarP(&exitStatus, "exit-status", "e", false, "exit with 1 unless it is held")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.onLease(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			r, err := lease.Status(ctx, doc)
			if err != nil {
				return err
			}
			report := leaseReportOf(doc, r, time.Now())
			if a.flags.json {
				err = wrote(encodeLine(a.stdout, report))
			} else {
				err = a.print([]byte(report.text()))
			}
			if err == nil && exitStatus && report.State != "held" {
				return errNo
			}
			return err
		})
	}
	return cmd
}
