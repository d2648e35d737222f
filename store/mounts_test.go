package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// twoMounts is two writers that see the document by mounts of their own, each of which has
// locks of its own, as with FUSE.
func twoMounts(opts Options, refused *int) simfs.Setup {
	return func(w *simfs.World) (check func() error) {
		s := scenario{start: `["x"]`}
		s.prepare(w)
		acknowledged := map[string]bool{}
		for mount, name := range []string{"a", "b"} {
			p := w.Go(name, func(files fsys.FS) error {
				doc, err := openSimulated(files, opts)
				if errors.Is(err, ErrUnsupported) {
					*refused++
					return nil
				}
				if err != nil {
					return err
				}
				defer doc.Close()
				withoutSweep(doc)
				_, err = doc.Update(context.Background(), appendName(name))
				acknowledged[name] = err == nil
				return err
			})
			p.Mount = mount
		}
		return func() error {
			for name := range acknowledged {
				if !strings.Contains(string(w.Content(simulated)), name) {
					return errors.New("lost: " + name)
				}
			}
			return nil
		}
	}
}

// TestTwoMounts: where another mount may be behind the back of the locks, documents are not
// opened, or updates would be lost.
func TestTwoMounts(t *testing.T) {
	needsSlashes(t)
	refused := 0
	e := simfs.Explorer{Setup: twoMounts(Options{Durability: Volatile}, &refused)}
	if err := e.Run(); err != nil || refused == 0 {
		t.Errorf("%v, refused %d times", err, refused)
	}
	e = simfs.Explorer{Setup: twoMounts(Options{Durability: Volatile, AllowNetwork: true},
		&refused)}
	if err := e.Run(); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("found %v, want a lost update", err)
	}
}
