//go:build unix

package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		exitOn(beWorker())
		return
	}
	os.Exit(m.Run())
}

// TestSystems: each load finds something wrong with what was written by hand, and nothing with
// the call of ours.
func TestSystems(t *testing.T) {
	program, err := self()
	if err != nil {
		t.Fatal(err)
	}
	last := 300 * time.Millisecond
	if testing.Short() {
		last = 0 // one round
	}
	for _, s := range systems {
		t.Run(s.name+"/"+s.load, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			ours, err := s.measure(t.Context(), program, t.TempDir(), true, last)
			if err != nil {
				t.Fatal(err)
			}
			// On a busy machine, a round may be over before anything was done.
			for end := time.Now().Add(time.Minute); !ours.counted(); {
				if time.Now().After(end) {
					t.Fatalf("%s: nothing was done: %s", s.call, ours)
				}
				err := s.round(t.Context(), program, t.TempDir(), true, ours)
				if err != nil && !errors.Is(err, errLost) {
					t.Fatal(err)
				}
			}
			if ours.wrong() > 0 {
				t.Errorf("%s: %s", s.call, ours)
			}
			// Some races are rare: the rounds end as soon as something was wrong.
			byHand := &tally{}
			for end := time.Now().Add(time.Minute); byHand.wrong() == 0; {
				if time.Now().After(end) {
					t.Fatalf("the load finds nothing wrong: %s", byHand)
				}
				if err := s.round(t.Context(), program, t.TempDir(), false, byHand); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("by hand: %s; %s: %s", byHand, s.call, ours)
		})
	}
}

// counted reports whether there were cases of everything that can go wrong.
func (t *tally) counted() bool {
	return len(t.counts) > 0 && !slices.ContainsFunc(t.counts,
		func(c *count) bool { return c.of == 0 })
}

// TestPage: docs/seeds.md has a row for each of the systems and no other, and says of each what it
// is.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/seeds.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows, want []string
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, " | ")
		if len(cells) != 6 || cells[0] == "| system" || cells[0] == "| ---" {
			continue
		}
		row := strings.Join([]string{strings.TrimPrefix(cells[0], "| "), cells[1], cells[4]}, ", ")
		if !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
	}
	for _, s := range systems {
		want = append(want, strings.Join([]string{s.name, s.load, s.call}, ", "))
		if !strings.Contains(strings.ToLower(string(page)), "\n### "+strings.ToLower(s.name)+"\n") {
			t.Errorf("the page says nothing of %s", s.name)
		}
	}
	if !slices.Equal(rows, want) {
		t.Errorf("rows:\n%s\nwant:\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

// fixed is a load that counts the same each time.
type fixed struct{ lost, kept int }

func (f fixed) round(r *round) error {
	r.add("lost", f.lost, f.lost+f.kept)
	r.add("torn", 0, f.kept)
	return nil
}

func (f fixed) work(*worker) error { return nil }

// TestTable: the table has a row for what was wrong, and none for what was not. If a call of ours
// is wrong, that is an error.
func TestTable(t *testing.T) {
	for _, test := range []struct {
		byHand, ours fixed
		row          string
		wrong        bool
	}{
		{fixed{1, 2}, fixed{0, 5}, "| S | some | lost | 1 of 3 | `C` | 0 of 5 |\n", false},
		{fixed{0, 3}, fixed{0, 5}, "", false},
		{fixed{0, 3}, fixed{1, 4}, "| S | some | lost | 0 of 3 | `C` | 1 of 5 |\n", true},
	} {
		var out strings.Builder
		one := []system{{"S", "some", "`C`", test.byHand, test.ours}}
		err := table(t.Context(), &out, one, crew.Program{}, t.TempDir(), 0)
		_, rows, _ := strings.Cut(out.String(), "--- | ---: |\n")
		if (err != nil) != test.wrong || rows != test.row {
			t.Errorf("%+v: %v\n%s", test, err, &out)
		}
	}
}
