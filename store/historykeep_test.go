package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

var simulatedSwitch = names.HistorySwitch(simulated)

// remembering is a scenario of a document whose history is on. Whoever writes and dies, who
// lists it at the end finds each version that was displaced, in their order, and nothing
// else: so does he who comes after the next writer.
type remembering struct {
	scenario
	keep     int  // how many; 0: all
	stranger bool // another user plants versions, in a sticky directory
	lists    bool // a reader lists it meanwhile
}

func (r remembering) setup(w *simfs.World) (check func() error) {
	setup := r.scenario.setup
	if r.mark != 0 { // with a guard
		setup = guarded{scenario: r.scenario}.setup
	}
	whole := setup(w)
	w.Put(simulatedSwitch, fmt.Sprintf(`{"all":{"keep":%d}}`, r.keep))
	var displaced []string
	publish := w.OnPublish
	w.OnPublish = func(by *simfs.Process, name string, old, new []byte) error {
		if old != nil {
			displaced = append(displaced, string(old))
		}
		return publish(by, name, old, new)
	}
	if r.stranger {
		w.Sticky = true
		w.Go("stranger", plantVersions).UID = stranger
	}
	if r.lists {
		w.Go("lister", func(files fsys.FS) error {
			_, err := simulatedVersions(files)
			return err
		})
	}
	check = func() error {
		if err := whole(); err != nil {
			return err
		}
		if err := r.have(w, displaced); err != nil {
			return err
		}
		if w.Content(simulated) == nil {
			return nil
		}
		err := w.Sequentially("next", func(files fsys.FS) error {
			doc, err := openSimulated(files, Options{})
			if err != nil {
				return err
			}
			defer doc.Close()
			_, err = doc.Update(context.Background(), appendName("next"))
			return err
		}, nil)
		if err != nil {
			return err
		}
		if r.keep == 0 { // each has one name by now
			entries := slices.DeleteFunc(w.Names(), func(name string) bool {
				_, is := names.HistoryOf(filepath.Base(simulated), filepath.Base(name))
				return !is
			})
			if len(entries) != len(displaced) {
				return fmt.Errorf("the history has %q, and displaced were %q", entries, displaced)
			}
		}
		return r.have(w, displaced)
	}
	return check
}

const strangers = `["planted"]`

// plantVersions makes files with names of kept versions, older and newer than all.
func plantVersions(files fsys.FS) error {
	for _, key := range []uint64{0, 1 << 62} {
		name := names.History(simulated, names.Entry{Key: key,
			Hash: digitsOf(hashVersion([]byte(strangers)))})
		file, err := files.Open(name, fsys.OpenNew, 0o644)
		if err != nil {
			return err
		}
		_, err = file.Write([]byte(strangers))
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// have checks the history at the end.
func (r remembering) have(w *simfs.World, displaced []string) error {
	got, err := historyIn(w)
	if err != nil {
		return err
	}
	want := displaced
	if r.keep > 0 {
		want = want[max(0, len(want)-r.keep):]
	}
	if r.deleter != nil { // the clock stands still: what is created is as old as what was
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the history is %q, and displaced were %q", got, displaced)
	}
	return nil
}

// historyIn is the content of the versions in a history, the oldest first.
func historyIn(w *simfs.World) (got []string, err error) {
	err = w.Sequentially("lister", func(files fsys.FS) (err error) {
		got, err = simulatedVersions(files)
		return err
	}, nil)
	slices.Reverse(got)
	return got, err
}

// simulatedVersions is the content of the versions in a history, the newest first.
func simulatedVersions(files fsys.FS) (list []string, err error) {
	doc, err := openSimulated(files, Options{})
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	return versionsIn(doc)
}

func versionsIn(doc *Doc) (list []string, err error) {
	ctx := context.Background()
	for e, err := range doc.History(ctx) {
		if err != nil {
			return nil, err
		}
		if e.N == 0 {
			continue
		}
		data, err := doc.ReadHistory(ctx, e)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was too old
		}
		if err != nil {
			return nil, err
		}
		list = append(list, string(data))
	}
	return list, nil
}

// remembrances adds the simulations of histories.
func remembrances(all map[string]simulation) {
	const started = `["x"]`
	for mode, opts := range simulatedModes {
		guard, portable, last := opts, opts, opts
		guard.GuardForeign, portable.Durability, last.KeepLast = true, Ordered, true
		two := []Options{opts, opts}
		for what, r := range map[string]remembering{
			"two and a deleter":           {scenario: scenario{writers: two, deleter: &opts, start: started}},
			"two, a sweep and a death":    {scenario: scenario{writers: two, sweeps: true, deaths: 1, start: started}},
			"two, a deleter, a death":     {scenario: scenario{writers: two, deleter: &opts, deaths: 1, start: started}},
			"two of the last":             {scenario: scenario{writers: two, start: started}, keep: 1},
			"two that keep, and a death":  {scenario: scenario{writers: []Options{last, last}, deaths: 1, start: started}},
			"ext4: two and a deleter":     {scenario: scenario{writers: two, deleter: &opts, start: started, ext4: true}},
			"ext4: two, a sweep, a death": {scenario: scenario{writers: two, sweeps: true, deaths: 1, start: started, ext4: true}},
			"ordered: two and a sweep":    {scenario: scenario{writers: []Options{portable, portable}, sweeps: true, start: started}},
			"closed: two and a death":     {scenario: scenario{writers: two, deaths: 1, start: started, closed: true}},
			"guard: two and a deleter":    {scenario: scenario{writers: []Options{guard, guard}, deleter: &guard, start: started, mark: markNoIntent}},
			"guard: two and a death":      {scenario: scenario{writers: []Options{guard, opts}, deaths: 1, start: started, mark: markNoIntent}},
			"guard: one, a deleter dies":  {scenario: scenario{writers: []Options{guard}, deleter: &guard, deaths: 1, start: started, mark: markNoIntent}},
			"two and a stranger":          {scenario: scenario{writers: two, start: started}, stranger: true, keep: 1},
			"two and a lister":            {scenario: scenario{writers: two, start: started}, lists: true},
		} {
			if r.closed && mode == "mtime" {
				continue // numbers must not come back at once
			}
			long := r.sweeps && r.deaths > 0 || r.stranger || r.lists
			all["history: "+what+", "+mode] = simulation{deaths: r.deaths, setup: r.setup,
				middle: long, large: long && mode != "hash"}
		}
		one := []Options{opts}
		for what, s := range map[string]switching{
			"one writes":               {writers: one},
			"one writes and deletes":   {writers: one, deletes: true},
			"two write":                {writers: two},
			"one writes, of directory": {writers: one, all: true},
		} {
			all["history is switched on: "+what+", "+mode] = simulation{setup: s.setup,
				large: len(s.writers) > 1}
		}
	}
}

// TestHistoryCalls: how many calls of the system it takes, if the switch was looked at just now.
// Where it is off, none.
func TestHistoryCalls(t *testing.T) {
	needsSlashes(t)
	ctx := context.Background()
	update := func(doc *Doc) error { _, err := doc.Update(ctx, increment); return err }
	remove := func(doc *Doc) error { return doc.Delete(ctx) }
	for _, c := range []struct {
		name, kind string
		opts       Options
		do         func(doc *Doc) error
		more       int
	}{
		{"durable", "ext4", Options{FlushOrder: JournalOrder}, update, 2},
		{"durable, portable", "xfs", Options{}, update, 2},
		{"volatile", "ext4", Options{Durability: Volatile}, update, 1},
		{"volatile, not ext4", "xfs", Options{Durability: Volatile}, update, 1},
		{"guard", "ext4", Options{GuardForeign: true}, update, 2},
		{"a deletion", "ext4", Options{}, remove, 1},
	} {
		calls := func(on bool) (looks, all int) {
			w := simfs.New()
			w.Kind = c.kind
			w.Put(simulated, "1")
			if on {
				w.Put(simulatedSwitch, `{"all":{}}`)
			}
			faulty := &simfs.Faulty{Inject: func(_, name string) simfs.Fault {
				if all++; names.IsHistorySwitch(name) {
					looks++
				}
				return simfs.Fault{}
			}}
			err := w.Sequentially("writer", func(files fsys.FS) error {
				faulty.FS = files
				doc, err := openSimulated(faulty, c.opts)
				if err != nil {
					return err
				}
				defer doc.Close()
				if err := update(doc); err != nil { // what it has seen of the switch is kept
					return err
				}
				looks, all = 0, 0
				return c.do(doc)
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return looks, all
		}
		looks, without := calls(false)
		looksOn, with := calls(true)
		if looks != 0 || looksOn != 0 {
			t.Errorf("%s: there are %d looks, where it is on %d", c.name, looks, looksOn)
		}
		if got := with - without; got != c.more {
			t.Errorf("%s: %d more calls, want %d", c.name, got, c.more)
		}
	}
}

// examineHistory: all versions are there that acknowledged durable writes have displaced. With
// changes in their order so are those that others have displaced, but perhaps the last. After
// ordered writes those that are there are whole.
func (p *powerCuts) examineHistory(
	found *simfs.World, model simfs.Model, versions [][]byte, index, acknowledged int,
) error {
	if p.mayTear() || index < 0 {
		return nil
	}
	var got []string
	err := found.Sequentially("lister", func(files fsys.FS) (err error) {
		got, err = simulatedVersions(files)
		return err
	}, nil)
	if err != nil {
		return err
	}
	slices.Reverse(got)
	var want []string // displaced before the version that was found
	for i, version := range versions[:index] {
		if version != nil && (model == simfs.Ordered || i < acknowledged) {
			want = append(want, string(version))
		}
	}
	for _, version := range got {
		if !slices.ContainsFunc(versions, func(v []byte) bool { return string(v) == version }) {
			return fmt.Errorf("the history has %q, which is none of %q", version, versions)
		}
	}
	if p.opts.Durability != Durable {
		return nil
	}
	missing := len(want) - len(got)
	switch {
	case missing > 1, missing == 1 && !slices.Equal(got, want[:len(want)-1]),
		missing <= 0 && !slices.Equal(got[:len(want)], want):
		return fmt.Errorf("the document is %q, its history %q, want %q", versions[index], got, want)
	case missing == 1:
		p.missing++
	}
	return nil
}

// TestHistoryAndPowerCuts: what is kept has no flush of its own.
func TestHistoryAndPowerCuts(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	_, exhaustive := os.LookupEnv("JSONSTORE_EXHAUSTIVE")
	for name, writes := range map[string][]write{
		"an update": {appending}, "a deletion": {deleting}, "two updates": {appending, appending},
		"an update and a deletion": {appending, deleting},
		"three updates":            {appending, appending, appending},
	} {
		for _, durability := range []Durability{Durable, Ordered, Volatile} {
			for _, guard := range []bool{false, true} {
				for _, journal := range []bool{false, true} {
					name := fmt.Sprintf("%s, %v, guard=%v, journal=%v", name, durability, guard,
						journal)
					t.Run(name, func(t *testing.T) {
						large := !journal && (guard || durability == Volatile) || len(writes) > 2
						if large && len(writes) > 1 && !exhaustive {
							t.Skip("takes minutes: set JSONSTORE_EXHAUSTIVE=1")
						}
						t.Parallel()
						p := &powerCuts{writes: writes, start: `["start"]`, journal: journal,
							opts:      Options{Durability: durability, GuardForeign: guard},
							remembers: true, tried: map[string]bool{}}
						cutPower(t, p, p.setup)
						t.Logf("%d found, %d without the last version", p.states, p.missing)
					})
				}
			}
		}
	}
}
