package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// guarded is a scenario with programs that take no lock beside guarded writers.
type guarded struct {
	scenario
	// foreign is how many such programs; each appends its name to what it has read, and
	// renames over the document
	foreign int
	sweeper bool // one looks through the directory meanwhile
}

// meddled is writers without a guard, beside a program that takes no lock. Who replaced whom
// is left to chance then; but they go on, and leave nothing behind that a sweep does not take.
type meddled struct{ scenario }

func (m meddled) setup(w *simfs.World) (check func() error) {
	m.prepare(w)
	quiet := w.Quiet
	w.Quiet = func(op, name string) bool {
		return strings.HasPrefix(name, foreignTemp) ||
			quiet(op, name)
	}
	for i, opts := range m.writers {
		name := string(rune('a' + i))
		m.opened(w, name, opts, func(doc *Doc) error {
			_, err := doc.Update(context.Background(), appendName(name))
			return err
		})
	}
	w.Go("foreign", foreignWriter("foreign"))
	return func() error {
		if err := w.Sequentially("sweep", sweepSimulated, nil); err != nil {
			return err
		}
		return m.noLitter(w)
	}
}

// foreignWriter does what an editor does.
func foreignWriter(name string) func(files fsys.FS) error {
	return func(files fsys.FS) error {
		old, err := files.Open(simulated, fsys.OpenExisting, 0)
		var data []byte
		if err == nil {
			data = make([]byte, 100)
			n, readErr := old.Read(data)
			data = data[:n]
			old.Close()
			err = readErr
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		data, err = appendName(name)(data)
		if err != nil {
			return err
		}
		file, err := files.Open(foreignTemp+name, fsys.OpenNew, 0o600)
		if err == nil {
			_, err = file.Write(data)
			file.Close()
		}
		if err == nil {
			err = files.Rename(foreignTemp+name, simulated, fsys.Replace)
		}
		return err
	}
}

func (g guarded) setup(w *simfs.World) (check func() error) {
	g.prepare(w)
	w.Quiet = func(op, name string) bool {
		return strings.HasPrefix(name, foreignTemp) ||
			g.quiet(op, name)
	}
	// required is what the document has to have: what the last foreign program wrote,
	// and who published after it.
	var required, deleted []string
	var deleting, taken []byte // what the deleter means to delete, and what it took away
	w.OnPublish = func(by *simfs.Process, _ string, old, new []byte) error {
		switch {
		case strings.HasPrefix(by.Name, "foreign"):
			required = nil
			return json.Unmarshal(new, &required)
		case by.Name != "deleter":
			required = append(required, by.Name)
		case new == nil:
			taken, deleted, required = old, required, nil
		default: // it has put back what was another version
			required = deleted
		}
		return nil
	}
	ctx := context.Background()
	acknowledged := map[string]bool{}
	for i, opts := range g.writers {
		name := string(rune('a' + i))
		g.opened(w, name, opts, func(doc *Doc) error {
			_, err := doc.Update(ctx, appendName(name))
			acknowledged[name] = err == nil
			return err
		})
	}
	if g.deleter != nil {
		g.opened(w, "deleter", *g.deleter, func(doc *Doc) error {
			err := deleteWhatIsRead(doc, &deleting)
			if err == nil && taken != nil && !bytes.Equal(taken, deleting) {
				err = fmt.Errorf("lost: %s was deleted, but %s was meant", taken, deleting)
			}
			return err
		})
	}
	if g.sweeper {
		w.Go("sweeper", sweepSimulated)
	}
	for i := range g.foreign {
		w.Go(fmt.Sprint("foreign", i), foreignWriter(fmt.Sprint("foreign", i)))
	}
	return func() error {
		// A later writer sweeps what the dead have left.
		opts := g.writers[0]
		err := w.Sequentially("next", func(files fsys.FS) error {
			doc, err := openSimulated(files, opts)
			if err == nil {
				defer doc.Close()
				_, err = doc.Update(ctx, appendName("next"))
			}
			return err
		}, nil)
		if err != nil {
			return err
		}
		content := w.Content(simulated)
		for _, name := range litter(w) {
			if strings.HasPrefix(name, foreignTemp) {
				continue // of a foreign program that died
			}
			// What a dead guard had displaced is kept where others have gone on without
			// it, or may have.
			if _, digits, _ := names.Temporary(filepath.Base(name)); g.deaths == 0 ||
				len(digits) != names.GuardedDigits {
				return fmt.Errorf("left beside the document: %s, %s", name, w.Content(name))
			}
			content = append(slices.Clone(content), w.Content(name)...)
		}
		for _, name := range required {
			ours := len(name) == 1 && name != "x"
			if (!ours || acknowledged[name]) && !bytes.Contains(content, []byte(`"`+name+`"`)) {
				return fmt.Errorf("lost: %s; the document is %s", name, content)
			}
		}
		return nil
	}
}

// TestWithoutGuard: the same without the guard does lose them, or TestInterleavings
// would show nothing of it.
func TestWithoutGuard(t *testing.T) {
	needsSlashes(t)
	g := guarded{scenario: scenario{writers: []Options{{Durability: Volatile}}, start: `["x"]`},
		foreign: 1}
	e := simfs.Explorer{Setup: g.setup}
	if err := e.Run(); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("found %v, want a lost foreign version", err)
	}
}

// TestGuardOnFiles: what a program renames into place between verify and publish, or
// between verify and deletion, is found there, put back and built upon.
func TestGuardOnFiles(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		opts.GuardForeign = true
		for _, test := range []struct {
			name, at, want string
			do             func(doc *Doc) error
		}{
			{"update", "exchange", "42", func(doc *Doc) error { _, err := doc.Update(context.Background(), increment); return err }},
			{"delete", "rename", "", func(doc *Doc) error { return doc.Delete(context.Background()) }},
		} {
			t.Run(test.name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "doc.json")
				if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
					t.Fatal(err)
				}
				foreign := false
				doc := openFaulty(t, path, opts, func(op, _ string) error {
					if op != test.at || foreign {
						return nil
					}
					foreign = true
					if err := os.WriteFile(path+"~", []byte("41"), 0o600); err != nil {
						return err
					}
					return os.Rename(path+"~", path)
				})
				err := test.do(doc)
				if errors.Is(err, ErrUnsupported) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				if data, _ := os.ReadFile(path); string(data) != test.want {
					t.Errorf("the document is %q, want %q", data, test.want)
				}
				if conflicts := doc.Stats().Conflicts; conflicts != 1 {
					t.Errorf("%d conflicts, want 1", conflicts)
				}
				checkUnlocked(t, doc)
			})
		}
	})
}

// TestGuardUnsupported: where names cannot be exchanged nothing is changed, and said why.
func TestGuardUnsupported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc := openFaulty(t, path, Options{GuardForeign: true}, func(op, _ string) error {
		if op == "exchange" {
			return errors.ErrUnsupported
		}
		return nil
	})
	_, err := doc.Update(context.Background(), increment)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "GuardForeign") {
		t.Errorf("%v, want ErrUnsupported and why", err)
	}
	if got := content(t, doc); got != "1" {
		t.Errorf("the document is %s", got)
	}
	checkUnlocked(t, doc)
}

// TestGuardNames: the name of what a guard has displaced tells what it is, and fits
// beside the longest document.
func TestGuardNames(t *testing.T) {
	name := guardedName{contentDigits([]byte("1")), contentDigits([]byte("2")),
		stampDigits(fsys.Info{Mtime: 3})}
	path := filepath.Join("dir", strings.Repeat("x", 213))
	guarded := filepath.Base(names.Guarded(path, name.String()))
	base, digits, ok := names.Temporary(guarded)
	if !ok || base != filepath.Base(path) || parseGuarded(digits) != name {
		t.Errorf("%s is taken for %q %q %v", guarded, base, digits, ok)
	}
	if len(guarded) > 255 {
		t.Errorf("%s has %d bytes", guarded, len(guarded))
	}
}

// TestGuardCannotPutBack: if what was displaced cannot be put back, it is kept, and the
// update, which is published, is not tried again as if it was a conflict.
func TestGuardCannotPutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	exchanges := 0
	doc := openFaulty(t, path, Options{GuardForeign: true}, func(op, _ string) error {
		if op == "exchange" {
			exchanges++
		}
		switch {
		case op != "exchange":
			return nil
		case exchanges == 2:
			return syscall.EIO
		case exchanges > 2:
			return nil
		}
		if err := os.WriteFile(path+"~", []byte("41"), 0o600); err != nil {
			return err
		}
		return os.Rename(path+"~", path)
	})
	_, err := doc.Update(context.Background(), increment)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrConflict) {
		t.Errorf("%v, want EIO and no conflict", err)
	}
	if got := content(t, doc); got != "2" {
		t.Errorf("the document is %s", got)
	}
	// The next handle puts it back, since nobody has gone on without it.
	next := open(t, path, Options{})
	if _, _, err := next.Sweep(context.Background()); err != nil {
		t.Error(err)
	}
	if got := content(t, doc); got != "41" {
		t.Errorf("the document is %s, want what was displaced", got)
	}
	checkUnlocked(t, doc)
}
