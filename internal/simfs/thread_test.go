// Tests of threads: every order, waits, alarms and death.

package simfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// explore explores all orders of one process, and returns the distinct logs.
func explore(
	t *testing.T, deaths int, run func(p *Process, log func(string)) error,
) (logs []string, err error) {
	t.Helper()
	e := Explorer{Deaths: deaths, Setup: func(w *World) func() error {
		var log []string
		w.Go("p", func(files fsys.FS) error {
			p := files.(*Process)
			return run(p, func(what string) { p.Sync(); log = append(log, what) })
		})
		return func() error {
			if text := strings.Join(log, " "); !slices.Contains(logs, text) {
				logs = append(logs, text)
			}
			return nil
		}
	}}
	err = e.Run()
	slices.Sort(logs)
	return logs, err
}

func TestThreads(t *testing.T) {
	for _, test := range []struct {
		name   string
		deaths int
		run    func(p *Process, log func(string)) error
		want   string
		err    string
	}{
		{name: "all orders", want: "a a b b|a b a b|a b b a|b a a b|b a b a|b b a a",
			run: func(p *Process, log func(string)) error {
				for _, name := range []string{"a", "b"} {
					p.Spawn(name, func() { log(name); p.Block("again"); log(name) })
				}
				return nil
			}},
		{name: "what is waited for", want: "a b",
			run: func(p *Process, log func(string)) error {
				ready := false
				p.Spawn("b", func() { p.Block("wait", func() bool { return ready }); log("b") })
				p.Spawn("a", func() { log("a"); ready = true })
				return nil
			}},
		{name: "a choice", want: "0|1",
			run: func(p *Process, log func(string)) error {
				yes := func() bool { return true }
				log(fmt.Sprint(p.Block("choose", yes, yes, func() bool { return false })))
				return nil
			}},
		{name: "an alarm may come at any moment, or not", want: "a|alarm a|a alarm",
			run: func(p *Process, log func(string)) error {
				p.Spawn("a", func() { log("a"); p.Block("go on") })
				p.Alarm("alarm", func() { log("alarm") })
				return nil
			}},
		{name: "an alarm that is all that can be", want: "alarm a",
			run: func(p *Process, log func(string)) error {
				rung := false
				p.Alarm("alarm", func() { log("alarm"); rung = true })
				p.Block("wait", func() bool { return rung })
				log("a")
				return nil
			}},
		{name: "an alarm that is stopped", want: "|alarm",
			run: func(p *Process, log func(string)) error {
				stop := p.Alarm("alarm", func() { log("alarm") })
				p.Block("go on")
				stop()
				stop()
				p.Block("go on")
				return nil
			}},
		{name: "an alarm that is stopped twice leaves others their letters",
			want: "b c d|b d c|c b d|c d b|d b c|d c b",
			run: func(p *Process, log func(string)) error {
				stop := p.Alarm("alarm", func() {})
				stop()
				p.Spawn("b", func() { log("b") })
				stop()
				p.Spawn("c", func() { log("c") })
				p.Spawn("d", func() { log("d") })
				return nil
			}},
		{name: "a deadlock", err: "a deadlock: p waits to wait",
			run: func(p *Process, log func(string)) error {
				p.Spawn("a", func() { p.Block("wait", func() bool { return false }) })
				return nil
			}},
		{name: "a panic", err: "p/a: panic: oh",
			run: func(p *Process, log func(string)) error {
				p.Spawn("a", func() { panic("oh") })
				return nil
			}},
		{name: "an error", err: "no",
			run: func(p *Process, log func(string)) error { return errors.New("no") }},
		{name: "death of all", deaths: 1, want: "|a|b|a b|b a",
			run: func(p *Process, log func(string)) error {
				for _, name := range []string{"a", "b"} {
					p.Spawn(name, func() { log(name) })
				}
				return nil
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			logs, err := explore(t, test.deaths, test.run)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("the error is %v, want %s", err, test.err)
				}
				return
			}
			want := strings.Split(test.want, "|")
			slices.Sort(want)
			if err != nil || !slices.Equal(logs, want) {
				t.Errorf("%v, %q, want %q", err, logs, want)
			}
		})
	}
}

// TestManyThreads: a trace distinguishes more threads than there are letters.
func TestManyThreads(t *testing.T) {
	const threads = 60
	setup := func(w *World) func() error {
		n := 0
		w.Go("p", func(files fsys.FS) error {
			for range threads {
				files.(*Process).Spawn("t", func() { n++ })
			}
			return nil
		})
		return func() error {
			if n == threads {
				return errors.New("all have run")
			}
			return fmt.Errorf("%d have run", n)
		}
	}
	_, err := (&Sampler{Runs: 1, Seed: 1, Changes: 2, Setup: setup}).Run()
	var v *Violation
	if !errors.As(err, &v) || v.Err.Error() != "all have run" {
		t.Fatal(err)
	}
	if again := Replay(setup, v.Trace); again == nil || again.Error() != err.Error() {
		t.Errorf("again: %v, and before: %v", again, err)
	}
}

// TestDeathFreesLocks: the death of a process releases its locks, whichever thread took
// them.
func TestDeathFreesLocks(t *testing.T) {
	var q *Process
	setup := func(w *World) func() error {
		w.Put("/lock", "")
		lock := func(files fsys.FS, hold bool) {
			file, err := files.Open("/lock", fsys.OpenLock, 0o600)
			if err == nil && file.Lock(0) == nil {
				files.(*Process).Block("hold", func() bool { return !hold })
				file.Close()
			}
		}
		w.Go("p", func(files fsys.FS) error {
			files.(*Process).Spawn("holds for ever", func() { lock(files, true) })
			return nil
		})
		q = w.Go("q", func(files fsys.FS) error { lock(files, false); return nil })
		return func() error { return nil }
	}
	if err := Replay(setup, "ccc"); err == nil || !strings.Contains(err.Error(), "a deadlock") {
		t.Errorf("while the lock is held: %v", err)
	}
	if err := Replay(setup, "cccA"); err != nil || !q.Done() {
		t.Errorf("when its holder is dead: %v", err)
	}
}
