package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// TestSweepLent: what a process that has lent the lock has left is swept when the lock is free,
// and what is not its file is left alone.
func TestSweepLent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.json")
	doc := open(t, path, Options{})
	if _, err := doc.Update(t.Context(), become("1")); err != nil {
		t.Fatal(err)
	}
	digits := strings.Repeat("0", names.TransactionDigits)
	var lent []string
	for _, shared := range []bool{false, true} {
		name := names.Held(names.Lock(path), digits, shared)
		lent = append(lent, filepath.Base(name))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	others := filepath.Join(filepath.Dir(path), ".d.json."+digits[1:]+".held")
	if err := os.WriteFile(others, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := fsys.New().Open(names.Lock(path), fsys.OpenLock, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if locked, err := lock.TryLockShared(); err != nil || !locked {
		t.Fatal(locked, err)
	}
	if removed, _, err := doc.Sweep(t.Context()); err != nil || len(removed) > 0 {
		t.Errorf("while the lock is held, %v was swept, %v", removed, err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	info, err := doc.Inspect(t.Context())
	if slices.Sort(info.Orphans); err != nil || !slices.Equal(info.Orphans, lent) {
		t.Errorf("inspected: %v, %v", info.Orphans, err)
	}
	removed, left, err := doc.Sweep(t.Context())
	if slices.Sort(removed); err != nil || len(left) > 0 || !slices.Equal(removed, lent) {
		t.Errorf("swept %v, left %v, %v; want %v", removed, left, err, lent)
	}
	for _, name := range lent {
		_, err := os.Lstat(filepath.Join(filepath.Dir(path), name))
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(others); err != nil {
		t.Error(err)
	}
}
