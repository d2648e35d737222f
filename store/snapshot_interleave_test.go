//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// takeSnapshots adds the processes that make snapshots of the directory, and the writer of a
// chain.
func (s txScenario) takeSnapshots(w *simfs.World, h *txHistory) {
	ctx := context.Background()
	if s.chains {
		w.Go("chain", func(files fsys.FS) error {
			docs, err := s.open(files, "ab", s.opts)
			for _, letter := range "ab" {
				if err == nil {
					_, err = docs[letter].Update(ctx, appendName("chain"))
				}
			}
			return err
		})
	}
	for i, tries := range s.snapshots {
		w.Go(fmt.Sprintf("snapshot%d", i), func(files fsys.FS) error {
			err := s.takeSnapshot(files, h, fmt.Sprint("s", i), tries)
			if errors.Is(err, ErrConflict) {
				return nil
			}
			return err
		})
	}
}

// takeSnapshot makes a snapshot and looks at it.
func (s txScenario) takeSnapshot(files fsys.FS, h *txHistory, name string, tries int) error {
	opts := s.opts
	opts.Retry.MaxTries = tries
	db, err := s.openDirectory(files, opts)
	if err != nil {
		return err
	}
	if _, err := db.CreateSnapshot(context.Background(), name); err != nil {
		return err
	}
	taken, err := db.OpenSnapshot(name)
	if err != nil {
		return err
	}
	defer taken.Close()
	saw := viewed{}
	for key := range taken.Keys() {
		data, _, err := taken.Read(key)
		if err == nil {
			saw[rune(key[0])], err = namesIn(data)
		}
		if err != nil {
			return err
		}
	}
	return s.isConsistent(h, saw)
}

// nextSnapshot makes a snapshot after a death, which sweeps what the dead has left.
func (s txScenario) nextSnapshot(files fsys.FS, h *txHistory) error {
	if len(s.snapshots) == 0 {
		return nil
	}
	return s.takeSnapshot(files, h, "next", 1)
}

// isConsistent checks what is in a snapshot.
func (s txScenario) isConsistent(h *txHistory, saw viewed) error {
	has := func(letter rune) bool { return slices.Contains(saw[letter], "chain") }
	switch {
	case s.deletes():
		if slices.Equal(saw['a'], saw['b']) {
			return nil
		}
	case has('b') && !has('a'):
	default:
		err := errors.Join(h.together(saw, "ab", false), h.ordered(saw))
		if err == nil {
			return nil
		}
		return fmt.Errorf("a snapshot of %v: %w", saw, err)
	}
	return fmt.Errorf("a snapshot of %v, which never was", saw)
}

func snapshotSimulations(all map[string]simulation) {
	one := []txPlan{{name: "T", docs: "ab"}}
	deletes := []txPlan{{name: "D", docs: "ab", delete: true}}
	once := []int{1}
	for _, row := range []struct {
		size, name string
		txScenario
	}{
		{"middle", "a transaction", txScenario{plans: one, snapshots: once}},
		{"large", "a transaction, long ago", txScenario{plans: one, snapshots: once, old: true}},
		{"small", "a transaction that creates", txScenario{plans: one, snapshots: once, absent: true}},
		{"middle", "a transaction that creates, bare", txScenario{plans: one, snapshots: once, absent: true, bare: true}},
		{"middle", "a transaction that deletes", txScenario{plans: deletes, snapshots: once}},
		{"large", "a transaction and its death", txScenario{plans: one, snapshots: once, deaths: 1}},
		{"large", "a transaction that creates, and a death", txScenario{plans: one, snapshots: once, absent: true, deaths: 1}},
		{"large", "a transaction that deletes, and a death", txScenario{plans: deletes, snapshots: once, deaths: 1}},
		{"small", "one after the other", txScenario{chains: true, snapshots: once}},
		{"small", "one after the other, long ago", txScenario{chains: true, snapshots: once, old: true}},
		{"small", "one after the other, with locks", txScenario{chains: true, snapshots: []int{2}}},
		{"small", "one after the other, with all locks", txScenario{chains: true, snapshots: []int{3}, old: true}},
		{"small", "one after the other, that creates", txScenario{chains: true, snapshots: once, absent: true}},
		{"small", "one after the other, and a death", txScenario{chains: true, snapshots: []int{3}, deaths: 1}},
		{"large", "a transaction, with locks", txScenario{plans: one, snapshots: []int{2}}},
		{"large", "a transaction, with all locks", txScenario{plans: one, snapshots: []int{3}}},
	} {
		for _, mode := range []string{"hash", "locking"} {
			size, s := row.size, row.txScenario
			opts := simulatedModes[mode]
			if mode != "hash" {
				size = "large"
			}
			s.opts = opts
			name := "snapshot: " + row.name + ", " + mode
			all[name] = simulation{s.deaths, s.setup, size == "large", size == "middle"}
		}
	}
}
