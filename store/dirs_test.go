package store

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// TestPowerCutsOfDirectories: documents in directories that their writers make. One of them may
// die at any moment, and then the power goes. What is acknowledged is there: whoever made
// the directory that it is in, and died before its name was durable.
func TestPowerCutsOfDirectories(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	ctx := context.Background()
	update := func(doc *Doc) (bool, error) {
		_, err := doc.Update(ctx, become("1"))
		return true, err
	}
	keep := func(doc *Doc) (there bool, err error) {
		_, err = doc.Update(ctx, func(old []byte) ([]byte, error) {
			there = old != nil
			return old, nil
		})
		return there, err
	}
	for name, errands := range map[string][]errand{
		"one above the other": {{"users/a", update}, {"users/a", update}},
		"two in one":          {{"users/a", update}, {"users/b", update}},
		"deeper":              {{"users/eu/a", update}, {"users/eu/a", update}},
		"one that keeps":      {{"users/a", update}, {"users/a", keep}},
	} {
		for _, journal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, journal=%v", name, journal), func(t *testing.T) {
				t.Parallel()
				states := 0
				var cut func(*simfs.World) error
				e := simfs.Explorer{
					Deaths: 1,
					Setup: func(w *simfs.World) (check func() error) {
						w.Journal = journal
						cut = directories(w, errands, &states)
						return func() error { return nil }
					},
					OnState: func(w *simfs.World) error { return cut(w) },
				}
				if err := e.Run(); err != nil {
					t.Error(err)
				}
				t.Logf("%d states, %d runs, %d found", e.States, e.Runs, states)
			})
		}
	}
}

// errand is what one process does to the document with a key. It reports whether it has
// made it, or found it there.
type errand struct {
	key string
	do  func(doc *Doc) (there bool, err error)
}

// directories sets processes up that each do something in a directory of documents, and
// returns what looks at what a power cut leaves.
func directories(w *simfs.World, errands []errand, found *int) (cut func(*simfs.World) error) {
	w.Root = "."
	w.Quiet = func(op, name string) bool {
		switch op {
		case "open lock", "trylock", "unlock", "close", "lstat", "readlink":
			return true
		}
		return op == "open" && filepath.Base(name)[0] == '.'
	}
	acknowledged := map[string]bool{}
	for i, d := range errands {
		w.Go(string(rune('p'+i)), func(files fsys.FS) error {
			db, err := openFiles(files, "", ".", &Options{})
			if err != nil {
				return err
			}
			defer db.Close()
			doc := db.Doc(d.key)
			there, err := d.do(doc)
			if there && err == nil {
				acknowledged[d.key] = true
			}
			return err
		})
	}
	models := []simfs.Model{simfs.Ordered, simfs.Weak}
	if w.Journal {
		models = models[:1]
	}
	return func(w *simfs.World) error {
		for _, model := range models {
			err := w.AfterPowerCut(model, func(after *simfs.World) error {
				*found++
				for key := range acknowledged {
					if got := after.Content(key + ".json"); string(got) != "1" {
						return fmt.Errorf("%s was acknowledged, and is %q, with %q", key, got,
							after.Names())
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("the power is cut here, in the %v model: %w", model, err)
			}
		}
		return nil
	}
}
