package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/simfs"
)

// simulation is what is tried out in all orders.
type simulation struct {
	deaths int
	setup  simfs.Setup
	large  bool // takes minutes: for JSONSTORE_EXHAUSTIVE=1
	middle bool // takes some seconds: not for -short
}

// simulations returns them by name.
func simulations() map[string]simulation {
	all := map[string]simulation{}
	crowds(all)
	keepers(all)
	planters(all)
	keepings(all)
	remembrances(all)
	txSimulations(all)
	viewSimulations(all)
	snapshotSimulations(all)
	add := func(size string, s scenario, format string, args ...any) {
		name := fmt.Sprintf(format, args...)
		all[name] = simulation{s.deaths, s.setup, size == "large", size == "middle"}
	}
	const started = `["x"]` // as long as what a process makes that finds none
	for mode, opts := range simulatedModes {
		two, three := []Options{opts, opts}, []Options{opts, opts, opts}
		add("small", scenario{writers: two, remover: true, start: started},
			"two and a lock remover, %s", mode)
		add("small", scenario{writers: two, remover: true},
			"two that create and a lock remover, %s", mode)
		add("small", scenario{writers: two, deaths: 1, sweeps: true, start: started},
			"two, a sweep and a death, %s", mode)
		add("small", scenario{writers: two, watcher: 3, start: started},
			"two and a watcher, %s", mode)
		add("small", scenario{writers: two, watcher: 2, deaths: 1, start: started, ext4: true},
			"ext4: two, a watcher and a death, %s", mode)
		add("middle", scenario{writers: two, deleter: &opts, watcher: 4, start: started},
			"two, a deleter and a watcher, %s", mode)
		add("large", scenario{writers: three, remover: true, start: started},
			"three and a lock remover, %s", mode)
		add("large", scenario{writers: three, sweeps: true}, "three that create and a sweep, %s",
			mode)
		add("small", scenario{writers: two, deleter: &opts, deaths: 1, start: started,
			ext4: true}, "ext4: two, a deleter and a death, %s", mode)
		add("small", scenario{writers: two, sweeps: true, deaths: 1, start: started, ext4: true},
			"ext4: two, a sweep and a death, %s", mode)
		add("middle", scenario{writers: three, reader: true, start: started, ext4: true},
			"ext4: three and a reader, %s", mode)
		add("small", scenario{writers: two, deaths: 1, start: started, closed: true},
			"closed: two and a death, %s", mode)
		// With mtime, numbers must not come back at once, as they do in the simulation.
		if mode != "mtime" {
			s := scenario{writers: two, deleter: &opts, deaths: 1, start: started, closed: true}
			add("small", s, "closed: two, a deleter and a death, %s", mode)
		}
		once, soon := opts, opts
		once.Retry.MaxTries, soon.LockWait = 1, -1
		add("small", scenario{writers: []Options{once, soon, opts}, start: started},
			"one that tries once, one that does not wait, and one, %s", mode)
		m := meddled{scenario{writers: two, sweeps: true, start: started, ext4: true}}
		all["ext4: two, a sweep and a foreign program, "+mode] = simulation{setup: m.setup,
			large: mode != "locking"}
		for other, otherOpts := range simulatedModes {
			if other > mode {
				mixed := []Options{opts, otherOpts, opts}
				add("small", scenario{writers: mixed[:2], deleter: &otherOpts, deaths: 1,
					start: started}, "two, a deleter and a death, %s and %s", mode, other)
				add("middle", scenario{writers: mixed, deleter: &otherOpts, start: started},
					"three and a deleter, %s and %s", mode, other)
				add("large", scenario{writers: mixed, deleter: &otherOpts, deaths: 1,
					start: started}, "three, a deleter and a death, %s and %s", mode, other)
			}
		}
		guard := opts
		guard.GuardForeign = true
		one, pair := []Options{guard}, []Options{guard, guard}
		for what, g := range map[string]guarded{
			"two and a foreign program":             {scenario: scenario{writers: pair, start: started}, foreign: 1},
			"two that create and a foreign program": {scenario: scenario{writers: pair}, foreign: 1},
			"one and two foreign programs":          {scenario: scenario{writers: one, start: started}, foreign: 2},
			"two, a foreign program and a death":    {scenario: scenario{writers: pair, start: started, deaths: 1}, foreign: 1},
			"one, a deleter and a foreign program":  {scenario: scenario{writers: one, deleter: &guard, start: started}, foreign: 1},
			"a sweep, a foreign program, a death":   {scenario: scenario{writers: one, start: started, sweeps: true, deaths: 1}, foreign: 1},
			"one, a sweeper and a foreign program":  {scenario: scenario{writers: one, start: started, sweeps: true}, foreign: 1, sweeper: true},
		} {
			if g.deaths > 0 {
				g.mark = markNoIntent // those that come after must hear of the guard
			}
			all["guard: "+what+", "+mode] = simulation{deaths: g.deaths, setup: g.setup}
		}
		for granularity, step := range map[string]time.Duration{"1ns": 1,
			"4ms": 4 * time.Millisecond, "1s": time.Second} {
			mode, opts := mode, opts
			if mode == "mtime" && step > 1 {
				// Refused, which TestCoarseTimes shows, or made into hashes.
				mode, opts.Versions = "auto", VersionAuto
			}
			// Only versions by time can depend on the granularity; of the others one
			// has all that a death can do.
			middle, deadly := "large", "large"
			switch mode + " " + granularity {
			case "locking 1ns":
				middle, deadly = "middle", "middle"
			case "hash 1s", "mtime 1ns":
				middle = "middle"
			}
			two, three, four := []Options{opts, opts}, []Options{opts, opts,
				opts}, []Options{opts, opts, opts, opts}
			add("small", scenario{writers: two, deleter: &opts, deaths: 1, step: step},
				"two, a deleter and a death, %s %s", mode, granularity)
			add(middle, scenario{writers: three, deleter: &opts, start: started, step: step},
				"three and a deleter, %s %s", mode, granularity)
			add(middle, scenario{writers: three, creator: &opts, step: step},
				"three and a creator, %s %s", mode, granularity)
			add(deadly, scenario{writers: three, deleter: &opts, deaths: 1, start: started,
				step: step}, "three, a deleter and a death, %s %s", mode, granularity)
			add(deadly, scenario{writers: three, creator: &opts, deaths: 1, step: step},
				"three, a creator and a death, %s %s", mode, granularity)
			add("middle", scenario{writers: two, restorer: &opts, reader: true, start: started,
				step: step}, "two, a restorer and a reader, %s %s", mode, granularity)
			add("large", scenario{writers: three, restorer: &opts, reader: true, start: started,
				step: step}, "three, a restorer and a reader, %s %s", mode, granularity)
			add("large", scenario{writers: four, deaths: 1, start: started, step: step},
				"four and a death, %s %s", mode, granularity)
			add("large", scenario{writers: three, deleter: &opts, creator: &opts, deaths: 1,
				start: started, step: step}, "three, a deleter, a creator and a death, %s %s",
				mode, granularity)
		}
	}
	return all
}

// TestInterleavings tries all orders out.
func TestInterleavings(t *testing.T) {
	needsSlashes(t)
	start := time.Now()
	var states, runs atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d states in all, %d runs, %.0f s", states.Load(), runs.Load(),
			time.Since(start).Seconds())
	})
	for name, s := range simulations() {
		t.Run(name, func(t *testing.T) {
			skipLong(t, s.large)
			if s.middle && testing.Short() {
				t.Skip("takes seconds, and -short is set")
			}
			skipUnderRaceDetector(t)
			t.Parallel()
			start := time.Now()
			e := simfs.Explorer{Deaths: s.deaths, Setup: s.setup}
			checkViolation(t, name, e.Run())
			t.Logf("%d states, %d runs, %.2f s", e.States, e.Runs, time.Since(start).Seconds())
			states.Add(int64(e.States))
			runs.Add(int64(e.Runs))
		})
	}
}

// skipUnderRaceDetector is for what starts millions of coroutines, of which one runs at
// a time: there is no race to detect, and the detector keeps memory for each that there
// ever was.
func skipUnderRaceDetector(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("has no two goroutines that run at once")
	}
}

// checkViolation says how what was found is seen again.
func checkViolation(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var v *simfs.Violation
	if errors.As(err, &v) {
		t.Errorf("to see it again: JSONSTORE_TRACE='%s: %s' go test -run TestReplay ./store",
			name, v.Trace)
	}
	t.Fatal(err)
}

// TestReplay follows the trace of a failure of TestInterleavings or TestSampledOrders.
func TestReplay(t *testing.T) {
	text, ok := os.LookupEnv("JSONSTORE_TRACE")
	if !ok {
		t.Skip("set JSONSTORE_TRACE to what a failure has printed")
	}
	at := strings.LastIndex(text, ": ")
	name, trace := text[:max(at, 0)], simfs.Trace(text[at+1:])
	s, ok := simulations()[name]
	if !ok {
		s, ok = samples()[name]
	}
	if !ok {
		t.Fatalf("JSONSTORE_TRACE: there is no %q", name)
	}
	if err := simfs.Replay(s.setup, simfs.Trace(strings.TrimSpace(string(trace)))); err != nil {
		t.Fatal(err)
	}
}
