//go:build unix

// Seeds runs the lock files, document stores and logs that people write by hand, each under a
// load of several processes, some of which are killed or stopped, and counts what goes wrong.
// Then it does the same with the call of jsonstore that replaces it, which has to count 0.
//
//	go run ./examples/seeds                 all of them, as a table in Markdown
//	go run ./examples/seeds -only FileLock  those whose name matches an expression
//
// Docs/seeds.md describes each one. Exit code 1: something went wrong with a call of ours.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/measure"
)

func main() {
	if os.Getenv(workerVariable) != "" {
		exitOn(beWorker())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exitOn(run(ctx))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "seeds:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "", "run only the systems whose name matches this `expression`")
	last := flag.Duration("time", 3*time.Second, "run each load for this `time`, at least once")
	dir := flag.String("dir", "", "work in this `directory`; default: a temporary one")
	flag.Parse()
	matches, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	program, err := self()
	if err != nil {
		return err
	}
	var chosen []system
	for _, s := range systems {
		if matches.MatchString(s.name) {
			chosen = append(chosen, s)
		}
	}
	describe(os.Stdout, *dir)
	return table(ctx, os.Stdout, chosen, program, *dir, *last)
}

// describe says where and when the table was made.
func describe(out io.Writer, dir string) {
	m := measure.Describe(fsys.New(), cmp.Or(dir, os.TempDir()), "")
	fmt.Fprintf(out, "%s, %s %s, %d cores, file system %s, %s. `go run ./examples/seeds %s`\n\n",
		time.Now().Format(time.DateOnly), m.System, m.Kernel, m.Cores, m.FileSystem, m.Go,
		strings.Join(os.Args[1:], " "))
}

// table measures systems, and prints a row for each count that is not 0 on both sides. The error
// is one of ours that is not 0.
func table(
	ctx context.Context, out io.Writer, chosen []system, program crew.Program, dir string,
	last time.Duration,
) error {
	fmt.Fprintln(out, "| system | load | counted | by hand | instead | with it |")
	fmt.Fprintln(out, "| --- | --- | --- | ---: | --- | ---: |")
	var wrong error
	for _, s := range chosen {
		byHand, err := s.measure(ctx, program, dir, false, last)
		if err != nil {
			return err
		}
		ours, err := s.measure(ctx, program, dir, true, last)
		if err != nil {
			return err
		}
		for _, c := range ours.counts {
			hand := byHand.find(c.what)
			if hand.wrong > 0 || c.wrong > 0 {
				fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s |\n",
					s.name, s.load, c.what, hand, s.call, c)
			}
		}
		if ours.wrong() > 0 {
			err := fmt.Errorf("%s under the load of %s: %s", s.call, s.name, ours)
			wrong = errors.Join(wrong, err)
		}
	}
	return wrong
}

// system is something that people write by hand, under one load, and the call of ours.
type system struct {
	name   string
	load   string // what the processes do, in a few words
	call   string
	byHand load
	ours   load
}

// load is what the processes of a round do, and what is counted.
type load interface {
	// round runs the load once, in an empty directory.
	round(r *round) error
	// work is what a process does.
	work(w *worker) error
}

// measure runs rounds until the time is over. It repeats some that show nothing.
func (s system) measure(
	ctx context.Context, program crew.Program, dir string, ours bool, last time.Duration,
) (*tally, error) {
	all, repeated := &tally{}, 0
	for begin := time.Now(); all.rounds == 0 || time.Since(begin) < last; {
		err := s.round(ctx, program, dir, ours, all)
		if errors.Is(err, errLost) && repeated < 10 {
			repeated++
			continue
		}
		if err != nil {
			return all, fmt.Errorf("%s (%s; ours: %v): %w", s.name, s.load, ours, err)
		}
		all.rounds++
	}
	return all, nil
}

// round runs one round in a new directory.
func (s system) round(
	ctx context.Context, program crew.Program, dir string, ours bool, all *tally,
) error {
	dir, err := os.MkdirTemp(dir, "seeds")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &round{ctx: ctx, program: program, tally: all,
		task: task{System: s.name, Load: s.load, Ours: ours, Dir: dir}}
	return s.side(ours).round(r)
}

func (s system) side(ours bool) load {
	if ours {
		return s.ours
	}
	return s.byHand
}

// tally is what went wrong in some rounds, of how many.
type tally struct {
	counts []*count
	rounds int
}

type count struct {
	what      string
	wrong, of int
}

func (c *count) String() string { return fmt.Sprintf("%d of %d", c.wrong, c.of) }

// add counts cases, of which some went wrong.
func (t *tally) add(what string, wrong, of int) {
	c := t.find(what)
	c.wrong, c.of = c.wrong+wrong, c.of+of
}

func (t *tally) find(what string) *count {
	for _, c := range t.counts {
		if c.what == what {
			return c
		}
	}
	c := &count{what: what}
	t.counts = append(t.counts, c)
	return c
}

// wrong is how often something went wrong.
func (t *tally) wrong() (n int) {
	for _, c := range t.counts {
		n += c.wrong
	}
	return n
}

func (t *tally) String() string {
	var all []byte
	for i, c := range t.counts {
		if i > 0 {
			all = append(all, ", "...)
		}
		all = fmt.Appendf(all, "%s: %v", c.what, c)
	}
	return string(all)
}
