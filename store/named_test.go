package store

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// afterNew is the real file system, where something happens once a file was made.
type afterNew struct {
	fsys.FS
	do func(name string)
}

func (f *afterNew) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	file, err := f.FS.Open(name, how, perm)
	if do := f.do; how == fsys.OpenNew && err == nil && do != nil {
		f.do = nil
		do(name)
	}
	return file, err
}

// twoOf are tries at an update of one document, through two handles.
func twoOf(t *testing.T, opts Options) (path string, one, other *attempt) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	var tries []*attempt
	for range 2 {
		doc := open(t, path, opts)
		files := doc.drv.files
		files.shared.rows.due(path) // it has been looked at
		try := files.Attempt(doc.key).(*attempt)
		t.Cleanup(try.Close)
		if _, _, err := try.Read(context.Background()); err != nil {
			t.Fatal(err)
		}
		tries = append(tries, try)
	}
	return path, tries[0], tries[1]
}

// half is what another writer has written so far, at the first place that is free.
func half(t *testing.T, try *attempt) *staged {
	t.Helper()
	s, err := try.d.createStaged(try.path, 0o600)
	if err == nil {
		_, err = s.file.Write([]byte(`{"half":`))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publishes lets a try publish, and wants it not to publish what is another writer's.
func publishes(t *testing.T, try *attempt, want string) {
	t.Helper()
	if ok, err := try.TryLock(context.Background()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	_, err := try.Publish(context.Background())
	got, readErr := os.ReadFile(try.path)
	if readErr != nil || string(got) != "0" && (err != nil || string(got) != want) {
		t.Errorf("published %q, and was told %v (%v)", got, err, readErr)
	}
}

// TestAnotherHasTheName: a staged file loses its name, by a program that removes it or moves the
// directory away, and another writer has that by now. What is half written is not published,
// nor removed.
func TestAnotherHasTheName(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	for _, opts := range []Options{{}, {Durability: Ordered}, {Durability: Volatile},
		{GuardForeign: true}} {
		t.Run(opts.Durability.String(), func(t *testing.T) {
			_, one, other := twoOf(t, opts)
			if err := one.Stage(ctx, []byte("1")); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(one.staged.path); err != nil {
				t.Fatal(err)
			}
			theirs := half(t, other)
			publishes(t, one, "1")
			if named, err := theirs.isNamed(); err != nil || !named {
				t.Errorf("the other writer's file is gone: %v", err)
			}
			theirs.discard()
		})
	}
}

// TestLinkedBeforeItIsLocked: a backup gives a staged file a second name before it is locked,
// and a sweep takes the first one.
func TestLinkedBeforeItIsLocked(t *testing.T) {
	needsPaths(t)
	path, one, other := twoOf(t, Options{})
	backup := filepath.Join(t.TempDir(), "backup")
	one.d.files = &afterNew{one.d.files, func(name string) {
		if err := os.Link(name, backup); err != nil {
			t.Fatal(err)
		}
		other.d.sweep(path)
		half(t, other)
	}}
	if err := one.Stage(context.Background(), []byte("1")); err != nil {
		t.Fatal(err)
	}
	publishes(t, one, "1")
}

// TestNothingIsSweptBesideAnEmptyDocument: its content may be in a temporary file, as after a
// power cut.
func TestNothingIsSweptBesideAnEmptyDocument(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	left := names.Place(path, 0)
	for name, content := range map[string]string{path: "", left: `{"precious":1}`} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc := open(t, path, Options{})
	_, version, err := doc.Read(ctx)
	if err == nil || !strings.Contains(err.Error(), filepath.Base(left)) {
		t.Errorf("read: %v, want where its content may be", err)
	}
	if removed, kept, err := doc.Sweep(ctx); err != nil || len(removed) > 0 ||
		!slices.Equal(kept, []string{filepath.Base(left)}) {
		t.Errorf("swept %q, left %q, %v", removed, kept, err)
	}
	if _, err := doc.CompareAndSwap(ctx, version, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(left); err != nil || string(got) != `{"precious":1}` {
		t.Errorf("%s, %v", got, err)
	}
}
