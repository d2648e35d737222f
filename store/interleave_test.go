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
	const restored = `["restored"]`
	published := map[string]int{}
	versions := []string{s.start}
	w.OnPublish = func(by *simfs.Process, _ string, old, new []byte) error {
		versions = append(versions, string(new))
		published[by.Name]++
		want, err := []byte(restored), error(nil)
		switch {
		case by.Name == "deleter" && new == nil:
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
			if errors.Is(err, ErrExist) || errors.Is(err, ErrNotExist) {
				return nil
			}
			return err
		})
	}
	for i, opts := range s.writers {
		name := string(rune('a' + i))
		write(name, opts, func(doc *Doc) error { _, err := doc.Update(ctx, appendName(name)); return err })
	}
	if s.deleter != nil {
		write("deleter", *s.deleter, func(doc *Doc) error { return doc.Delete(ctx) })
	}
	if s.creator != nil {
		write("creator", *s.creator, func(doc *Doc) error { _, err := doc.Create(ctx, []byte(`["creator"]`)); return err })
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

// scenarios returns what is tried out, by name. The large ones are for JSONSTORE_EXHAUSTIVE=1.
func scenarios() (all, large map[string]scenario) {
	all, large = map[string]scenario{}, map[string]scenario{}
	const started = `["start"]`
	for mode, opts := range simulatedModes {
		two, three := []Options{opts, opts}, []Options{opts, opts, opts}
		for granularity, step := range map[string]time.Duration{"1ns": 1, "4ms": 4 * time.Millisecond, "1s": time.Second} {
			name := mode + " " + granularity
			if mode == "mtime" && step > 1 {
				// Refused, which TestCoarseTimes shows, or made into hashes.
				opts.Versions, name = VersionAuto, "auto "+granularity
			}
			two, three := []Options{opts, opts}, []Options{opts, opts, opts}
			all["three, a deleter and a death, "+name] = scenario{writers: three, deleter: &opts, deaths: 1, start: started, step: step}
			all["three, a creator and a death, "+name] = scenario{writers: three, creator: &opts, deaths: 1, step: step}
			all["two, a restorer and a reader, "+name] = scenario{writers: two, restorer: &opts, reader: true, start: started, step: step}
			large["three, a restorer and a reader, "+name] = scenario{writers: three, restorer: &opts, reader: true, start: started, step: step}
			large["four and a death, "+name] = scenario{writers: append(three, opts), deaths: 1, start: started, step: step}
			large["three, a deleter, a creator and a death, "+name] = scenario{writers: three, deleter: &opts, creator: &opts, deaths: 1, start: started, step: step}
		}
		all["two and a lock remover, "+mode] = scenario{writers: two, remover: true, start: started}
		all["two that create and a lock remover, "+mode] = scenario{writers: two, remover: true}
		all["two, a sweep and a death, "+mode] = scenario{writers: two, deaths: 1, sweeps: true, start: started}
		large["three and a lock remover, "+mode] = scenario{writers: three, remover: true, start: started}
		large["three, a sweep and a death, "+mode] = scenario{writers: three, deaths: 1, sweeps: true}
		for other, otherOpts := range simulatedModes {
			if other > mode {
				all["three, a deleter and a death, "+mode+" and "+other] = scenario{
					writers: []Options{opts, otherOpts, opts}, deleter: &otherOpts, deaths: 1, start: started}
			}
		}
	}
	return all, large
}

// TestInterleavings tries all orders out.
func TestInterleavings(t *testing.T) {
	all, large := scenarios()
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			explore(t, s)
		})
	}
	for name, s := range large {
		t.Run(name, func(t *testing.T) {
			if _, ok := os.LookupEnv("JSONSTORE_EXHAUSTIVE"); !ok {
				t.Skip("takes minutes: set JSONSTORE_EXHAUSTIVE=1")
			}
			t.Parallel()
			explore(t, s)
		})
	}
}

// explore tries a scenario out in all orders.
func explore(t *testing.T, s scenario) {
	t.Helper()
	start := time.Now()
	e := simfs.Explorer{Deaths: s.deaths, Setup: s.setup}
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d states, %d runs, %.2f s", e.States, e.Runs, time.Since(start).Seconds())
}
