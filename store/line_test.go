package store

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestTwoAreCombined: two goroutines that do nothing but update do not take turns with a
// version each. Whether they do in a given moment is up to the scheduler, and on a busy
// system only one of them runs for a while; so they go on until of 1,000 updates in a
// row a good part was combined.
func TestTwoAreCombined(t *testing.T) {
	doc, err := OpenFile(filepath.Join(t.TempDir(), "doc.json"), &Options{Durability: Volatile})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var (
		mu    sync.Mutex
		began Stats
		done  bool
	)
	combined := func() bool {
		mu.Lock()
		defer mu.Unlock()
		now := doc.Stats()
		updates, writes := now.Updates-began.Updates, now.Writes-began.Writes
		if updates >= 1000 {
			began, done = now, done || writes < updates*3/4
		}
		return done
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for ctx.Err() == nil && !combined() {
				if _, err := doc.Update(ctx, increment); err != nil && ctx.Err() == nil {
					t.Error(err)
					cancel()
				}
			}
		})
	}
	both.Wait()
	if !combined() {
		t.Errorf("%+v: hardly any update was combined with another", doc.Stats())
	}
}
