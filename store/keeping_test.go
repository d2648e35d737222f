package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// keeping is a scenario whose writers keep the version before. Who reads .NAME.kept at the
// end finds the version that was displaced last; after a death, one that was displaced.
type keeping struct{ scenario }

func (k keeping) setup(w *simfs.World) (check func() error) {
	setup := k.scenario.setup
	if k.scenario.mark != 0 { // with a guard
		setup = guarded{scenario: k.scenario}.setup
	}
	whole := setup(w)
	publish := w.OnPublish
	var displaced []string
	w.OnPublish = func(by *simfs.Process, name string, old, new []byte) error {
		if old != nil {
			displaced = append(displaced, string(old))
		}
		return publish(by, name, old, new)
	}
	return func() error {
		if err := whole(); err != nil {
			return err
		}
		kept := w.Content(simulatedKept)
		switch {
		case kept == nil && (len(displaced) == 0 || k.deaths > 0):
			return nil
		case kept == nil:
			return fmt.Errorf("nothing is kept of %q", displaced)
		case k.deaths > 0 && slices.Contains(displaced, string(kept)):
			return nil
		case string(kept) != displaced[len(displaced)-1]:
			return fmt.Errorf("%q is kept, and displaced were %q", kept, displaced)
		}
		return nil
	}
}

// keepings adds the simulations of writers that keep the version before.
func keepings(all map[string]simulation) {
	const started = `["x"]`
	for mode, opts := range simulatedModes {
		opts.KeepLast = true
		guard, portable := opts, opts
		guard.GuardForeign, portable.Durability = true, Ordered
		two := []Options{opts, opts}
		for what, s := range map[string]scenario{
			"two and a deleter":        {writers: two, deleter: &opts, start: started},
			"two, a sweep and a death": {writers: two, sweeps: true, deaths: 1, start: started},
			"two, a deleter, a death":  {writers: two, deleter: &opts, deaths: 1, start: started},
			"ext4: two and a deleter":  {writers: two, deleter: &opts, start: started, ext4: true},
			"ext4: two, a sweep, a death": {writers: two, sweeps: true, deaths: 1, start: started,
				ext4: true},
			"ordered: two and a sweep": {writers: []Options{portable, portable}, sweeps: true, start: started},
			"closed: two and a death":  {writers: two, deaths: 1, start: started, closed: true},
			"guard: two and a deleter": {writers: []Options{guard, guard}, deleter: &guard, start: started,
				mark: markNoIntent},
			"guard: two and a death":     {writers: []Options{guard, opts}, deaths: 1, start: started, mark: markNoIntent},
			"guard: one, a deleter dies": {writers: []Options{guard}, deleter: &guard, deaths: 1, start: started, mark: markNoIntent},
		} {
			if s.closed && mode == "mtime" {
				continue // numbers must not come back at once
			}
			k := keeping{s}
			long := s.sweeps && s.deaths > 0
			all["kept: "+what+", "+mode] = simulation{deaths: s.deaths, setup: k.setup,
				middle: long, large: long && mode != "hash"}
		}
	}
}

// restoring is a process that recovers a broken document, beside others.
type restoring struct {
	scenario
	opts    Options
	second  bool // another one does the same
	sweeper bool // one looks through the directory meanwhile
	guard   bool // beside it is what a guard has displaced, and died
}

const (
	broken   = `["x`
	lastGood = `["good"]`
)

func (r restoring) setup(w *simfs.World) (check func() error) {
	r.start = broken
	r.prepare(w)
	if r.guard {
		name := guardedName{contentDigits([]byte(lastGood)), contentDigits([]byte("[1]")),
			guardedNumber(1)}
		w.Put(names.Guarded(simulated, name.String()), lastGood)
		w.Put(simulatedLock, marked(markIntents))
		w.Go("guard", func(files fsys.FS) error {
			return files.Symlink(name.String(), names.Intent(simulated))
		})
	} else {
		w.Put(simulatedKept, lastGood)
	}
	w.OnPublish = func(by *simfs.Process, name string, old, new []byte) error {
		switch {
		case name != simulated && (string(new) == broken || new == nil && string(old) == broken):
			return nil // what is moved aside, or one name too many of it
		case name != simulated:
			return fmt.Errorf("%s put %q aside", by.Name, new)
		case string(old) == broken && string(new) == lastGood:
			return nil
		case string(old) == broken && new == nil && by.Name == "renamer":
			return nil
		}
		return fmt.Errorf("%s put %q in the place of %q", by.Name, new, old)
	}
	recovers := func(name string) {
		r.opened(w, name, r.opts, func(doc *Doc) error {
			_, err := doc.Recover(context.Background(), nil)
			return err
		})
	}
	recovers("a")
	if r.second {
		recovers("b")
	}
	if r.sweeper {
		w.Go("sweeper", sweepSimulated)
	}
	return func() error {
		if got := string(w.Content(simulated)); got != lastGood &&
			(got != broken || r.deaths == 0) {
			return fmt.Errorf("the document is %q", got)
		}
		if err := r.brokenIsThere(w); err != nil {
			return err
		}
		return w.Sequentially("next", r.again, nil)
	}
}

// again recovers what a dead process has left.
func (r restoring) again(files fsys.FS) error {
	doc, err := openSimulated(files, r.opts)
	if err != nil {
		return err
	}
	defer doc.Close()
	if _, err := doc.Recover(context.Background(), nil); err != nil {
		return err
	}
	data, _, err := doc.Read(context.Background())
	if err == nil && string(data) != lastGood {
		err = fmt.Errorf("recovered is %q", data)
	}
	return err
}

// brokenIsThere: what was moved aside is never removed.
func (restoring) brokenIsThere(w *simfs.World) error {
	for _, name := range w.Names() {
		if string(w.Content(name)) == broken {
			return nil
		}
	}
	return fmt.Errorf("the broken document is gone, and there are %q", w.Names())
}

// TestRecoverInAllOrders: of two that recover one document one does it; a sweep takes
// nothing that they need; and whoever dies at whatever moment leaves all that the next one
// needs.
func TestRecoverInAllOrders(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	sweeps := scenario{sweeps: true}
	dies := scenario{sweeps: true, deaths: 1}
	for name, r := range map[string]restoring{
		"two":                  {scenario: sweeps, second: true},
		"two, and one dies":    {scenario: dies, second: true},
		"one beside a sweep":   {scenario: sweeps, sweeper: true},
		"one that dies, sweep": {scenario: dies, sweeper: true},
		"two, ext4":            {scenario: scenario{sweeps: true, ext4: true, deaths: 1}, second: true},
		"after a guard":        {scenario: dies, guard: true},
		"after a guard, sweep": {scenario: sweeps, guard: true, sweeper: true},
		"two, closed":          {scenario: scenario{closed: true, deaths: 1}, second: true},
	} {
		for mode, opts := range simulatedModes {
			if r.closed && mode == "mtime" {
				continue // numbers must not come back at once
			}
			r.opts = opts
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				e := simfs.Explorer{Deaths: r.deaths, Setup: r.setup,
					OnState: r.brokenIsThere}
				if err := e.Run(); err != nil {
					t.Fatal(err)
				}
				t.Logf("%d states, %d runs", e.States, e.Runs)
			})
		}
	}
}

// TestRecoverAndPowerCuts: after a cut the broken document is there, under one name or the
// other, and so is what it is recovered from; and what was acknowledged is recovered.
func TestRecoverAndPowerCuts(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	for _, opts := range []Options{{}, {FlushOrder: JournalOrder}, {Durability: Ordered},
		{GuardForeign: true}, {Versions: VersionMtime}} {
		models := []simfs.Model{simfs.Ordered, simfs.Weak}
		if opts.FlushOrder == JournalOrder {
			models = models[:1]
		}
		w := simfs.New()
		w.Journal = opts.FlushOrder == JournalOrder
		w.Put(simulated, broken)
		w.Put(simulatedKept, lastGood)
		r := restoring{opts: opts}
		states, recovered := 0, false
		cut := func() error {
			for _, model := range models {
				err := w.AfterPowerCut(model, func(found *simfs.World) error {
					states++
					got := string(found.Content(simulated))
					if got != lastGood && (got != broken || recovered &&
						opts.Durability == Durable) {
						return fmt.Errorf("the document is %q", got)
					}
					if err := r.brokenIsThere(found); err != nil {
						return err
					}
					return found.Sequentially("next", r.again, nil)
				})
				if err != nil {
					return fmt.Errorf("the power is cut, in the %v model: %w", model, err)
				}
			}
			return nil
		}
		err := w.Sequentially("a", func(files fsys.FS) error {
			err := r.again(files)
			recovered = err == nil
			return err
		}, cut)
		if err == nil {
			err = cut()
		}
		if err != nil {
			t.Errorf("%+v: %v", opts, err)
		}
		if !strings.Contains(fmt.Sprint(w.Names()), names.Invalid) || states < 20 {
			t.Errorf("%+v: %d states, %q", opts, states, w.Names())
		}
	}
}
