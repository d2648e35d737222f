package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// TestDirectories: the table has a row for each cost, and a lost update is an error.
func TestDirectories(t *testing.T) {
	top := t.TempDir()
	program, err := built(top)
	if err != nil {
		t.Fatal(err)
	}
	table, err := config{rounds: 1, directory: []int{30, 60}}.directories(top, program)
	if err != nil {
		t.Fatal(err)
	}
	for _, cost := range costs {
		if !strings.Contains(table, "\n| "+cost.name+" | ") {
			t.Errorf("no row for %q:\n%s", cost.name, table)
		}
	}

	d, err := fillDirectory(top, program, 5)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := d.update(); err != nil {
			t.Fatal(err)
		}
	}
	if lost, err := d.lost(); lost != 0 || err != nil {
		t.Errorf("%d are lost (%v), want none", lost, err)
	}
	n := 0
	for _, document := range d.updated {
		if document == d.updated[0] {
			n++
		}
	}
	path := documentPath(d.setting, d.updated[0])
	if err := os.WriteFile(path, load.Document(200), 0o600); err != nil {
		t.Fatal(err)
	}
	if lost, err := d.lost(); lost != n || err != nil {
		t.Errorf("%d are lost (%v), want %d", lost, err, n)
	}
}

func TestGrowth(t *testing.T) {
	for _, test := range []struct {
		more, longer float64
		want         string
	}{
		{100, 1, "flat"},
		{100, 0.5, "flat"},
		{100, 1.9, "flat"},
		{100, 10, "with the power 0.50"},
		{100, 60, "linear"},
		{100, 200, "linear"},
		{100, 10_000, "faster than linear, with the power 2.00"},
		{1, 2, "not measured"},
	} {
		if got := growth(test.more, test.longer); got != test.want {
			t.Errorf("%v times the documents, %v times as long: %s, want %s",
				test.more, test.longer, got, test.want)
		}
	}
}

// TestLossesAreSeenAmongMany: the count goes over all documents.
func TestLossesAreSeenAmongMany(t *testing.T) {
	s := setting{Path: filepath.Join(t.TempDir(), "document.json"), Documents: 3}
	if err := writeFiles(s, load.Document(200)); err != nil {
		t.Fatal(err)
	}
	h, err := openOurs(store.Options{})(s)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for i := range 3 {
		for range i + 1 {
			if err := h.Update(i); err != nil {
				t.Fatal(err)
			}
		}
	}
	if lost, err := lostUpdates(h, 3, 6); lost != 0 || err != nil {
		t.Errorf("%d of 6 are lost (%v), want none", lost, err)
	}
	if lost, err := lostUpdates(h, 3, 8); lost != 2 || err != nil {
		t.Errorf("%d of 8 are lost (%v), want 2", lost, err)
	}
}
