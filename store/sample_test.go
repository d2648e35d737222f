package store

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/simfs"
)

// samples are simulations of more processes than all orders can be tried of.
func samples() map[string]simulation {
	all := map[string]simulation{}
	sampledCrowds(all)
	sampledTransactions(all)
	sampledViews(all)
	for mode, opts := range simulatedModes {
		for _, writers := range []int{5, 8} {
			s := scenario{deleter: &opts, creator: &opts, restorer: &opts, remover: true,
				sweeps: true, deaths: 2, start: `["x"]`}
			for range writers {
				s.writers = append(s.writers, opts)
			}
			all[fmt.Sprintf("%d and one of everything, %s", writers,
				mode)] = simulation{deaths: s.deaths, setup: s.setup}

			s = scenario{sweeps: true, start: `["x"]`}
			for other := range simulatedModes {
				s.writers = append(s.writers, opts, simulatedModes[other])
			}
			all[fmt.Sprintf("%d in every mode, %s", len(s.writers),
				mode)] = simulation{setup: s.setup}
		}
		guard := opts
		guard.GuardForeign = true
		g := guarded{scenario: scenario{writers: []Options{guard, guard, guard, guard},
			sweeps: true, deaths: 1, start: `["x"]`}, foreign: 2}
		all["guard: four and two foreign programs, "+mode] = simulation{deaths: g.deaths,
			setup: g.setup}
	}
	return all
}

// TestSampledOrders tries some orders of five to ten processes. JSONSTORE_SAMPLES is
// how many of each, JSONSTORE_SEED where the random numbers begin.
func TestSampledOrders(t *testing.T) {
	needsSlashes(t)
	number := func(variable string, ordinary uint64) uint64 {
		text, ok := os.LookupEnv(variable)
		if !ok {
			return ordinary
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return n
	}
	seed := number("JSONSTORE_SEED", uint64(time.Now().UnixNano()))
	runs := 3000
	if testing.Short() {
		runs = 300
	}
	runs = int(number("JSONSTORE_SAMPLES", uint64(runs)))
	for name, s := range samples() {
		t.Run(name, func(t *testing.T) {
			skipUnderRaceDetector(t)
			t.Parallel()
			for _, changes := range []int{2, 4} {
				sampler := simfs.Sampler{Runs: runs, Seed: seed, Changes: changes,
					Deaths: s.deaths, Setup: s.setup}
				failed, err := sampler.Run()
				if err != nil {
					t.Logf("seed %d", failed)
				}
				checkViolation(t, name, err)
				t.Logf("%d runs of up to %d operations, %d changes of priority, seed %d", runs,
					sampler.Longest, changes, seed)
			}
		})
	}
}
