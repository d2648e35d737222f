//go:build unix

package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// moveLink has a link lead elsewhere, in one step.
func moveLink(t *testing.T, link, target string) {
	t.Helper()
	if err := errors.Join(os.Symlink(target, link+"~"), os.Rename(link+"~", link)); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v; want %s", filepath.Base(path), got, err, want)
	}
}

// TestMovedLinks: a handle does what opening the path anew would do, when a link at the
// document or on the way to it leads elsewhere.
func TestMovedLinks(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct{ link, first, second, document string }{
		"at the document":       {"cur.json", "a.json", "b.json", "cur.json"},
		"on the way":            {"data", "v1", "v2", "data/s.json"},
		"a link to one of both": {"..data", "v1", "v2", "s.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			first, second := at(c.first), at(c.second)
			if c.first != "a.json" {
				if err := errors.Join(os.Mkdir(first, 0o700), os.Mkdir(second, 0o700)); err != nil {
					t.Fatal(err)
				}
				first, second = filepath.Join(first, "s.json"), filepath.Join(second, "s.json")
			}
			if err := errors.Join(os.WriteFile(first, []byte("1"), 0o600),
				os.WriteFile(second, []byte("10"), 0o600)); err != nil {
				t.Fatal(err)
			}
			moveLink(t, at(c.link), c.first)
			if c.link == "..data" { // as in a mounted ConfigMap
				moveLink(t, at("s.json"), "..data/s.json")
			}
			doc := open(t, at(c.document), Options{})
			if _, err := doc.Update(ctx, increment); err != nil {
				t.Fatal(err)
			}
			wantFile(t, first, "2")
			_, version, err := doc.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}

			moveLink(t, at(c.link), c.second)
			if got := content(t, doc); got != "10" {
				t.Errorf("read %s, want 10", got)
			}
			if _, err := doc.CompareAndSwap(ctx, version, []byte("3")); !errors.Is(err,
				ErrConflict) {
				t.Errorf("a swap of what the link has led to: %v", err)
			}
			if _, err := doc.Update(ctx, increment); err != nil {
				t.Fatal(err)
			}
			wantFile(t, first, "2")
			wantFile(t, second, "11")

			moveLink(t, at(c.link), c.first)
			if info, err := doc.Inspect(ctx); err != nil || info.Size != 1 ||
				info.Path != mustEval(t, first) {
				t.Errorf("inspected: %+v, %v", info, err)
			}

			// Where nothing is, it is as with a path that is opened anew.
			moveLink(t, at(c.link), "nowhere")
			again, openErr := OpenFile(at(c.document), nil)
			if openErr == nil {
				_, openErr = again.Update(ctx, increment)
				again.Close()
			}
			// The document is made there, if the directory is there.
			_, err = doc.Update(ctx, increment)
			made, readErr := os.ReadFile(at(c.document))
			if (err == nil) != (openErr == nil) || err == nil && string(made) != "2" ||
				err != nil && readErr == nil {
				t.Errorf("of a link to nothing: %v; opened anew: %v; made %q", err, openErr, made)
			}
			wantFile(t, first, "2")
			wantFile(t, second, "11")
		})
	}
}

func mustEval(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMovedToOwnName: a link that is moved to a file of the store's own is refused then.
func TestMovedToOwnName(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "a.json"), filepath.Join(dir, "cur.json")
	if err := os.WriteFile(target, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	moveLink(t, link, "a.json")
	doc := open(t, link, Options{})
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	moveLink(t, link, ".a.json.lock")
	_, err := doc.Update(context.Background(), increment)
	if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "name the document") {
		t.Error(err)
	}
	wantFile(t, target, "2")
}
