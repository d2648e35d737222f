package main

import (
	"errors"
	"os"
	"regexp"
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
// Each process is killed as soon as its first document has changed.
func TestHalvesAreSeen(t *testing.T) {
	for _, p := range (config{only: regexp.MustCompile("")}).transacting() {
		if p.name != "jsonstore" && p.name != renamesPeer.name {
			continue
		}
		half := 0
		for range 10 {
			counts, err := p.killed(t.TempDir(), store.Volatile, 300, func(s setting) {
				waitForChange(t, documentPath(s, 0))
			})
			if err != nil {
				t.Fatal(err)
			}
			if isHalf(counts) {
				half++
			}
		}
		if (half > 0) == p.ours {
			t.Errorf("%s: %d of 10 processes that were killed have left a half", p.name, half)
		}
	}
}

// waitForChange returns when another file has the name.
func waitForChange(t *testing.T, path string) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Error(err)
		return
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if now, err := os.Stat(path); err == nil && !os.SameFile(before, now) {
			return
		}
	}
	t.Errorf("%s has not changed within a minute", path) // and the process is killed
}
