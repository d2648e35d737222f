package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/names"
)

// TestGuardDies: whenever a guard dies, the next update by a handle that has been used
// before puts right what it left, and builds on the foreign version.
func TestGuardDies(t *testing.T) {
	needsExchange(t)
	ctx := context.Background()
	for name, do := range map[string]func(doc *Doc) error{
		"update": func(doc *Doc) error { _, err := doc.Update(ctx, increment); return err },
		"delete": func(doc *Doc) error {
			_, version, err := doc.Read(ctx)
			if err == nil {
				err = doc.CompareAndDelete(ctx, version)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for lives, died := 0, true; died; lives++ {
				died = guardDies(t, do, lives)
			}
		})
	}
}

// guardDies lets a guard do some calls from when it notes what it is about to displace, and
// reports whether it has died before its end.
func guardDies(t *testing.T, do func(*Doc) error, lives int) (died bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	living := open(t, path, Options{})
	if _, err := living.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	calls, foreign := -1, false
	opts := Options{GuardForeign: true, Retry: Retry{MaxTries: 1}}
	guard := openFaulty(t, path, opts, func(op, name string) error {
		if op == "symlink" || calls >= 0 {
			calls++
		}
		if calls > lives {
			died = true
			return syscall.EIO
		}
		displaces := op == "exchange" || op == "rename" && strings.HasSuffix(name, ".tmp")
		if displaces && calls > 1 && !foreign {
			foreign = true
			if err := os.WriteFile(path+"~", []byte("41"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+"~", path)
		}
		return nil
	})
	err := do(guard)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if _, err := living.Update(context.Background(), increment); err != nil {
		t.Fatalf("after %d calls: %v", lives, err)
	}
	want := []string{"3", "4", "1"} // the guard's was not published, was published, was a deletion
	if foreign {
		want = []string{"42"}
	}
	if got := content(t, living); died && !slices.Contains(want, got) {
		t.Errorf("after %d calls: the document is %s, want one of %q", lives, got, want)
	}
	if _, err := os.Lstat(names.Intent(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after %d calls: the intent is still there: %v", lives, err)
	}
	// What it has staged, and not yet displaced, is left to a handle's first update.
	if _, err := open(t, path, Options{}).Update(context.Background(), increment); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".doc.json.*"))
	if err != nil || len(left) != 1 || left[0] != names.Lock(path) {
		t.Errorf("after %d calls: left are %q, %v", lives, left, err)
	}
	return died
}
