package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// The store's real code on a simulated file system, in every order that its operations can happen in. A
// document is an array, to which each writer appends its name: so each published version must
// be the one that it took the place of, and one name more.

const simulated = "/dir/doc.json"

var simulatedLock = lockPath(simulated)

// openSimulated is OpenFile in a simulated process.
func openSimulated(files fsys.FS, opts Options) (*Doc, error) {
	db, err := openFiles(files, simulated, filepath.Dir(simulated), &opts)
	if err != nil {
		return nil, err
	}
	return &Doc{db: db, drv: db.drv, opts: db.opts, key: simulated, name: simulated, owns: true}, nil
}

func appendName(name string) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		var names []string
		if old != nil {
			if err := json.Unmarshal(old, &names); err != nil {
				return nil, err
			}
		}
		return json.Marshal(append(names, name))
	}
}

// scenario is some writers with their options, and others beside them.
type scenario struct {
	writers  []Options
	deleter  *Options // deletes what it finds
	creator  *Options // creates the document if it is not there
	restorer *Options // puts back what was there at the start
	remover  bool     // holds the lock and removes its file
	reader   bool     // reads twice
	start    string   // content at the beginning, empty for none
	step     time.Duration
	deaths   int
	sweeps   bool // also the operations on temporary files, one by one
}

const foreignTemp = "/dir/.foreign.swp"

// quiet are the operations that nobody else notices: those on temporary files, of which only a
// sweep looks at other processes', and on a lock file that nobody removes.
func (s scenario) quiet(op, name string) bool {
	switch {
	case strings.HasPrefix(op, "sync"):
		return true
	case name == simulatedLock:
		return !s.remover
	case op == "readdir" || strings.HasSuffix(name, stagedSuffix):
		return !s.sweeps
	}
	return name == foreignTemp
}

func (s scenario) prepare(w *simfs.World) {
	w.Step = max(1, int64(s.step))
	w.Quiet = s.quiet
	if !s.remover {
		w.Put(simulatedLock, "")
	}
	if s.start != "" {
		w.Put(simulated, s.start)
	}
}

// opened runs do on a document in a new process, without the sweep if that is not looked at.
func (s scenario) opened(w *simfs.World, name string, opts Options, do func(doc *Doc) error) *simfs.Process {
	return w.Go(name, func(files fsys.FS) error {
		doc, err := openSimulated(files, opts)
		if err != nil {
			return err
		}
		defer doc.Close()
		if !s.sweeps {
			doc.drv.(*fileDriver).shared.swept.Store(simulated, true)
		}
		return do(doc)
	})
}

func (s scenario) setup(w *simfs.World) (check func() error) {
	s.prepare(w)
	ctx := context.Background()
	const restored = `["r"]`
	var deleting []byte // what the deleter means to delete
	published := map[string]int{}
	versions := []string{s.start}
	w.OnPublish = func(by *simfs.Process, _ string, old, new []byte) error {
		versions = append(versions, string(new))
		published[by.Name]++
		want, err := []byte(restored), error(nil)
		switch {
		case by.Name == "deleter" && new == nil && bytes.Equal(old, deleting):
			return nil
		case by.Name == "creator" && old != nil:
			return fmt.Errorf("the creator took the place of %s", old)
		case by.Name != "restorer":
			want, err = appendName(by.Name)(old)
		}
		if err != nil || !bytes.Equal(new, want) {
			return fmt.Errorf("a lost update: %s put %q in the place of %q", by.Name, new, old)
		}
		return nil
	}
	acknowledged := map[string]int{}
	write := func(name string, opts Options, do func(doc *Doc) error) {
		s.opened(w, name, opts, func(doc *Doc) error {
			err := do(doc)
			if err == nil {
				acknowledged[name]++
			}
			return err
		})
	}
	for i, opts := range s.writers {
		name := string(rune('a' + i))
		write(name, opts, func(doc *Doc) error { _, err := doc.Update(ctx, appendName(name)); return err })
	}
	if s.deleter != nil {
		s.opened(w, "deleter", *s.deleter, func(doc *Doc) error { return deleteWhatIsRead(doc, &deleting) })
	}
	if s.creator != nil {
		s.opened(w, "creator", *s.creator, func(doc *Doc) error {
			_, err := doc.Create(ctx, []byte(`["creator"]`))
			if errors.Is(err, ErrExist) {
				return nil
			}
			acknowledged["creator"]++
			return err
		})
	}
	if s.restorer != nil {
		write("restorer", *s.restorer, func(doc *Doc) error { _, err := doc.Update(ctx, become(restored)); return err })
	}
	if s.reader {
		s.opened(w, "reader", Options{}, func(doc *Doc) error { return readTwice(doc, &versions) })
	}
	if s.remover {
		w.Go("remover", removeLockFile)
	}
	return func() error {
		for name, n := range published {
			if n > 1 {
				return fmt.Errorf("%s published %d times", name, n)
			}
		}
		for name, n := range acknowledged {
			if published[name] != n && !(name == "restorer" && slices.Contains(versions, restored)) {
				return fmt.Errorf("%s was acknowledged %d times and published %d times", name, n, published[name])
			}
		}
		return s.noLitter(w)
	}
}

// deleteWhatIsRead deletes the document as it was read, and reads again if it has changed.
func deleteWhatIsRead(doc *Doc, read *[]byte) error {
	ctx := context.Background()
	for {
		data, version, err := doc.Read(ctx)
		if errors.Is(err, ErrNotExist) {
			return nil
		}
		if err == nil {
			*read = data
			err = doc.CompareAndDelete(ctx, version)
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// readTwice wants to see one of the versions that were published, and then that or a later one.
func readTwice(doc *Doc, versions *[]string) error {
	at := 0
	for range 2 {
		data, _, err := doc.Read(context.Background())
		if err != nil && !errors.Is(err, ErrNotExist) {
			return err
		}
		later := slices.Index((*versions)[at:], string(data))
		if later < 0 {
			return fmt.Errorf("a reader saw %q, which is none of %q, or has been replaced before", data, *versions)
		}
		at += later
	}
	return nil
}

// removeLockFile removes it as one who knows that it holds the lock only if the name still is this file.
func removeLockFile(files fsys.FS) error {
	file, err := files.Open(simulatedLock, fsys.OpenLock, 0o600)
	if err == nil {
		err = file.Lock()
	}
	if err != nil {
		return err
	}
	defer file.Close()
	locked, _ := file.Stat()
	if named, err := files.Lstat(simulatedLock); err != nil || !named.SameFile(locked) {
		return nil
	}
	return files.Remove(simulatedLock)
}

// noLitter: the next writer sweeps what the dead have left; without dead there is nothing.
func (s scenario) noLitter(w *simfs.World) error {
	names := litter(w)
	if len(names) == 0 {
		return nil
	}
	if s.deaths == 0 {
		return fmt.Errorf("litter: %s", strings.Join(names, " "))
	}
	for _, name := range names {
		if base, _, ok := stagedFor(filepath.Base(name)); !ok || base != filepath.Base(simulated) {
			return fmt.Errorf("litter that no sweep takes: %s", name)
		}
	}
	return nil
}

// litter lists what is neither the document nor its lock file.
func litter(w *simfs.World) []string {
	return slices.DeleteFunc(w.Names(), func(name string) bool { return name == simulated || name == simulatedLock })
}

var simulatedModes = map[string]Options{
	"hash":    {Durability: Volatile},
	"mtime":   {Durability: Volatile, Versions: VersionMtime},
	"locking": {Durability: Volatile, Locking: true},
}

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
	add := func(size string, s scenario, format string, args ...any) {
		name := fmt.Sprintf(format, args...)
		all[name] = simulation{s.deaths, s.setup, size == "large", size == "middle"}
	}
	const started = `["x"]` // as long as what a process makes that finds none
	for mode, opts := range simulatedModes {
		two, three := []Options{opts, opts}, []Options{opts, opts, opts}
		add("small", scenario{writers: two, remover: true, start: started}, "two and a lock remover, %s", mode)
		add("small", scenario{writers: two, remover: true}, "two that create and a lock remover, %s", mode)
		add("small", scenario{writers: two, deaths: 1, sweeps: true, start: started}, "two, a sweep and a death, %s", mode)
		add("large", scenario{writers: three, remover: true, start: started}, "three and a lock remover, %s", mode)
		add("large", scenario{writers: three, deaths: 1, sweeps: true}, "three, a sweep and a death, %s", mode)
		for other, otherOpts := range simulatedModes {
			if other > mode {
				mixed := []Options{opts, otherOpts, opts}
				add("middle", scenario{writers: mixed, deleter: &otherOpts, deaths: 1, start: started}, "three, a deleter and a death, %s and %s", mode, other)
			}
		}
		for granularity, step := range map[string]time.Duration{"1ns": 1, "4ms": 4 * time.Millisecond, "1s": time.Second} {
			mode, opts := mode, opts
			if mode == "mtime" && step > 1 {
				// Refused, which TestCoarseTimes shows, or made into hashes.
				mode, opts.Versions = "auto", VersionAuto
			}
			two, three, four := []Options{opts, opts}, []Options{opts, opts, opts}, []Options{opts, opts, opts, opts}
			add("small", scenario{writers: two, deleter: &opts, deaths: 1, step: step}, "two, a deleter and a death, %s %s", mode, granularity)
			add("middle", scenario{writers: three, deleter: &opts, deaths: 1, start: started, step: step}, "three, a deleter and a death, %s %s", mode, granularity)
			add("middle", scenario{writers: three, creator: &opts, deaths: 1, step: step}, "three, a creator and a death, %s %s", mode, granularity)
			add("middle", scenario{writers: two, restorer: &opts, reader: true, start: started, step: step}, "two, a restorer and a reader, %s %s", mode, granularity)
			add("large", scenario{writers: three, restorer: &opts, reader: true, start: started, step: step}, "three, a restorer and a reader, %s %s", mode, granularity)
			add("large", scenario{writers: four, deaths: 1, start: started, step: step}, "four and a death, %s %s", mode, granularity)
			add("large", scenario{writers: three, deleter: &opts, creator: &opts, deaths: 1, start: started, step: step}, "three, a deleter, a creator and a death, %s %s", mode, granularity)
		}
		guard := opts
		guard.GuardForeign = true
		one, two := []Options{guard}, []Options{guard, guard}
		for what, g := range map[string]guarded{
			"two and a foreign program":             {scenario{writers: two, start: started}, 1},
			"two that create and a foreign program": {scenario{writers: two}, 1},
			"one and two foreign programs":          {scenario{writers: one, start: started}, 2},
			"two, a foreign program and a death":    {scenario{writers: two, start: started, deaths: 1}, 1},
			"one, a deleter and a foreign program":  {scenario{writers: one, deleter: &guard, start: started}, 1},
			"a sweep, a foreign program, a death":   {scenario{writers: one, start: started, sweeps: true, deaths: 1}, 1},
		} {
			all["guard: "+what+", "+mode] = simulation{deaths: g.deaths, setup: g.setup}
		}
	}
	return all
}

// TestInterleavings tries all orders out.
func TestInterleavings(t *testing.T) {
	_, exhaustive := os.LookupEnv("JSONSTORE_EXHAUSTIVE")
	start := time.Now()
	var states, runs atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d states in all, %d runs, %.0f s", states.Load(), runs.Load(), time.Since(start).Seconds())
	})
	for name, s := range simulations() {
		t.Run(name, func(t *testing.T) {
			if s.large && !exhaustive {
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
			states.Add(int64(e.States))
			runs.Add(int64(e.Runs))
		})
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
		t.Errorf("to see it again: JSONSTORE_TRACE='%s: %s' go test -run TestReplay ./store", name, v.Trace)
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
