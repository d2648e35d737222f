package main

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// TestTransactionsKeepUpdates: no transaction of any peer is lost, of goroutines and of processes,
// on documents of their own and on the same ones.
func TestTransactionsKeepUpdates(t *testing.T) {
	for _, p := range (config{only: regexp.MustCompile("")}).transacting() {
		t.Run(p.name, func(t *testing.T) {
			for _, c := range []cell{
				{Processes: 1, Goroutines: 4, Transaction: 2, Disjoint: true},
				{Processes: 1, Goroutines: 4, Transaction: 2},
				{Processes: 3, Goroutines: 1, Transaction: 3, Disjoint: true},
				{Processes: 3, Goroutines: 1, Transaction: 3},
				{Processes: 2, Goroutines: 1, Transaction: 1, Disjoint: true},
			} {
				c.Peer, c.Durability, c.Size = p.name, store.Volatile, 200
				m, err := c.measure(t.TempDir(), 100*time.Millisecond)
				if errors.Is(err, errNotOffered) {
					continue
				}
				if err != nil || m.Lost != 0 || m.Failed != 0 || m.Rate == 0 {
					t.Errorf("%+v: lost %d, %d failed (%s), %v a second, %v",
						c, m.Lost, m.Failed, m.Failure, m.Rate, err)
				}
			}
		})
	}
}

// TestHalvesAreSeen: kills among the renames by hand are found, and one of ours leaves no half.
func TestHalvesAreSeen(t *testing.T) {
	for _, p := range (config{only: regexp.MustCompile("")}).transacting() {
		switch p.name {
		case "jsonstore":
			if half, err := p.halves(t.TempDir(), store.Durable, 10, 10); half > 0 || err != nil {
				t.Errorf("%s: %d half, %v", p.name, half, err)
			}
		case renamesPeer.name:
			// With so many documents, most of the time goes into the renames.
			found := 0
			for range 50 {
				half, err := p.halves(t.TempDir(), store.Volatile, 300, 5)
				if err != nil && !strings.Contains(err.Error(), "no process has made") {
					t.Fatal(err)
				}
				if found += half; found > 0 {
					return
				}
			}
			t.Error("250 kills, and no half transaction was found")
		}
	}
}
