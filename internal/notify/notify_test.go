package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// told is a source that tells what a test says.
type told struct {
	changes chan change
	added   []string
	removed []string
	fail    error
}

func (s *told) add(dir string) error {
	s.added = append(s.added, dir)
	return s.fail
}
func (s *told) remove(dir string) { s.removed = append(s.removed, dir) }
func (s *told) close()            { close(s.changes) }
func (s *told) next() (change, bool) {
	c, ok := <-s.changes
	return c, ok
}

// world is a hub on such a source, and what its listeners hear.
type world struct {
	*testing.T
	hub    *Hub
	source *told
	dir    string
	heard  chan string
}

func newWorld(t *testing.T) *world {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, source: &told{changes: make(chan change)}, dir: dir, heard: make(chan string, 100)}
	w.hub = &Hub{open: func() (source, error) { return w.source, nil }}
	return w
}

func (w *world) listen(name string) *Listener {
	w.Helper()
	l, err := w.hub.Listen(func(dir, base string) {
		if dir != "" {
			rel, err := filepath.Rel(w.dir, dir)
			if err != nil {
				w.Error(err)
			}
			dir = filepath.ToSlash(rel)
		}
		w.heard <- fmt.Sprint(name, " ", dir, ":", base)
	})
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// name is a name in a directory, which it makes.
func (w *world) name(dir, base string) Name {
	w.Helper()
	path := filepath.Join(w.dir, dir)
	err := os.MkdirAll(path, 0o700)
	info, statErr := fsys.New().Lstat(path)
	if err := errors.Join(err, statErr); err != nil {
		w.Fatal(err)
	}
	return Name{path, base, info}
}

// tells tells of a change, and returns what is heard, in order.
func (w *world) tells(c change) []string {
	if !c.all {
		c.path = filepath.Join(w.dir, c.path)
	}
	w.source.changes <- c
	w.source.changes <- change{path: filepath.Join(w.dir, "nobody listens")} // c is done
	var heard []string
	for len(w.heard) > 0 {
		heard = append(heard, <-w.heard)
	}
	slices.Sort(heard)
	return heard
}

func (w *world) wants(c change, want ...string) {
	w.Helper()
	if heard := w.tells(c); !slices.Equal(heard, want) {
		w.Errorf("%+v: heard %q, want %q", c, heard, want)
	}
}

// set listens to names, and wants to know whether there are more than before.
func (w *world) set(l *Listener, more bool, names ...Name) {
	w.Helper()
	if got, err := l.Set(names); err != nil || got != more {
		w.Errorf("more: %v, %v", got, err)
	}
}

func TestHub(t *testing.T) {
	w := newWorld(t)
	a, b := w.listen("a"), w.listen("b")
	w.set(a, true, w.name("x", "doc"), w.name("x", "doc"), w.name("y", ""))
	w.set(b, true, w.name("x", "doc"), w.name("x", "other"))
	w.set(a, false, w.name("x", "doc"), w.name("y", ""))
	if len(w.source.added) != 2 {
		t.Errorf("a directory is watched once: %q", w.source.added)
	}
	w.wants(change{path: "x/doc"}, "a x:doc", "b x:doc")
	w.wants(change{path: "x/other", named: true}, "b x:other")
	w.wants(change{path: "x/third"})
	w.wants(change{path: "y/any"}, "a y:any")
	w.wants(change{all: true}, "a :", "b :")

	// A change of the directory's mode is nothing. To be moved away and back is the end of its
	// watch, although it is the same directory; so is another one at its path.
	w.wants(change{path: "x"})
	w.set(b, false, w.name("x", "doc"), w.name("x", "other"))
	w.wants(change{path: "x", named: true}, "a x:", "b x:")
	w.wants(change{path: "x/doc"})
	w.set(b, true, w.name("x", "doc"))
	w.wants(change{path: "x/doc"}, "b x:doc")
	if err := os.Rename(filepath.Join(w.dir, "x"), filepath.Join(w.dir, "z")); err != nil {
		t.Fatal(err)
	}
	w.set(b, true, w.name("x", "doc"), w.name("z", "doc"))
	w.wants(change{path: "x/doc"}, "b x:doc")

	// What nobody listens to any more is not watched.
	w.source.removed = nil
	w.set(b, false)
	w.wants(change{path: "x/doc"})
	if len(w.source.removed) != 2 {
		t.Errorf("removed %q", w.source.removed)
	}
	w.source.fail = os.ErrPermission
	if _, err := a.Set([]Name{w.name("p", "doc")}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v", err)
	}
	w.wants(change{path: "p/doc"})
	b.Close()
	a.Close()
	if _, open := <-w.source.changes; open {
		t.Error("the source is open")
	}
}

// TestReplacedWhileAdded: a directory that is another one when it is watched is an error.
func TestReplacedWhileAdded(t *testing.T) {
	w := newWorld(t)
	l := w.listen("a")
	defer l.Close()
	name := w.name("x", "doc")
	if err := os.Rename(name.Dir, name.Dir+"2"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Set([]Name{name}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("gone: %v", err)
	}
	w.name("x", "doc")
	if _, err := l.Set([]Name{name}); !errors.Is(err, ErrMoved) {
		t.Errorf("another one: %v", err)
	}
	w.wants(change{path: "x/doc"})
}

// TestSystem: the system's own source, opened again after its last listener.
func TestSystem(t *testing.T) {
	w := newWorld(t)
	w.hub = &Hub{}
	for range 2 {
		l, err := w.hub.Listen(func(dir, base string) { w.heard <- base })
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := w.name("x", "doc")
		w.set(l, true, name)
		if err := os.WriteFile(filepath.Join(name.Dir, "doc"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		select {
		case base := <-w.heard:
			if base != "doc" {
				t.Errorf("%q", base)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was told")
		}
		l.Close()
		for len(w.heard) > 0 {
			<-w.heard
		}
	}
}
