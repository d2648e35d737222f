package powercut

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// TestStorm: 8 processes, each with a counter of its own in one document, are killed at random
// moments and started again, for the time JSONSTORE_STORM, on the file system of temporary
// files and on those of JSONSTORE_CUT_FS, which may name tmpfs too. Each counter has the value
// that was last acknowledged, or one more.
func TestStorm(t *testing.T) {
	last := time.Second
	if text, ok := os.LookupEnv("JSONSTORE_STORM"); ok {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("JSONSTORE_STORM: %v", err)
		}
	}
	t.Run("temporary directory", func(t *testing.T) { storm(t, t.TempDir(), last) })
	for _, system := range fileSystems() {
		t.Run(system, func(t *testing.T) { storm(t, mounted(t, system), last) })
	}
}

func storm(t *testing.T, dir string, last time.Duration) {
	const writers = 8
	seed := number(t, "JSONSTORE_SEED", uint64(time.Now().UnixNano()))
	document := filepath.Join(dir, "counters.json")
	end := time.Now().Add(last)
	var all sync.WaitGroup
	var mu sync.Mutex
	kills, acknowledged, wrong := 0, int64(0), 0
	for i := range writers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			member := fmt.Sprint("w", i)
			at := int64(0)
			for time.Now().Before(end) {
				opts := stormModes[random.IntN(len(stormModes))]
				p, err := job{Kind: counting, File: document, Member: member, Opts: opts}.start(at)
				if err != nil {
					t.Error(err)
					return
				}
				died := make(chan struct{})
				go func() { p.ended.Wait(); close(died) }()
				select {
				case <-time.After(time.Duration(random.IntN(100_000)) * time.Microsecond):
				case <-died:
					t.Errorf("writer %d ended by itself", i)
				}
				p.kill()
				found := read(t, document)[member]
				mu.Lock()
				kills++
				acknowledged += p.acknowledged.Load() - at
				if n := p.acknowledged.Load(); found != n && found != n+1 {
					wrong++
					t.Errorf("seed %d: writer %d: %d acknowledged, %d found", seed, i, n, found)
				}
				mu.Unlock()
				at = found
			}
		})
	}
	all.Wait()
	// The next writer sweeps what the dead ones have left.
	doc, err := store.OpenFile(document, nil)
	if err == nil {
		_, _, err = doc.Sweep(t.Context())
		doc.Close()
	}
	if err != nil {
		t.Error(err)
	}
	if litter, _ := filepath.Glob(filepath.Join(dir, ".*.tmp")); len(litter) > 0 {
		t.Errorf("litter: %q", litter)
	}
	t.Logf("%d processes, %.0f s, %d kills, %d updates acknowledged, %d counters wrong, seed %d",
		writers, last.Seconds(), kills, acknowledged, wrong, seed)
}

// stormModes are the modes of the processes, one for each in turn.
var stormModes = func() (all []store.Options) {
	for _, durability := range []store.Durability{store.Durable, store.Ordered, store.Volatile} {
		for _, opts := range modes {
			if opts.GuardForeign && runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
				continue // cannot exchange names
			}
			opts.Durability = durability
			all = append(all, opts)
		}
	}
	return all
}()

// read reads a document without the store. It must always be whole.
func read(t *testing.T, document string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	data, err := os.ReadFile(document)
	if errors.Is(err, fs.ErrNotExist) {
		return found
	}
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil {
		t.Errorf("a reader saw %q: %v", data, err)
	}
	return found
}
