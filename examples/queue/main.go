// Queue is a list of jobs in a document, from which several workers take jobs. A worker claims a
// job for some time. If it dies, another one gets the job when that time is over.
//
//	queue FILE add JOB...
//	queue FILE work COMMAND [ARG...]    runs COMMAND ARG... JOB for each job, until none is left
//	queue -claim 1m FILE work COMMAND
//
// A job is done at least once: twice if its worker is killed before it has said that it is done.
// The command of a worker that was killed may go on meanwhile. "jsonstore get FILE jobs" shows the
// jobs that are not done.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// queue is the document.
type queue struct {
	Last int   `json:"last"` // the number of the newest job
	Jobs []job `json:"jobs"`
}

// job is a job that is not done.
type job struct {
	Number int    `json:"number"`
	Do     string `json:"do"`
	// Claims counts how often it was claimed. It tells the claim of a worker from those before
	// and after it.
	Claims int       `json:"claims,omitempty"`
	Worker string    `json:"worker,omitempty"` // for people
	Until  time.Time `json:"until,omitzero"`   // when the claim ends
}

// errOver: the claim has ended, and another worker may have the job.
var errOver = errors.New("the claim is over")

func main() {
	claim := flag.Duration("claim", time.Minute, "how long a worker has a job without renewing it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *claim, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "queue:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, claim time.Duration, args []string) error {
	if len(args) < 3 || args[1] != "add" && args[1] != "work" || claim <= 0 {
		return errors.New("usage: queue [-claim TIME] FILE add JOB..., or … work COMMAND [ARG...]")
	}
	doc, err := store.OpenFile(args[0], nil)
	if err != nil {
		return err
	}
	defer doc.Close()
	if args[1] == "add" {
		return add(ctx, doc, args[2:]...)
	}
	return work(ctx, doc, claim, func(ctx context.Context, j job) error {
		cmd := exec.CommandContext(ctx, args[2], append(args[3:], j.Do)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	})
}

func add(ctx context.Context, doc *store.Doc, all ...string) error {
	_, _, err := store.Update(ctx, doc, func(q *queue) error {
		for _, do := range all {
			q.Last++
			q.Jobs = append(q.Jobs, job{Number: q.Last, Do: do})
		}
		return nil
	})
	return err
}

// take claims the first job that nobody has. It returns nil if there is none.
func take(ctx context.Context, doc *store.Doc, claim time.Duration) (*job, error) {
	host, _ := os.Hostname()
	var taken *job
	_, _, err := store.Update(ctx, doc, func(q *queue) error {
		taken = nil // the function may run more than once
		now := time.Now()
		i := slices.IndexFunc(q.Jobs, func(j job) bool { return j.Until.Before(now) })
		if i < 0 {
			return nil
		}
		j := &q.Jobs[i]
		j.Claims++
		j.Worker, j.Until = fmt.Sprintf("%s/%d", host, os.Getpid()), now.Add(claim)
		copied := *j
		taken = &copied
		return nil
	})
	return taken, err
}

// change changes a job while its claim is that of the worker, or returns errOver.
func change(ctx context.Context, doc *store.Doc, mine job, fn func(q *queue, i int)) error {
	_, _, err := store.Update(ctx, doc, func(q *queue) error {
		i := slices.IndexFunc(q.Jobs, func(j job) bool { return j.Number == mine.Number })
		if i < 0 || q.Jobs[i].Claims != mine.Claims {
			return errOver
		}
		fn(q, i)
		return nil
	})
	return err
}

// work does jobs until none is left that nobody has.
func work(
	ctx context.Context, doc *store.Doc, claim time.Duration,
	do func(ctx context.Context, j job) error,
) error {
	for {
		j, err := take(ctx, doc, claim)
		if err != nil || j == nil {
			return err
		}
		if err := doOne(ctx, doc, claim, *j, do); err != nil {
			return fmt.Errorf("job %d: %w", j.Number, err)
		}
	}
}

// doOne does a job, renews its claim meanwhile, and then takes it off the list. If the job fails,
// the next worker gets it at once.
func doOne(
	ctx context.Context, doc *store.Doc, claim time.Duration, j job,
	do func(ctx context.Context, j job) error,
) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		for {
			select {
			case <-working.Done():
				return
			case <-time.After(claim / 3):
			}
			until := time.Now().Add(claim)
			err := change(working, doc, j, func(q *queue, i int) { q.Jobs[i].Until = until })
			if err != nil {
				stop(err) // ends the work: another worker may have begun
				return
			}
		}
	}()
	err := do(working, j)
	if err != nil && ctx.Err() == nil && context.Cause(working) != nil {
		err = context.Cause(working)
	}
	stop(nil)
	<-renewed
	// The list is changed also when ctx has ended: the job was done, or is to be given back.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		giveBack := func(q *queue, i int) { q.Jobs[i].Until = time.Time{} }
		if backErr := change(ctx, doc, j, giveBack); !errors.Is(backErr, errOver) {
			err = errors.Join(err, backErr)
		}
		return err
	}
	return change(ctx, doc, j, func(q *queue, i int) { q.Jobs = slices.Delete(q.Jobs, i, i+1) })
}
