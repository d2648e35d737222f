package store

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestTwoAreCombined: two goroutines that do nothing but update do not take turns with a version each. Whether they do in a given moment is up to
// the scheduler, so they go on until they do not.
func TestTwoAreCombined(t *testing.T) {
	doc, err := OpenFile(filepath.Join(t.TempDir(), "doc.json"), &Options{Durability: Volatile})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	combined := func() bool {
		s := doc.Stats()
		return s.Updates > 20 && s.Writes < s.Updates*3/4
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
