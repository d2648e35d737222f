//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// TestSnapshotBank: transfers between accounts by transactions, while snapshots are made. The sum
// is the same in each. Beside them, one document is always updated after another.
func TestSnapshotBank(t *testing.T) {
	const accounts, each = 60, 100
	documents := map[string]string{"first": "[0]", "second": "[0]"}
	for i := range accounts {
		documents[strconv.Itoa(i)] = fmt.Sprintf("[%d]", each)
	}
	db, dir := openWith(t, Options{Durability: Volatile}, documents)
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	var transfers atomic.Int64
	add := func(tx *Tx, doc *Doc, n int) error { _, err := tx.Add(doc, "0", n); return err }
	worker := func(do func(other *DB, i int) error) {
		other, err := Open(dir, &Options{Durability: Volatile})
		if err != nil {
			t.Fatal(err)
		}
		writers.Go(func() {
			defer other.Close()
			for i := 0; ctx.Err() == nil; i++ {
				if err := do(other, i); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for w := range 2 {
		worker(func(other *DB, i int) error {
			transfers.Add(1)
			from, to := (i*7+w)%accounts, (i*13+5*w+1)%accounts
			if from == to {
				return nil
			}
			return other.Transact(ctx, func(tx *Tx) error {
				err := add(tx, tx.Doc(strconv.Itoa(from)), -1)
				return errors.Join(err, add(tx, tx.Doc(strconv.Itoa(to)), 1))
			})
		})
	}
	worker(func(other *DB, i int) error { // and makes and deletes two, always both
		if _, _, err := other.Doc("first").Add(ctx, "0", 1); err != nil {
			return err
		}
		if _, _, err := other.Doc("second").Add(ctx, "0", 1); err != nil || i%16 > 0 {
			return err
		}
		return other.Transact(ctx, func(tx *Tx) error {
			for _, key := range []string{"x", "y"} {
				if i%32 == 0 {
					if err := tx.Write(tx.Doc(key), []byte("0")); err != nil {
						return err
					}
					continue
				}
				err := tx.Delete(tx.Doc(key))
				if err != nil && !errors.Is(err, ErrNotExist) {
					return err
				}
			}
			return nil
		})
	})
	rounds, atLeast := 0, int64(1000)
	if testing.Short() {
		atLeast = 200
	}
	for deadline := time.Now().Add(time.Minute); (rounds < 20 || transfers.Load() < atLeast) &&
		time.Now().Before(deadline); rounds++ {
		i := rounds
		s := snapshotOf(t, db, fmt.Sprint("s", i))
		sum, ordered := 0, map[string]int{}
		found := contents(t, s)
		for key, content := range found {
			n, err := strconv.Atoi(strings.Trim(content, "[]"))
			switch {
			case err != nil:
				t.Fatalf("%s: %q", key, content)
			case key == "first" || key == "second":
				ordered[key] = n
			case key != "x" && key != "y":
				sum += n
			}
		}
		if sum != accounts*each {
			t.Errorf("the sum is %d", sum)
		}
		if first, second := ordered["first"], ordered["second"]; first != second &&
			first != second+1 {
			t.Errorf("first %d, second %d", first, second)
		}
		if _, x := found["x"]; x != (found["y"] != "") {
			t.Errorf("half of a creation or deletion: %v", found)
		}
		s.Close()
		if err := db.DeleteSnapshot(ctx, fmt.Sprint("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	writers.Wait()
	t.Logf("%d snapshots, %d with locks, beside %d transfers", rounds, db.Stats().Escalations,
		transfers.Load())
}

func TestRestoreSnapshot(t *testing.T) {
	ctx := context.Background()
	const before = "map[a:[1] b/c:[2] d:[3]]"
	for name, c := range map[string]struct {
		opts     *RestoreOptions
		want     string // contents afterwards
		restored string // keys, with + if they were created and - if they were deleted
		err      error
	}{
		"all":                {nil, "map[a:[1] b/c:[2] d:[3] new:[5]]", "[a +b/c]", nil},
		"one":                {&RestoreOptions{Keys: []string{"a"}}, "map[a:[1] d:[3] new:[5]]", "[a]", nil},
		"two, named twice":   {&RestoreOptions{Keys: []string{"b/c", "a", "a"}}, "map[a:[1] b/c:[2] d:[3] new:[5]]", "[a +b/c]", nil},
		"none":               {&RestoreOptions{Keys: []string{}}, "map[a:[4] d:[3] new:[5]]", "[]", nil},
		"one that has not":   {&RestoreOptions{Keys: []string{"a", "new"}}, "", "", ErrNotExist},
		"and delete others":  {&RestoreOptions{DeleteOthers: true}, before, "[a +b/c -new]", nil},
		"one, and delete it": {&RestoreOptions{Keys: []string{"new", "none"}, DeleteOthers: true}, "map[a:[4] d:[3]]", "[-new]", nil},
		"a dry run":          {&RestoreOptions{DryRun: true, DeleteOthers: true}, "map[a:[4] d:[3] new:[5]]", "[a +b/c -new]", nil},
		"as expected": {&RestoreOptions{Expect: map[string]Version{"a": hashVersion([]byte("[4]")), "b/c": Absent}},
			"map[a:[1] b/c:[2] d:[3] new:[5]]", "[a +b/c]", nil},
		"not as expected":       {&RestoreOptions{Expect: map[string]Version{"a": hashVersion([]byte("[1]"))}}, "", "", ErrConflict},
		"an absent one is not":  {&RestoreOptions{Expect: map[string]Version{"d": Absent}}, "", "", ErrConflict},
		"one not restored":      {&RestoreOptions{Keys: []string{"a"}, Expect: map[string]Version{"d": Absent}}, "", "", ErrKey},
		"a key that cannot be":  {&RestoreOptions{Keys: []string{"../x"}, DeleteOthers: true}, "", "", ErrKey},
		"a key that is invalid": {&RestoreOptions{Keys: []string{"broken"}}, "", "", ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			documents := map[string]string{"a": "[1]", "b/c": "[2]", "d": "[3]"}
			if errors.Is(c.err, ErrInvalid) {
				documents["broken"] = "["
			}
			db, dir := openWith(t, Options{}, documents)
			s := snapshotOf(t, db, "s")
			a := filepath.Join(dir, "a.json")
			err := errors.Join(os.WriteFile(a, []byte("[4]"), 0o600), os.Chmod(a, 0o644),
				os.Remove(filepath.Join(dir, "b", "c.json")),
				os.WriteFile(filepath.Join(dir, "new.json"), []byte("[5]"), 0o600))
			if errors.Is(c.err, ErrInvalid) {
				err = errors.Join(err, os.Remove(filepath.Join(dir, "broken.json")))
			}
			if err != nil {
				t.Fatal(err)
			}
			restored, err := s.Restore(ctx, c.opts)
			if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
				t.Fatalf("%v, %v", restored, err)
			}
			want := c.want
			if c.err != nil {
				want = "map[a:[4] d:[3] new:[5]]"
			} else {
				keys := []string{}
				for _, r := range restored {
					sign := ""
					switch {
					case r.Before.IsAbsent():
						sign = "+"
					case r.Version.IsAbsent():
						sign = "-"
					}
					keys = append(keys, sign+r.Key)
					_, version, _ := db.Doc(r.Key).Read(ctx)
					if dry := c.opts != nil && c.opts.DryRun; !dry && version != r.Version {
						t.Errorf("%s has %v, not %v", r.Key, version, r.Version)
					}
				}
				if got := fmt.Sprint(keys); got != c.restored {
					t.Errorf("restored %s", got)
				}
			}
			now := contents(t, snapshotOf(t, db, "now"))
			if got := fmt.Sprint(now); got != want {
				t.Errorf("%s, not %s", got, want)
			}
			if info, err := os.Stat(a); err != nil ||
				os.PathSeparator == '/' && info.Mode().Perm() != 0o644 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

// TestRestoreBroken: a document that is broken by now is restored.
func TestRestoreBroken(t *testing.T) {
	db, dir := openWith(t, Options{}, map[string]string{"a": "[1]", "b": "[2]"})
	s := snapshotOf(t, db, "s")
	for name, content := range map[string]string{"a.json": "", "b.json": `{"n":`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dry := range []bool{true, false} {
		restored, err := s.Restore(context.Background(), &RestoreOptions{DryRun: dry})
		if err != nil || len(restored) != 2 {
			t.Errorf("%v, %v", restored, err)
		}
	}
	if now := fmt.Sprint(contents(t, snapshotOf(t, db, "now"))); now != "map[a:[1] b:[2]]" {
		t.Error(now)
	}
}

// TestRestoreMany: a transaction has a limit of documents. Those that need no change do not
// count if there are more.
func TestRestoreMany(t *testing.T) {
	if testing.Short() {
		t.Skip("makes some thousand documents, and -short is set")
	}
	ctx := context.Background()
	const documents = maxInTransaction + 4
	db, dir := openWith(t, Options{Durability: Volatile}, nil)
	makeMany(t, dir, documents)
	s := snapshotOf(t, db, "s")
	before := contents(t, s)
	if len(before) != documents {
		t.Fatal(len(before))
	}
	change := func(n int) {
		t.Helper()
		for i := range n {
			path := filepath.Join(dir, strconv.Itoa(i)+".json")
			if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	change(5)
	restored, err := s.Restore(ctx, nil)
	if err != nil || len(restored) != 5 {
		t.Errorf("%v, %v", restored, err)
	}
	if now := contents(t, snapshotOf(t, db, "now")); !maps.Equal(now, before) {
		t.Error("it is not what it was")
	}
	change(documents)
	if _, err := s.Restore(ctx, nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	keys := slices.Sorted(maps.Keys(before))
	restored, err = s.Restore(ctx, &RestoreOptions{Keys: keys[:maxInTransaction]})
	if err != nil || len(restored) != maxInTransaction {
		t.Errorf("%d, %v", len(restored), err)
	}
	if restored, err = s.Restore(ctx, nil); err != nil || len(restored) != 4 {
		t.Errorf("%v, %v", restored, err)
	}
}

// TestRestoreIsOne: a document that has its content already is part of the transaction: if it
// changes meanwhile, it is restored too.
func TestRestoreIsOne(t *testing.T) {
	ctx := context.Background()
	db, dir := openWith(t, Options{}, map[string]string{"a": "[1]", "b": "[1]"})
	s := snapshotOf(t, db, "s")
	if _, err := db.Doc("b").Update(ctx, become("[2]")); err != nil {
		t.Fatal(err)
	}
	other, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	changed := false
	db.drv.files.files = &openingFS{FS: db.drv.files.files, opens: func(name string) {
		// The transaction reads b after a. The looks before it, if there are any, have it open too.
		if name == "b.json" && !changed {
			changed = true
			done := make(chan error)
			go func() { // not within the transaction
				_, err := other.Doc("a").Update(ctx, become("[3]"))
				done <- err
			}()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}}
	if _, err := s.Restore(ctx, nil); err != nil || !changed {
		t.Errorf("changed %v: %v", changed, err)
	}
	if now := fmt.Sprint(contents(t, snapshotOf(t, other, "now"))); now != "map[a:[1] b:[1]]" {
		t.Error(now)
	}
}

// openingFS tells of each document before it is opened.
type openingFS struct {
	fsys.FS
	opens func(name string)
}

func (f *openingFS) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	if how == fsys.OpenExisting {
		f.opens(name)
	}
	return f.FS.Open(name, how, perm)
}
