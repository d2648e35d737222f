//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// Power cuts while there are transactions: at every moment, with everything that a file system
// may have kept or lost. Whatever is found then, readers see of each transaction all or
// nothing, the next writers go on from that, also if the power is cut again meanwhile, and
// what was acknowledged as durable is there.

// txCuts is one scenario.
type txCuts struct {
	opts    Options
	plans   []txPlan
	writers string // single writers beside them
	sloppy  string // such that are volatile
	absent  bool
	deaths  int
	apart   bool // in two directories
	// portable: the transactions are in the portable order, whatever the file system has, and
	// others are not.
	portable bool
	journal  bool
	files    bool // the file system loses links
	tried    map[string]bool

	// replaces says that T replaces, or has replaced, what a sloppy writer wrote before it.
	replaces bool

	found, lost, torn, skipped int
}

func (c *txCuts) scenario() txScenario {
	return txScenario{opts: c.opts, plans: c.plans, absent: c.absent, apart: c.apart}
}

func (c *txCuts) models() []simfs.Model {
	if c.journal {
		return []simfs.Model{simfs.Ordered}
	}
	return []simfs.Model{simfs.Ordered, simfs.Weak}
}

func (c *txCuts) setup(w *simfs.World) (check func() error, cut func(*simfs.World) error) {
	s := c.scenario()
	if c.portable {
		s.opts.FlushOrder = PortableOrder
	}
	w.Journal = c.journal
	if c.files {
		w.Kind = "ext4"
	}
	h := &txHistory{plans: map[string]txPlan{}, acknowledged: map[string]bool{},
		refused: map[string]bool{},
		saw:     map[string]map[rune][]string{}}
	if c.apart {
		w.PutDir(otherDir)
	}
	for _, letter := range s.letters() {
		w.Put(names.Lock(s.doc(letter)), marked(markIntents))
		if !s.absent {
			w.Put(s.doc(letter), `["x"]`)
		}
	}
	w.Quiet = func(op, name string) bool {
		if strings.HasSuffix(name, ".lock") {
			return op != "trylock"
		}
		return op == "lstat" || op == "readdir" || op == "readlink" ||
			op == "open" || op == "touch" || op == "create" || op == "trylock" // of what is staged
	}
	for _, plan := range s.plans {
		h.plans[plan.name] = plan
		s.transact(w, h, plan)
	}
	single := func(name string, letter rune, opts Options) {
		w.Go(name, func(files fsys.FS) error {
			docs, err := s.open(files, string(letter), opts)
			if err == nil {
				_, err = docs[letter].Update(context.Background(), appendName(name))
			}
			h.acknowledged[name] = err == nil && opts.Durability != Volatile
			return err
		})
	}
	for i, letter := range c.writers {
		single(fmt.Sprintf("w%d", i), letter, c.opts)
	}
	for i, letter := range c.sloppy {
		opts := c.opts
		opts.Durability = Volatile
		single(fmt.Sprintf("s%d", i), letter, opts)
	}
	cut = func(w *simfs.World) error {
		live, _ := namesIn(w.Content(s.doc('b')))
		c.replaces = c.opts.Durability != Volatile && strings.Contains(c.plans[0].docs, "b") &&
			slices.Index(live, "s0") == 1 // not after T
		for _, model := range c.models() {
			err := w.AfterPowerCut(model, func(found *simfs.World) error {
				c.found++
				return c.examine(found, h, model, nil, 1)
			})
			if errors.Is(err, simfs.ErrTooMany) {
				c.skipped++ // what was tried more than once has made and removed many files
				continue
			}
			if err != nil {
				return fmt.Errorf("the power is cut here, in the %v model: %w", model, err)
			}
		}
		return nil
	}
	return func() error { return nil }, cut
}

// examine looks at what is found after a power cut. Want is what must be there; nil if that is
// not known.
func (c *txCuts) examine(
	found *simfs.World, h *txHistory, model simfs.Model, want map[rune][]string, cuts int,
) error {
	letters := c.scenario().letters()
	known := ""
	for _, name := range slices.Sorted(maps.Keys(h.acknowledged)) {
		if h.acknowledged[name] {
			known += fmt.Sprint(name, h.saw[name])
		}
	}
	key := string(found.AppendFiles(fmt.Append(nil, model, cuts, known)))
	if c.tried[key] {
		return nil
	}
	c.tried[key] = true
	before := map[rune][]string{}
	look := func(files fsys.FS) error {
		docs, err := c.scenario().open(files, letters, c.opts)
		if err != nil {
			return err
		}
		for _, letter := range letters {
			data, _, err := docs[letter].Read(context.Background())
			if err != nil && !errors.Is(err, ErrNotExist) {
				return err
			}
			if before[letter], err = namesIn(data); err != nil {
				return err
			}
		}
		return h.together(before, letters, false)
	}
	if err := found.Sequentially("look", look, nil); err != nil {
		relied := func() bool { // somebody was told that what it read is durable
			for name := range h.saw {
				if h.acknowledged[name] && slices.Contains(h.saw[name]['b'], "s0") {
					return true
				}
			}
			return false
		}
		if c.replaces && slices.Contains(before['a'], "T") {
			return fmt.Errorf("half of transaction T, found was %v: %w", before, err)
		}
		if c.opts.Durability == Volatile || c.sloppy != "" && errors.Is(err, ErrInvalid) &&
			!(c.opts.Durability == Durable && relied()) {
			c.torn++
			return nil
		}
		return fmt.Errorf("found was %v: %w", before, err)
	}
	if want != nil && c.sloppy == "" && c.opts.Durability != Volatile {
		for letter := range want {
			if !slices.Equal(before[letter], want[letter]) {
				return fmt.Errorf("%v became %v", want, before)
			}
		}
	}
	for name, acknowledged := range h.acknowledged {
		if !acknowledged {
			continue
		}
		for letter, saw := range h.saw[name] {
			for _, other := range saw {
				if c.opts.Durability == Durable && !slices.Contains(before[letter], other) {
					return fmt.Errorf("%s was acknowledged, and has seen %s, found was %v", name,
						other, before)
				}
			}
		}
		deleted := h.plans[name].delete
		if slices.ContainsFunc([]rune(letters), func(r rune) bool {
			return slices.Contains(before[r], name) || deleted && before[r] == nil
		}) {
			continue
		}
		c.lost++
		if c.opts.Durability == Durable {
			return fmt.Errorf("%s was acknowledged, found was %v", name, before)
		}
	}
	return c.recover(found, h, model, before, cuts)
}

// recover goes on from what was found. The power is cut again at each moment of that.
func (c *txCuts) recover(
	found *simfs.World, h *txHistory, model simfs.Model, before map[rune][]string, cuts int,
) error {
	letters := c.scenario().letters()
	type cut struct {
		found *simfs.World
		model simfs.Model
	}
	var again []cut
	next := func(files fsys.FS) error {
		docs, err := c.scenario().open(files, letters, c.opts)
		if err != nil {
			return err
		}
		for _, letter := range letters {
			keep := func(old []byte) ([]byte, error) { return old, nil }
			if _, err := docs[letter].Update(context.Background(), keep); err != nil {
				return err
			}
		}
		return nil
	}
	err := found.Sequentially("next", next, func() error {
		if cuts == 0 {
			return nil
		}
		for _, then := range c.models() {
			err := found.AfterPowerCut(then, func(w *simfs.World) error {
				again = append(again, cut{w, max(model, then)})
				return nil
			})
			if err != nil && !errors.Is(err, simfs.ErrTooMany) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the next writers: %w", err)
	}
	for _, letter := range letters {
		after, err := namesIn(found.Content(c.scenario().doc(letter)))
		if err != nil || !slices.Equal(after, before[letter]) {
			return fmt.Errorf("the next writers made %v of %v, %v", after, before[letter], err)
		}
	}
	for _, name := range found.Names() {
		if strings.HasSuffix(name, ".tx") {
			return fmt.Errorf("the next writers left %s", name)
		}
	}
	sweep := func(files fsys.FS) error {
		docs, err := c.scenario().open(files, letters, c.opts)
		if err != nil {
			return err
		}
		for _, letter := range letters {
			if _, _, err := docs[letter].Sweep(context.Background()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := found.Sequentially("sweep", sweep, nil); err != nil {
		return err
	}
	for _, name := range found.Names() {
		if strings.HasSuffix(name, ".tmp") {
			return fmt.Errorf("a sweep left %s", name)
		}
	}
	for _, then := range again {
		if err := c.examine(then.found, h, then.model, before, cuts-1); err != nil {
			return fmt.Errorf("the power is cut again: %w", err)
		}
	}
	return nil
}

// TestTransactionPowerCuts is for each durability, in both orders of flushes.
func TestTransactionPowerCuts(t *testing.T) {
	one := []txPlan{{name: "T", docs: "ab"}}
	for name, s := range map[string]txCuts{
		"one":              {plans: one},
		"one that creates": {plans: one, absent: true},
		"one that deletes": {plans: []txPlan{{name: "D", docs: "ab", delete: true}}},
		"one of three":     {plans: []txPlan{{name: "T", docs: "abc"}}},
		"one that reads what a volatile one wrote":        {plans: []txPlan{{name: "T", docs: "a", reads: "b"}}, sloppy: "b"},
		"one that replaces what a volatile one wrote":     {plans: one, sloppy: "b"},
		"one and a writer":                                {plans: one, writers: "b"},
		"one, a death and a writer":                       {plans: one, writers: "b", deaths: 1},
		"one in the portable order, a death and a writer": {plans: one, writers: "b", deaths: 1, portable: true},
		"one in two directories":                          {plans: one, apart: true},
		"one that deletes in two directories":             {plans: []txPlan{{name: "D", docs: "ab", delete: true}}, apart: true},
		"one that is guarded":                             {plans: one, opts: Options{GuardForeign: true}},
		"one that deletes, guarded":                       {plans: []txPlan{{name: "D", docs: "ab", delete: true}}, opts: Options{GuardForeign: true}},
		"one that is guarded, a death, a writer":          {plans: one, writers: "b", deaths: 1, opts: Options{GuardForeign: true}},
		"one that keeps":                                  {plans: one, opts: Options{KeepLast: true}},
		"one that keeps and is guarded":                   {plans: one, opts: Options{KeepLast: true, GuardForeign: true}},
		"one that deletes and keeps":                      {plans: []txPlan{{name: "D", docs: "ab", delete: true}}, opts: Options{KeepLast: true}},
		"one that keeps, a death and a writer":            {plans: one, writers: "b", deaths: 1, opts: Options{KeepLast: true}},
		"files: one":                                      {plans: one, files: true},
		"files: one that creates":                         {plans: one, absent: true, files: true},
		"files: one that deletes":                         {plans: []txPlan{{name: "D", docs: "ab", delete: true}}, files: true},
		"files: one in two directories":                   {plans: one, apart: true, files: true},
		"files: one, a death and a writer":                {plans: one, writers: "b", deaths: 1, files: true},
		"two":                                             {plans: []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ab"}}},
	} {
		for _, durability := range []Durability{Durable, Ordered, Volatile} {
			for _, journal := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %v, journal=%v", name, durability, journal),
					func(t *testing.T) {
						skipUnderRaceDetector(t)
						c := s
						if c.files && journal {
							t.Skip("there links are kept")
						}
						// Where nothing is flushed anything may be lost, which takes long to go
						// through.
						large := durability == Volatile && (!journal || name != "one")
						large = large || c.deaths > 0 && c.opts.GuardForeign || name == "two" ||
							name == "one of three" && durability != Durable ||
							name == "one that deletes, guarded" && durability != Durable ||
							!journal && durability == Durable && strings.HasSuffix(name, "a writer")
						large = large || c.opts.KeepLast && (!journal || durability != Durable ||
							c.opts.GuardForeign || c.deaths > 0)
						skipLong(t, large)
						t.Parallel()
						c.opts.Durability, c.journal = durability, journal
						c.tried = map[string]bool{}
						start := time.Now()
						var cut func(*simfs.World) error
						e := simfs.Explorer{Deaths: c.deaths,
							Setup: func(w *simfs.World) (check func() error) {
								check, cut = c.setup(w)
								return check
							},
							OnState: func(w *simfs.World) error { return cut(w) },
						}
						if err := e.Run(); err != nil {
							t.Fatal(err)
						}
						if c.skipped > e.States/2 {
							t.Errorf("of %d states %d were left out", e.States, c.skipped)
						}
						t.Logf("%d states, %d left out, %d found, %d torn, %d without what was "+
							"acknowledged, %.2f s",
							e.States, c.skipped, c.found, c.torn, c.lost,
							time.Since(start).Seconds())
					})
			}
		}
	}
}
