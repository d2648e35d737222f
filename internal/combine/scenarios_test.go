// The explored worlds. The exploration tries every order of events in each of them. It checks
// that each caller gets one correct answer at last, and that the engine can carry out every
// order.

package combine

import (
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var all = []result{plus, minus, keep, refuse, panics}

// The kinds of callers, and their numbers in kinds.
const (
	usual = iota
	patient
	other
	once
	large
	hasty
	twice
	locking
)

var kinds = []kind{
	{name: "usual", lockAfter: 1, returns: all},
	{name: "patient", lockAfter: 1, returns: []result{plus, minus, same, plusOver}, patient: true},
	{name: "other", lockAfter: 1, returns: all, group: 1, tires: true},
	{name: "once", lockAfter: 1, returns: all, maxRuns: 1},
	{name: "large", lockAfter: -1, returns: []result{plus}, large: true},
	{name: "hasty", lockAfter: 2, returns: all, giveUp: true},
	{name: "twice", lockAfter: 1, returns: []result{plus, minus, refuse}, maxRuns: 2},
	{name: "locking", lockAfter: 0, returns: all, tires: true},
}

func one(of ...int) [][]int   { return [][]int{of} }
func two(of ...int) [][]int   { return [][]int{of, of} }
func three(of ...int) [][]int { return [][]int{of, of, of} }
func four(of ...int) [][]int  { return [][]int{of, of, of, of} }

// ofAll has all kinds.
func ofAll() []int { return []int{usual, patient, other, once, large, hasty, twice, locking} }

const (
	tiny   = iota // even with the race detector
	small         // even with -short
	middle        // takes seconds
	huge          // takes minutes: for JSONSTORE_EXHAUSTIVE=1
)

// setups are worlds with a few callers that come once, and a limited number of other events.
var setups = []setup{
	{name: "one of any kind", size: tiny, slots: one(ofAll()...),
		writes: 2, holds: 1, faults: 2, split: true, graph: true},
	{name: "two alike", size: tiny, slots: two(usual),
		writes: 1, holds: 1, faults: 1, graph: true},
	{name: "two alike, split", size: small, slots: two(usual),
		writes: 2, holds: 1, faults: 1, split: true, graph: true},
	{name: "two alike, split, unique", size: small, slots: two(usual),
		writes: 2, holds: 1, faults: 1, split: true, unique: true},
	{name: "two alike, split, published anew", size: small, slots: two(usual),
		writes: 2, holds: 1, faults: 1, split: true, anew: true},
	{name: "three alike", size: small, slots: three(usual),
		writes: 1, holds: 1, graph: true},
	{name: "three that change and change back, unique", size: small, slots: three(patient),
		writes: 2, holds: 1, faults: 1, split: true, unique: true},
	{name: "three alike, faults", size: middle, slots: three(usual),
		writes: 1, holds: 1, faults: 2, graph: true},
	{name: "three alike, split", size: middle, slots: three(usual),
		writes: 2, holds: 1, split: true},
	{name: "three alike, split, faults", size: middle, slots: three(usual),
		writes: 1, holds: 1, faults: 1, split: true},
	{name: "three alike, locking", size: middle, slots: three(locking),
		writes: 1, holds: 2, faults: 1},
	{name: "three alike, batches of two", size: middle, slots: three(usual),
		writes: 1, holds: 1, faults: 1, most: 2, eager: 2},
	{name: "three of two groups", size: middle, slots: three(usual, other),
		writes: 1, holds: 1},
	{name: "three, some too large", size: middle, slots: three(usual, large, once),
		writes: 1, faults: 1},
	{name: "three, some hasty", size: middle, slots: three(usual, hasty, twice),
		writes: 2},
	{name: "two of any kind", size: middle, slots: two(ofAll()...),
		writes: 2, holds: 1, faults: 1, split: true, graph: true},

	{name: "two of any kind, all", size: huge, slots: two(ofAll()...),
		writes: 3, holds: 2, faults: 2, split: true, graph: true},
	{name: "two of any kind, unique", size: huge, slots: two(ofAll()...),
		writes: 2, holds: 1, faults: 1, split: true, unique: true},
	{name: "three alike, all", size: huge, slots: three(usual),
		writes: 3, holds: 2, faults: 2, split: true, graph: true},
	{name: "three alike, unique, all", size: huge, slots: three(usual),
		writes: 2, holds: 2, faults: 2, split: true, unique: true},
	{name: "three of any kind", size: huge, slots: three(ofAll()...),
		writes: 1, holds: 1, graph: true},
	{name: "three of any kind, all", size: huge, slots: three(ofAll()...),
		writes: 1, holds: 1, faults: 1},
	{name: "four alike", size: huge, slots: four(usual),
		writes: 1, holds: 1, faults: 1, split: true},
}

// streams are worlds with an endless stream of callers beside a patient one. A foreign program
// changes the document under the lock, again and again. Without the lock it could make all
// callers lose for ever; so it could with the lock if the first caller never takes it.
var streams = []setup{
	{name: "a stream", size: tiny,
		kinds: []kind{waits(1), stream(1, 0)}},
	{name: "two streams", size: small,
		kinds: []kind{waits(1), stream(1, 0), stream(1, 0)}},
	{name: "two streams of two groups", size: small,
		kinds: []kind{waits(1), stream(1, 0), stream(1, 1)}},
	{name: "two streams of another group", size: small,
		kinds: []kind{waits(1), stream(1, 1), stream(0, 1)}},
	{name: "two streams, locking", size: small, eager: 2,
		kinds: []kind{waits(0), stream(0, 0), stream(1, 0)}},
	{name: "two streams of all", size: middle,
		kinds: []kind{waits(1), stream(1, 0, all...), stream(0, 1, all...)}},
	{name: "two streams, later", size: middle,
		kinds: []kind{waits(2), stream(2, 0, plus, keep), stream(1, 0, plus, refuse)}},
	{name: "three streams", size: huge,
		kinds: []kind{waits(1), stream(1, 0), stream(2, 0), stream(0, 1)}},
	{name: "three streams of all", size: huge,
		kinds: []kind{waits(2), stream(1, 0, all...), stream(2, 0, all...), stream(0, 1, plus)}},
}

func waits(lockAfter int) kind {
	return kind{name: "patient", lockAfter: lockAfter, patient: true, returns: []result{plus}}
}

func stream(lockAfter, group int, returns ...result) kind {
	k := kind{name: "one of a stream", lockAfter: lockAfter, group: group, returns: returns}
	if returns == nil {
		k.returns = []result{plus}
	}
	return k
}

func TestEveryOrder(t *testing.T) {
	var worlds []setup
	for _, s := range setups {
		s.kinds = kinds
		worlds = append(worlds, s)
	}
	explore(t, worlds)
}

func TestStarvation(t *testing.T) {
	var worlds []setup
	for _, s := range streams {
		s.endless, s.graph = true, true
		worlds = append(worlds, s)
	}
	explore(t, worlds)
}

func explore(t *testing.T, worlds []setup) {
	largest := middle
	_, exhaustive := os.LookupEnv("JSONSTORE_EXHAUSTIVE")
	switch {
	case raceDetector:
		largest = tiny
	case exhaustive:
		largest = huge
	case testing.Short():
		largest = small
	}
	start := time.Now()
	var moments, events atomic.Int64
	t.Cleanup(func() {
		seconds := time.Since(start).Seconds()
		t.Logf("all: %d states, %d transitions, %.1f s", moments.Load(), events.Load(), seconds)
	})
	for _, s := range worlds {
		if s.size > largest {
			continue
		}
		if s.most == 0 {
			s.most = members
		}
		if s.eager == 0 {
			s.eager = 1
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			x := search{setup: &s}
			if s.graph {
				x.graph = &graph{}
			}
			x.run()
			x.neverEnds()
			moments.Add(int64(len(x.hashes)))
			events.Add(int64(x.edges))
			seconds := time.Since(start).Seconds()
			t.Logf("%s: %d states, %d transitions, %.1f s", s.name, len(x.hashes), x.edges, seconds)
			if x.bad != "" {
				t.Error(x.bad)
			}
		})
	}
}

// A moment's bytes have all that its line and callers are. Who adds a field there adds it to encode
// and decode, and then here.
func TestEncodeHasAllFields(t *testing.T) {
	for of, want := range map[reflect.Type]string{
		reflect.TypeFor[Line[buffer]](): "Rules step list eager locked under closed lead group " +
			"alone built puts read last publishes",
		reflect.TypeFor[Caller[buffer]](): "Owner Group LockAfter MaxRuns GiveUpAt Answer Next " +
			"state runs conflicts ended cause late alone at refusal",
	} {
		var names []string
		for i := range of.NumField() {
			names = append(names, of.Field(i).Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v has %s, and known are %s", of, got, want)
		}
	}
}
