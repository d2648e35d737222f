package proptest

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// TestHistoryOfKilledWriters: 8 processes count one document up, and are killed at random moments,
// while its history is listed. The history has the last versions, in their order, each whole, and
// none is missing.
func TestHistoryOfKilledWriters(t *testing.T) {
	last := time.Duration(setting(t, "JSONSTORE_HISTORY_SECONDS", 8)) * time.Second
	each := last / time.Duration(2*len(durabilities))
	for _, durability := range durabilities {
		for _, mode := range writerModes[:2] {
			t.Run(durability.String()+" "+mode.name, func(t *testing.T) {
				opts := mode.opts
				opts.Durability = durability
				rememberKilled(t, opts, each)
			})
		}
	}
}

func rememberKilled(t *testing.T, opts store.Options, last time.Duration) {
	const atOnce, keep = 8, 50
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "doc.json")
	doc, err := store.OpenFile(file, &opts)
	if err == nil {
		err = doc.SetHistory(ctx, &store.HistoryOptions{Keep: keep})
	}
	if err == nil {
		_, err = doc.Create(ctx, []byte(`{"count":0}`))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	end := time.Now().Add(last)
	kills := 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for time.Now().Before(end) {
				p := startWorker(t, task{File: file, Member: "count", Options: opts})
				until := 1 + rand.IntN(30)
				delay := time.Duration(rand.IntN(2000)) * time.Microsecond
				p.acknowledged(func(n int) {
					if n == until {
						time.AfterFunc(delay, func() { _ = p.cmd.Process.Kill() })
					}
				})
				_ = p.cmd.Wait()
				if p.errs.Len() > 0 {
					t.Errorf("a writer: %s", p.errs.String())
				}
				mu.Lock()
				kills++
				mu.Unlock()
			}
		})
	}
	lists := 0
	for time.Now().Before(end) && !t.Failed() {
		checkHistory(t, doc, 0)
		lists++
	}
	all.Wait()
	count := checkHistory(t, doc, keep)
	// The next writer cleans up, and goes on.
	if _, _, err := doc.Sweep(ctx); err != nil {
		t.Error(err)
	}
	if _, _, err := doc.Add(ctx, "count", 1); err != nil {
		t.Error(err)
	}
	if after := checkHistory(t, doc, keep); after != count+1 {
		t.Errorf("the count was %d, and is %d", count, after)
	}
	t.Logf("%d kills, %d versions, %d listings", kills, count, lists)
}

// checkHistory expects versions that count down to the oldest, at least so many if there were as
// many, and returns the first count. While others write, some of the oldest may be gone.
func checkHistory(t *testing.T, doc *store.Doc, least int) (count int) {
	t.Helper()
	ctx := context.Background()
	before, n := -1, 0
	for e, err := range doc.History(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		data, err := doc.ReadHistory(ctx, e)
		if errors.Is(err, fs.ErrNotExist) && least == 0 || errors.Is(err, store.ErrConflict) {
			if e.N == 0 {
				continue
			}
			return count
		}
		var found struct{ Count int }
		if err == nil {
			err = json.Unmarshal(data, &found)
		}
		if err != nil {
			t.Fatalf("version @%d: %v, %q", e.N, err, data)
		}
		if before >= 0 && found.Count != before-1 {
			t.Fatalf("version @%d is %d, and the one after it %d", e.N, found.Count, before)
		}
		if before < 0 {
			count = found.Count
		}
		before = found.Count
		n = e.N
	}
	if n < min(least, count) {
		t.Errorf("of %d versions there are %d", count, n)
	}
	return count
}
