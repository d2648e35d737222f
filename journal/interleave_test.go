package journal

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/simfs"
	"github.com/jsonstore/jsonstore/store"
)

// scenes are tried out in all orders.
func scenes() map[string]*scene {
	volatile := Options{Durability: store.Volatile}
	small := Options{Durability: store.Volatile, MaxBytes: 6, Plain: true}
	one, two := []Options{volatile}, []Options{volatile, volatile}
	plain := &Options{Plain: true}
	const x = "\"x\"\n"
	return map[string]*scene{
		"two and a death":               {appenders: two, deaths: 1},
		"two, a torn tail and a death":  {appenders: two, start: x + "\"to", deaths: 1},
		"two batches and a reader":      {appenders: two, batch: true, reader: true},
		"one batch, a reader, a death":  {appenders: one, batch: true, twice: true, reader: true, deaths: 1},
		"two and a lock remover":        {appenders: two, remover: true},
		"two that rotate and a death":   {appenders: []Options{small, small}, twice: true, deaths: 1},
		"one that rotates and a reader": {appenders: []Options{small}, twice: true, start: x, reader: true, deaths: 1, middle: true},
		"one, a rotator and a reader":   {appenders: one, rotator: plain, reader: true, start: x},
		"one, a rotator and a death":    {appenders: one, rotator: &Options{}, start: x, deaths: 1},
		"one, a rotator, a late reader": {appenders: one, rotator: plain, reader: true, from2: true, start: x},
		"a rotator, a reader, a death":  {rotator: &Options{}, reader: true, start: x, deaths: 1},
		"two, a rotator and a death":    {appenders: two, rotator: plain, start: x, deaths: 1},

		"two, a rotator and a reader":       {appenders: two, rotator: plain, reader: true, start: x, large: true},
		"two that rotate and a reader":      {appenders: []Options{small, small}, start: x, reader: true, large: true},
		"two batches, a reader and a death": {appenders: two, batch: true, reader: true, deaths: 1, large: true},
	}
}

// TestInterleavings tries out every order of the operations.
func TestInterleavings(t *testing.T) {
	needsSimulation(t)
	for name, s := range scenes() {
		t.Run(name, func(t *testing.T) {
			if _, exhaustive := os.LookupEnv("JSONSTORE_EXHAUSTIVE"); s.large && !exhaustive {
				t.Skip("takes minutes: set JSONSTORE_EXHAUSTIVE=1")
			}
			if s.middle && testing.Short() {
				t.Skip("takes seconds, and -short is set")
			}
			t.Parallel()
			start := time.Now()
			e := simfs.Explorer{Deaths: s.deaths, Setup: s.setup}
			checkViolation(t, name, e.Run())
			t.Logf("%d states, %d runs, %.2f s", e.States, e.Runs, time.Since(start).Seconds())
		})
	}
}

// needsSimulation is for tests on the simulated file system, whose names have slashes. They start
// millions of coroutines, of which one runs at a time: no races, and much work for their detector.
func needsSimulation(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("has no two goroutines that run at once")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the simulated file system has slashes")
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
		t.Errorf("to see it again: JSONSTORE_TRACE='%s: %s' go test -run TestReplay ./journal",
			name, v.Trace)
	}
	t.Fatal(err)
}

// TestReplay follows the trace of a failure of TestInterleavings.
func TestReplay(t *testing.T) {
	text, ok := os.LookupEnv("JSONSTORE_TRACE")
	if !ok {
		t.Skip("set JSONSTORE_TRACE to what a failure has printed")
	}
	name, trace, _ := strings.Cut(text, ": ")
	s, ok := scenes()[name]
	if !ok {
		t.Fatalf("JSONSTORE_TRACE: there is no %q", name)
	}
	if err := simfs.Replay(s.setup, simfs.Trace(strings.TrimSpace(trace))); err != nil {
		t.Fatal(err)
	}
}
