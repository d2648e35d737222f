//go:build !windows

package store

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// TestTransactGuardDies: whenever a guarded transaction dies, a version that another program has
// put in place in the last moment is in the document in the end, or beside it: it is never
// dropped, by a sweep neither.
func TestTransactGuardDies(t *testing.T) {
	needsExchange(t)
	for _, deletes := range []bool{false, true} {
		for _, again := range []bool{false, true} { // the program does so again
			deaths := 0
			for lives := 0; transactGuardDies(t, lives, deletes, again); lives++ {
				deaths++
			}
			if deaths < 5 {
				t.Errorf("only %d deaths", deaths)
			}
		}
	}
}

// transactGuardDies lets a transaction do some calls from its commit on. It reports whether it
// has died before its end.
func transactGuardDies(t *testing.T, lives int, deletes, again bool) (died bool) {
	t.Helper()
	ctx := context.Background()
	const foreign = `"foreign"`
	replace := func(path, data string) error {
		return errors.Join(os.WriteFile(path+"~", []byte(data), 0o600), os.Rename(path+"~", path))
	}
	calls, replaced := -1, false
	var a, b *Doc
	opts := Options{GuardForeign: true, FlushOrder: PortableOrder,
		Logger: slog.New(slog.DiscardHandler)}
	a, b = twoDocs(t, opts, func(op, name string) error {
		if a == nil || b == nil {
			return nil
		}
		if op == "truncate" && name == names.Intent(a.name) || calls >= 0 {
			calls++
		}
		if calls > lives {
			died = true
			return syscall.EIO
		}
		displaces := op == "exchange" && name == b.name || op == "rename" && calls > 0 &&
			strings.HasPrefix(filepath.Base(name), ".b.json.") && strings.HasSuffix(name, ".tmp")
		if displaces && !replaced {
			replaced = true
			return replace(b.name, foreign)
		}
		return nil
	})
	_ = Transact(ctx, func(tx *Tx) error {
		if err := tx.Write(a, []byte("2")); err != nil {
			return err
		}
		if deletes {
			return tx.Delete(b)
		}
		return tx.Write(b, []byte("2"))
	})
	if died && again && replaced {
		if err := replace(b.name, `"later"`); err != nil {
			t.Fatal(err)
		}
	}
	next := open(t, b.name, Options{})
	keep := func(old []byte) ([]byte, error) { return old, nil }
	for _, path := range []string{a.name, b.name} {
		doc := open(t, path, Options{})
		if _, err := doc.Update(ctx, keep); err != nil {
			t.Fatalf("after %d calls: %v", lives, err)
		}
		if _, _, err := doc.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var found []string
	entries, err := os.ReadDir(filepath.Dir(b.name))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(b.name), entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(entry.Name(), ".tx") {
			t.Errorf("after %d calls: there is %s", lives, entry.Name())
		}
		if strings.HasSuffix(entry.Name(), ".tmp") && (string(data) != foreign || !died) {
			t.Errorf("after %d calls: there is %s with %s", lives, entry.Name(), data)
		}
		found = append(found, string(data))
	}
	data, _, err := next.Read(ctx)
	if err != nil && !errors.Is(err, ErrNotExist) {
		t.Fatal(err)
	}
	switch {
	case replaced && !died && string(data) != foreign:
		t.Errorf("the foreign version became %q", data)
	case replaced && died && !again && string(data) != foreign:
		t.Errorf("after %d calls: the foreign version became %q of %q", lives, data, found)
	case replaced && died && again && string(data) != `"later"`:
		t.Errorf("after %d calls: the later version became %q of %q", lives, data, found)
	}
	return died
}

// TestTransactGuard: a guarded transaction leaves what another program has just put in place,
// and nothing else.
func TestTransactGuard(t *testing.T) {
	needsExchange(t)
	for _, name := range []string{"update", "delete"} {
		var a, b *Doc
		a, b = twoDocs(t, Options{GuardForeign: true}, func(op, name string) error {
			if a != nil && op == "truncate" && name == names.Intent(a.name) {
				putFile(t, b.name+"~", []byte(`"foreign"`))
				return os.Rename(b.name+"~", b.name)
			}
			return nil
		})
		err := Transact(context.Background(), func(tx *Tx) error {
			if name == "delete" {
				return errors.Join(tx.Delete(a), tx.Delete(b))
			}
			return errors.Join(tx.Update(a, increment), tx.Update(b, increment))
		})
		if err != nil {
			t.Fatal(name, err)
		}
		if got := reads(t, b); got != `"foreign"` {
			t.Errorf("%s: b is %s", name, got)
		}
		want := []string{".a.json.lock", ".b.json.lock", "a.json", "b.json"}
		if name == "delete" {
			want = slices.Delete(want, 2, 3)
		}
		wantFiles(t, b, want...)
	}
}

// TestRecoveryGuards: who finishes a guarded transaction guards as well: what another program
// puts in place meanwhile stays.
func TestRecoveryGuards(t *testing.T) {
	needsExchange(t)
	path := filepath.Join(t.TempDir(), "doc.json")
	putFile(t, path, []byte("1"))
	in := stagedIntent(t, path, "7")
	staged, err := fsys.New().Lstat(names.Transaction(path, someID))
	mustDo(t, err)
	name := guardedName{contentDigits([]byte("1")), contentDigits([]byte("7")),
		stampDigits(staged)}
	in.Committed, in.Guarded = true, name.String()
	putIntent(t, path, in)
	replaced := false
	doc := openFaulty(t, path, Options{}, func(op, name string) error {
		if (op == "exchange" || op == "rename") && name == path && !replaced {
			replaced = true
			putFile(t, path+"~", []byte("41"))
			return os.Rename(path+"~", path)
		}
		return nil
	})
	if _, err := doc.Update(context.Background(), increment); err != nil || !replaced {
		t.Fatal(replaced, err)
	}
	if got := reads(t, doc); got != "42" {
		t.Errorf("it is %s, want 42", got)
	}
	wantFiles(t, doc, ".doc.json.lock", "doc.json")
}
