// Histories of goroutines that count on one handle and give up at random moments must be
// linearizable: an update that gave up was not applied.

package proptest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// count does a random operation on a number: it adds 1, subtracts 1, keeps it or reads it. Half
// of the time its context ends at a random moment, within the duration of the operation before.
func (c *client) count(name string, doc document, longest *time.Duration) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.random.IntN(2) == 0 {
		after := time.Duration(c.random.Int64N(int64(*longest) + 1))
		defer time.AfterFunc(after, cancel).Stop()
	}
	began := time.Now()
	defer func() { *longest = time.Since(began) }()
	if c.random.IntN(10) == 0 {
		return c.read(context.Background(), name, doc)
	}
	by := c.random.IntN(3) - 1
	from := now()
	var last record
	version, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
		if last.Kind == swapKind {
			// The function runs again, so that swap was not applied.
			last.Outcome, last.Return = nothing, now()
			c.tell(last)
		}
		was := string(old)
		if by != 0 {
			n, err := strconv.Atoi(was)
			if was != "" && err != nil {
				return nil, err
			}
			made := strconv.Itoa(n + by)
			last = c.begin(record{Doc: name, Kind: swapKind, Call: from, Expected: was, New: made})
			return []byte(made), nil
		}
		c.number++
		last = record{Client: c.id, Number: c.number, Doc: name, Kind: readKind,
			Call: from, Found: was}
		return old, nil
	})
	switch {
	case err == nil:
		return c.end(last, version, nil)
	case !errors.Is(err, context.Canceled):
		return fmt.Errorf("update, %v: %w", last, err)
	case last.Kind == swapKind:
		// The error promises that the swap was not applied. A reader that sees it all the same
		// makes the history illegal.
		last.Outcome, last.Return = nothing, now()
		c.tell(last)
	}
	return nil
}

// holdNowAndThen takes the lock of a document for short times, and changes nothing.
func holdNowAndThen(t *testing.T, path string, stop <-chan struct{}) {
	doc, err := store.OpenFile(path, &store.Options{Locking: true, Durability: store.Volatile})
	if err != nil {
		t.Error(err)
		return
	}
	defer doc.Close()
	for {
		select {
		case <-stop:
			return
		case <-time.After(rand.N(time.Millisecond)):
		}
		if _, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
			<-time.After(rand.N(time.Millisecond))
			return old, nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestHistoriesOfThoseWhoGiveUp: goroutines on one handle or two, of a document in memory or in
// a file. Numbers repeat all the time, so that the check sees a withdrawn change on which
// others have built, even if their changes cancel it out.
func TestHistoriesOfThoseWhoGiveUp(t *testing.T) {
	histories := setting(t, "JSONSTORE_HISTORIES", 24)
	steps := setting(t, "JSONSTORE_HISTORY_STEPS", 40)
	operations, given := 0, 0 // given: operations that ran and were withdrawn
	// On a fast system there may be none to give up in a few histories.
	for i := 0; i < histories || given == 0 && i < 50*histories; i++ {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		opts := store.Options{
			Versions:   []store.VersionMode{store.VersionHash, store.VersionMtime}[i%2],
			Durability: []store.Durability{store.Volatile, store.Durable}[i/2%2],
			Locking:    random.IntN(3) == 0,
			Logger:     slog.New(slog.DiscardHandler),
		}
		handles := 1 + random.IntN(2)
		path := filepath.Join(t.TempDir(), "doc.json")
		memory := memdriver.New()
		var told collector
		var all sync.WaitGroup
		for h := range handles {
			var doc document
			if i%6 == 5 {
				db, err := store.New(memory, &opts)
				if err != nil {
					t.Fatal(err)
				}
				doc = db.Doc("doc")
			} else {
				file, err := store.OpenFile(path, &opts)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				doc = file
			}
			for id := h * maxClients / handles; id < (h+1)*maxClients/handles; id++ {
				all.Go(func() {
					c := newClient(id, seed, false, told.tell)
					longest := time.Millisecond
					for range steps {
						if err := c.count("doc", doc, &longest); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
		}
		var holder sync.WaitGroup
		stop := make(chan struct{})
		holder.Go(func() { holdNowAndThen(t, path, stop) })
		all.Wait()
		close(stop)
		holder.Wait()
		h := &history{
			Name:    fmt.Sprintf("those who give up, %+v, seed %d", opts, seed),
			Records: told.records,
		}
		for _, r := range h.Records {
			if operations++; r.Outcome == nothing {
				given++
			}
		}
		h.mustBeLinear(t)
	}
	t.Logf("%d operations, %d runs in vain", operations, given)
	if given == 0 {
		t.Error("nobody has given up: this shows nothing")
	}
}
