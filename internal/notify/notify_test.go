package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// told is a source that tells what a test says.
type told struct {
	changes chan change
	added   []string
	removed []string
	fail    map[string]error // by the directory's name
}

func (s *told) add(dir string) error {
	s.added = append(s.added, dir)
	return s.fail[filepath.Base(dir)]
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
	w := &world{T: t, source: &told{changes: make(chan change)}, dir: dir,
		heard: make(chan string, 100)}
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
	return Name{Dir: path, Base: base, Info: info}
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
	w.source.fail = map[string]error{"p": os.ErrPermission}
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

// TestOverflow: after changes were missed, each listener listens anew. The system may have ended
// the watch of a directory, and the inode of another one may have the same number.
func TestOverflow(t *testing.T) {
	w := newWorld(t)
	a, b := w.listen("a"), w.listen("b")
	defer a.Close()
	defer b.Close()
	w.set(a, true, w.name("x", "doc"))
	w.set(b, true, w.name("x", "doc"), w.name("y", ""))
	w.wants(change{all: true}, "a :", "b :")
	w.wants(change{path: "x/doc"})
	w.source.added = nil
	w.set(a, true, w.name("x", "doc"))
	w.wants(change{path: "x/doc"}, "a x:doc")
	w.set(b, true, w.name("x", "doc"), w.name("y", ""))
	w.wants(change{path: "x/doc"}, "a x:doc", "b x:doc")
	if len(w.source.added) != 2 || len(w.source.removed) != 2 {
		t.Errorf("added %q after %q were removed", w.source.added, w.source.removed)
	}
}

// TestReplaced: who listens to another directory at a path first, tells those who listen to the
// one before. The source knows the path as the one before until that is removed from it.
func TestReplaced(t *testing.T) {
	w := newWorld(t)
	a, b := w.listen("a"), w.listen("b")
	defer a.Close()
	defer b.Close()
	name := w.name("x", "doc")
	w.set(a, true, name)
	w.set(b, true, name)
	if err := os.Rename(name.Dir, name.Dir+"2"); err != nil {
		t.Fatal(err)
	}
	w.set(a, true, w.name("x", "doc"))
	w.wants(change{path: "nothing"}, "b x:")
	if !slices.Equal(w.source.removed, []string{name.Dir}) {
		t.Errorf("removed %q", w.source.removed)
	}
	w.set(b, true, w.name("x", "doc"))
	w.wants(change{path: "x/doc"}, "a x:doc", "b x:doc")

	// It is moved. The source still knows it by the path that it had.
	w.wants(change{path: "x", named: true}, "a x:", "b x:")
	moved := w.name("x", "doc")
	if err := os.Rename(moved.Dir, moved.Dir+"3"); err != nil {
		t.Fatal(err)
	}
	w.source.removed = nil
	w.set(a, true, w.name("x3", "doc"))
	if !slices.Equal(w.source.removed, []string{moved.Dir}) {
		t.Errorf("removed %q", w.source.removed)
	}
}

// TestAid: a name that is only an aid need not be readable.
func TestAid(t *testing.T) {
	w := newWorld(t)
	l := w.listen("a")
	defer l.Close()
	up := w.name("p", "x")
	up.Aid = true
	w.source.fail = map[string]error{"p": fmt.Errorf("add: %w", os.ErrPermission)}
	w.set(l, true, w.name("p/x", "doc"), up)
	w.set(l, false, w.name("p/x", "doc"), up)
	w.wants(change{path: "p/x/doc"}, "a p/x:doc")
	w.wants(change{path: "p/x"})
	w.source.fail["p"] = syscall.ENOSPC
	if _, err := l.Set([]Name{w.name("p/x", "doc"), up}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the limit: %v", err)
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

// TestSystemOverflow: the system's queue is too short while a listener is slow.
func TestSystemOverflow(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip(err)
	}
	length, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || length > 100_000 {
		t.Skipf("the queue has %d places, %v", length, err)
	}
	w := newWorld(t)
	w.hub = &Hub{}
	slow, missed := make(chan struct{}), make(chan struct{})
	l, err := w.hub.Listen(func(dir, base string) {
		<-slow
		if dir == "" && base == "" {
			close(missed)
		}
	})
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	name := w.name("x", "")
	w.set(l, true, name)
	// Equal changes that follow each other are one. The system's reader has some at hand.
	for i := range length + 8192 {
		if err := os.Chmod(filepath.Join(name.Dir, fmt.Sprint(i%2)), 0o600); err != nil {
			err = os.WriteFile(filepath.Join(name.Dir, fmt.Sprint(i%2)), nil, 0o600)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	close(slow)
	select {
	case <-missed:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was missed")
	}
	w.set(l, true, name)
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
