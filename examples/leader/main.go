// Leader runs on several machines, or several times on one; one of them leads at a time.
// The leader writes a heartbeat to work.json. When it dies, another one leads after the
// TTL; when it ends in good order, at once.
//
//	go run ./examples/leader -name a state/
//
// The lease says who may lead. The fence in work.json refuses what a leader that was
// suspended writes after another one has begun.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// work is the document that only the leader writes.
type work struct {
	Leader string      `json:"leader"`
	Beats  int         `json:"beats"`
	Fence  lease.Fence `json:"fence"`
}

func main() {
	name := flag.String("name", "", "the name of this process")
	ttl := flag.Duration("ttl", 10*time.Second, "how long a dead leader blocks the others")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: leader [-name NAME] [-ttl TIME] DIRECTORY")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Arg(0), &lease.Options{Owner: *name, TTL: *ttl}); err != nil {
		log.Fatal(err)
	}
}

// run leads whenever it is this process's turn, until ctx ends.
func run(ctx context.Context, dir string, opts *lease.Options) error {
	db, err := store.Open(dir, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := lease.With(ctx, db.Doc("leader"), opts,
			func(ctx context.Context, l *lease.Lease) error {
				return lead(ctx, db.Doc("work"), opts, l)
			})
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, lease.ErrLost), errors.Is(err, lease.ErrFenced):
			log.Print(err) // and wait for the next turn
		case err != nil:
			return err
		}
	}
}

// lead writes heartbeats until ctx ends.
func lead(ctx context.Context, doc *store.Doc, opts *lease.Options, l *lease.Lease) error {
	for first := true; ; first = false {
		// The first write tells the document the new token: from then on it refuses the
		// leader before.
		_, _, err := store.Update(ctx, doc, func(w *work) error {
			w.Leader = opts.Owner
			w.Beats++
			return w.Fence.Admit(l.Token())
		})
		if err != nil {
			return err
		}
		if first {
			fmt.Printf("%s leads with token %d\n", opts.Owner, l.Token())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(opts.TTL / 10):
		}
	}
}
