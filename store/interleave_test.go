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
	writers []Options
	deleter *Options // deletes what it finds
	remover bool     // holds the lock and removes its file
	start   string   // content at the beginning, empty for none
	step    time.Duration
	deaths  int
	temps   bool // with the operations on temporary files one by one
}

// explore tries a scenario out in all orders.
func explore(t *testing.T, s scenario) {
	t.Helper()
	start := time.Now()
	e := simfs.Explorer{Deaths: s.deaths, Setup: func(w *simfs.World) func() error { return s.setup(w) }}
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d states, %d runs, %.2f s", e.States, e.Runs, time.Since(start).Seconds())
}

func (s scenario) setup(w *simfs.World) (check func() error) {
	w.Step = max(1, int64(s.step))
	w.TempAtOnce = !s.temps
	if s.start != "" {
		w.Put(simulated, s.start)
	}
	published := map[string]int{}
	w.OnPublish = func(by *simfs.Process, _ string, old, new []byte) error {
		if new == nil {
			if by.Name != "deleter" {
				return fmt.Errorf("%s deleted the document", by.Name)
			}
			return nil
		}
		want, err := appendName(by.Name)(old)
		if err != nil || !bytes.Equal(new, want) {
			return fmt.Errorf("a lost update: %s put %s in the place of %s", by.Name, new, old)
		}
		published[by.Name]++
		return nil
	}
	ctx := context.Background()
	var writers []*simfs.Process
	for i, opts := range s.writers {
		name := string(rune('a' + i))
		writers = append(writers, w.Go(name, func(files fsys.FS) error {
			doc, err := openSimulated(files, opts)
			if err != nil {
				return err
			}
			defer doc.Close()
			_, err = doc.Update(ctx, appendName(name))
			return err
		}))
	}
	if s.deleter != nil {
		w.Go("deleter", func(files fsys.FS) error {
			doc, err := openSimulated(files, *s.deleter)
			if err != nil {
				return err
			}
			defer doc.Close()
			if err := doc.Delete(ctx); !errors.Is(err, ErrNotExist) {
				return err
			}
			return nil
		})
	}
	if s.remover {
		w.Go("remover", func(files fsys.FS) error {
			file, err := files.Open(lockPath(simulated), fsys.OpenLock, 0o600)
			if err == nil {
				err = file.Lock()
			}
			if err != nil {
				return err
			}
			defer file.Close()
			// As one who knows that it holds the lock only if the name still is this file.
			locked, _ := file.Stat()
			if named, err := files.Lstat(lockPath(simulated)); err != nil || !named.SameFile(locked) {
				return nil
			}
			return files.Remove(lockPath(simulated))
		})
	}
	return func() error {
		for _, p := range writers {
			if p.Done() && published[p.Name] != 1 {
				return fmt.Errorf("%s was acknowledged once and published %d times", p.Name, published[p.Name])
			}
			if published[p.Name] > 1 {
				return fmt.Errorf("%s published %d times", p.Name, published[p.Name])
			}
		}
		return s.noLitter(w)
	}
}

// noLitter: the next writer sweeps what the dead have left; without dead there is nothing.
func (s scenario) noLitter(w *simfs.World) error {
	names := slices.DeleteFunc(w.Names(), func(name string) bool { return name == simulated || name == lockPath(simulated) })
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

var simulatedModes = map[string]Options{
	"hash":    {Durability: Volatile},
	"mtime":   {Durability: Volatile, Versions: VersionMtime},
	"locking": {Durability: Volatile, Locking: true},
}

// TestInterleavings tries all orders of two or three processes, in each mode and mixed. What takes
// longer than some seconds is for JSONSTORE_EXHAUSTIVE=1.
func TestInterleavings(t *testing.T) {
	_, exhaustive := os.LookupEnv("JSONSTORE_EXHAUSTIVE")
	for name, opts := range simulatedModes {
		for _, start := range []string{"", `["start"]`} {
			test := func(what string, quick bool, s scenario) {
				if s.start = start; quick || exhaustive {
					t.Run(fmt.Sprintf("%s %s start=%s", name, what, start), func(t *testing.T) { explore(t, s) })
				}
			}
			two := []Options{opts, opts}
			test("two and a death", true, scenario{writers: two, deaths: 1})
			test("two and a deleter", opts.Locking || name == "hash" && start == "", scenario{writers: two, deleter: &opts})
			test("two and a lock remover", opts.Locking || start != "", scenario{writers: two, remover: true})
			test("three", opts.Locking, scenario{writers: []Options{opts, opts, opts}})
			test("two with temporary files, and a death", false, scenario{writers: two, deaths: 1, temps: true})
			for other, otherOpts := range simulatedModes {
				if other > name {
					test("and "+other, true, scenario{writers: []Options{opts, otherOpts}, deaths: 1})
				}
			}
			// Coarse times leave versions by hash only.
			if name == "hash" {
				test("coarse times", true, scenario{writers: two, deaths: 1, step: time.Second})
			}
		}
	}
}
