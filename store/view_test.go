//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// impatient returns a context that ends before a test that hangs would.
func impatient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// aside runs do on another goroutine, since an update within the function of a
// transaction is an error.
func aside(do func() error) error {
	done := make(chan error)
	go func() { done <- do() }()
	return <-done
}

// all reads documents, as one text. An absent document is "-".
func all(tx *Tx, docs ...*Doc) (string, error) {
	var texts []string
	for _, doc := range docs {
		data, _, err := tx.Read(doc)
		if errors.Is(err, ErrNotExist) {
			data, err = []byte("-"), nil
		}
		if err != nil {
			return "", err
		}
		texts = append(texts, string(data))
	}
	return strings.Join(texts, " "), nil
}

// TestSecondLookFails: a document that cannot be looked at again does not count as
// unchanged.
func TestSecondLookFails(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "a", "b")
	failing := false
	a := openFaulty(t, filepath.Join(dir, "a.json"), Options{}, func(op, name string) error {
		if failing && op == "lstat" {
			return syscall.EIO
		}
		return nil
	})
	b := open(t, filepath.Join(dir, "b.json"), Options{})
	refusal := errors.New("refused")
	for _, refuses := range []bool{false, true} {
		failing = false
		err := View(ctx, func(tx *Tx) error {
			if _, err := all(tx, a); err != nil {
				return err
			}
			if err := aside(func() error {
				return db.Transact(ctx, func(tx *Tx) error {
					return errors.Join(tx.Update(db.Doc("a"), increment),
						tx.Update(db.Doc("b"), increment))
				})
			}); err != nil {
				return err
			}
			_, err := all(tx, b)
			failing = true
			if refuses {
				err = refusal
			}
			return err
		})
		if !errors.Is(err, syscall.EIO) || refuses && !errors.Is(err, refusal) {
			t.Errorf("refuses=%v: %v", refuses, err)
		}
	}
}

// unsure is an engine whose commits fail.
type unsure struct{ *memdriver.Driver }

func (unsure) Commit(context.Context, []driver.Change) ([]Version, error) {
	return nil, syscall.EIO
}

// TestSecondLookFailsInEngine is the same for an engine.
func TestSecondLookFailsInEngine(t *testing.T) {
	ctx := impatient(t)
	db, err := New(unsure{memdriver.New()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if _, err := db.Doc(key).Create(ctx, []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	err = db.View(ctx, func(tx *Tx) error {
		_, err := all(tx, db.Doc("a"), db.Doc("b"))
		return err
	})
	if !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}

// TestKeysOfTheDead: a process died in the middle of a transaction. A view lists, and
// reads, all of its creations or none, and all of its deletions or none.
func TestKeysOfTheDead(t *testing.T) {
	ctx := impatient(t)
	for name, c := range map[string]struct {
		before, published string
		committed         bool
		deletes           bool
		want              string
	}{
		"creations, one published":   {published: "x", committed: true, want: "x=7 y=7"},
		"creations, none published":  {committed: true, want: "x=7 y=7"},
		"creations, not committed":   {want: ""},
		"deletions, one published":   {before: "xy", published: "x", committed: true, deletes: true},
		"deletions, none published":  {before: "xy", committed: true, deletes: true},
		"deletions, not committed":   {before: "xy", deletes: true, want: "x=1 y=1"},
		"a change, one published":    {before: "xy", published: "x", committed: true, want: "x=7 y=7"},
		"a creation, beside another": {before: "x", published: "x", committed: true, want: "x=7 y=7"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db := openKeys(t, dir, Options{}, strings.Split(c.before, "")...)
			for _, key := range []string{"x", "y"} {
				path := filepath.Join(dir, key+keySuffix)
				in := stagedIntent(t, path, "7")
				staged := names.Transaction(path, someID)
				if c.deletes {
					if err := os.Remove(staged); err != nil {
						t.Fatal(err)
					}
					in.New = identity{}
				}
				if key == "x" {
					in.Committed = c.committed
					if c.committed {
						in.Members = []string{"y.json"}
					}
				} else {
					in.Home = "x.json"
				}
				putIntent(t, path, in)
				var err error
				switch {
				case !strings.Contains(c.published, key):
				case c.deletes:
					err = os.Remove(path)
				default:
					err = os.Rename(staged, path)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			var found []string
			if err := db.View(ctx, func(tx *Tx) error {
				keys, err := tx.Keys("")
				if err != nil {
					return err
				}
				found = nil
				for _, key := range keys {
					content, err := all(tx, tx.Doc(key))
					if err != nil {
						return err
					}
					found = append(found, key+"="+content)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(found, " "); got != c.want {
				t.Errorf("the view has %q, want %q", got, c.want)
			}
			_, err := os.Lstat(names.Lock(filepath.Join(dir, "x.json")))
			if !errors.Is(err, ErrNotExist) {
				t.Errorf("the view took a lock: %v", err)
			}
		})
	}
}

// TestKeysComeAndGo: keys that were listed are those at the moment of which the
// documents are, also if a document came and went in the meantime.
func TestKeysComeAndGo(t *testing.T) {
	ctx := impatient(t)
	for _, documents := range []int{0, 1, 2} { // of those that are read
		db := openKeys(t, t.TempDir(), Options{}, "a", "b")
		a, b, c := db.Doc("a"), db.Doc("b"), db.Doc("c")
		runs := 0
		seen, listed := "", ""
		err := db.View(ctx, func(tx *Tx) error {
			runs++
			keys, err := tx.Keys("")
			if err != nil {
				return err
			}
			listed = strings.Join(keys, " ")
			if runs == 1 {
				if err := aside(func() error {
					return db.Transact(ctx, func(tx *Tx) error {
						return errors.Join(tx.Write(a, []byte("2")), tx.Write(b, []byte("2")),
							tx.Write(c, []byte("2")))
					})
				}); err != nil {
					return err
				}
			}
			if seen, err = all(tx, []*Doc{a, b}[:documents]...); err != nil {
				return err
			}
			if runs == 1 && documents > 0 {
				// The listing is right again, but the documents have changed too.
				return aside(func() error {
					return db.Transact(ctx, func(tx *Tx) error {
						return errors.Join(tx.Write(a, []byte("3")), tx.Write(b, []byte("3")),
							tx.Delete(c))
					})
				})
			}
			return nil
		})
		want := map[int]string{0: " of a b c", 1: "3 of a b", 2: "3 3 of a b"}[documents]
		if got := seen + " of " + listed; err != nil || got != want || runs != 2 {
			t.Errorf("%d documents, %d runs: %q, want %q; %v", documents, runs, got, want, err)
		}
	}
}

// TestKeysAgain: a listing is right again by the time it is compared, but a document that was
// read is not.
func TestKeysAgain(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	other := openKeys(t, dir, Options{}, "a")
	files, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	listings := 0
	db, err := openFiles(&simfs.Faulty{FS: files, Inject: func(op, _ string) simfs.Fault {
		if op == "readdir" {
			if listings++; listings == 2 {
				return simfs.Fault{Err: aside(func() error {
					return other.Transact(ctx, func(tx *Tx) error {
						return errors.Join(tx.Write(other.Doc("a"), []byte("3")),
							tx.Delete(other.Doc("c")))
					})
				})}
			}
		}
		return simfs.Fault{}
	}}, "", ".", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	runs, seen := 0, ""
	err = db.View(ctx, func(tx *Tx) error {
		keys, err := tx.Keys("")
		if err != nil {
			return err
		}
		if runs++; runs == 1 {
			if err := aside(func() error {
				return other.Transact(ctx, func(tx *Tx) error {
					return errors.Join(tx.Write(other.Doc("a"), []byte("2")),
						tx.Create(other.Doc("c"), []byte("2")))
				})
			}); err != nil {
				return err
			}
		}
		seen, err = all(tx, db.Doc("a"))
		seen += " of " + strings.Join(keys, " ")
		return err
	})
	if err != nil || seen != "3 of a" || runs != 2 {
		t.Errorf("%d runs: %q, %v", runs, seen, err)
	}
}

// TestKeysMixed: a document moves while its directory is listed, so that each listing has
// both of its names, which never were there together.
func TestKeysMixed(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	other := openKeys(t, dir, Options{}, "b")
	a, b := other.Doc("a"), other.Doc("b")
	flip := func(from, to *Doc) error {
		return aside(func() error {
			return other.Transact(ctx, func(tx *Tx) error {
				return errors.Join(tx.Delete(from), tx.Create(to, []byte("1")))
			})
		})
	}
	if err := errors.Join(flip(b, a), flip(a, b)); err != nil { // which makes lock files
		t.Fatal(err)
	}
	files, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	steps := []string{"", "lstat a.json", "readdir .", "lstat a.json"}
	next := 0
	db, err := openFiles(&simfs.Faulty{FS: files, Inject: func(op, name string) simfs.Fault {
		if next == 0 || next == len(steps) || op+" "+name != steps[next] {
			return simfs.Fault{}
		}
		next++
		if next == 3 {
			return simfs.Fault{Err: flip(a, b)}
		}
		return simfs.Fault{Err: flip(b, a)}
	}}, "", ".", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	next = 1
	var keys []string
	err = db.View(ctx, func(tx *Tx) (err error) {
		keys, err = tx.Keys("")
		return err
	})
	if err != nil || strings.Join(keys, " ") != "a" || next != len(steps) {
		t.Errorf("after %d steps: %q, %v", next, keys, err)
	}
}

// TestKeysIntentComes: a transaction that creates a document commits after the listing,
// and its process dies.
func TestKeysIntentComes(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "a")
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	runs, seen := 0, ""
	err := db.View(ctx, func(tx *Tx) error {
		keys, err := tx.Keys("")
		if err != nil {
			return err
		}
		if runs++; runs == 1 {
			in := stagedIntent(t, a, "7")
			in.Committed, in.Members = true, []string{"b.json"}
			putIntent(t, a, in)
			in = stagedIntent(t, b, "7")
			in.Home = "a.json"
			putIntent(t, b, in)
		}
		var docs []*Doc
		for _, key := range keys {
			docs = append(docs, tx.Doc(key))
		}
		seen, err = all(tx, docs...)
		return err
	})
	if err != nil || seen != "7 7" || runs != 2 {
		t.Errorf("%d runs: %q, %v", runs, seen, err)
	}
}

// TestKeysRefused: the listing counts for a function that returns an error too.
func TestKeysRefused(t *testing.T) {
	ctx := impatient(t)
	db := openKeys(t, t.TempDir(), Options{}, "a")
	runs := 0
	err := db.View(ctx, func(tx *Tx) error {
		runs++
		keys, err := tx.Keys("")
		if err != nil || len(keys) > 1 {
			return err
		}
		_, err = db.Doc("b").Create(ctx, []byte("1"))
		return errors.Join(errors.New("b is missing"), err)
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs: %v", runs, err)
	}
}

// TestViewMakesNothing: a view needs no permission to write, and leaves no file, not even
// the lock files of absent documents.
func TestViewMakesNothing(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "a")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	runs := 0
	docs := []*Doc{db.Doc("a"), db.Doc("b"), db.Doc("c"), db.Doc("d/e")}
	for _, lists := range []bool{false, true} {
		seen := ""
		err := db.View(ctx, func(tx *Tx) (err error) {
			runs++
			if lists {
				if _, err := tx.Keys(""); err != nil {
					return err
				}
			}
			seen, err = all(tx, docs...)
			return err
		})
		if err != nil || seen != "1 - - -" {
			t.Errorf("lists=%v: %q, %v", lists, seen, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || runs != 2 {
		t.Errorf("%d runs left %v, %v", runs, entries, err)
	}
}

// TestAbsentComesAndGoes: two absent documents are absent at one moment, though each was
// there whenever the other was looked at. They have lock files, so that they may come and
// go, and the view takes their locks.
func TestAbsentComesAndGoes(t *testing.T) {
	ctx := impatient(t)
	for _, refuses := range []bool{false, true} {
		dir := t.TempDir()
		db := openKeys(t, dir, Options{}, "b")
		a, b := db.Doc("a"), db.Doc("b")
		flip := func(from, to *Doc) error {
			return aside(func() error {
				return db.Transact(ctx, func(tx *Tx) error {
					return errors.Join(tx.Delete(from), tx.Create(to, []byte("1")))
				})
			})
		}
		refusal := errors.New("refused")
		looks, seen := 0, ""
		step := func(op, name string) error {
			// A look at a, one at b, and the second ones: each finds nothing.
			base := filepath.Base(name)
			if looks < 4 && (op == "open" || op == "lstat") && base == []string{"a.json",
				"b.json"}[looks%2] {
				from, to := b, a
				if looks%2 == 0 {
					from, to = a, b
				}
				looks++
				if looks > 1 {
					return flip(from, to)
				}
			}
			return nil
		}
		x := openFaulty(t, filepath.Join(dir, "a.json"), Options{}, step)
		y := openFaulty(t, filepath.Join(dir, "b.json"), Options{}, step)
		do := View
		if refuses {
			do = Transact
		}
		if err := errors.Join(flip(b, a), flip(a, b)); err != nil { // which makes lock files
			t.Fatal(err)
		}
		err := do(ctx, func(tx *Tx) (err error) {
			if seen, err = all(tx, x, y); refuses && err == nil {
				err = refusal
			}
			return err
		})
		if refuses && errors.Is(err, refusal) {
			err = nil
		}
		if err != nil || strings.Count(seen, "1") != 1 {
			t.Errorf("refuses=%v, after %d looks: %q, %v", refuses, looks, seen, err)
		}
	}
}

// TestAbsentBoth: the locks of two documents that were deleted show that they are absent
// together, also for a transaction that takes no locks for a conflict.
func TestAbsentBoth(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{Retry: Retry{EscalateAfter: -1, MaxTries: 2}}, "a", "b")
	docs := []*Doc{db.Doc("a"), db.Doc("b"), db.Doc("c")}
	for _, doc := range docs[:2] {
		if err := doc.Delete(ctx); err != nil {
			t.Fatal(err)
		}
	}
	refusal := errors.New("refused")
	for _, refuses := range []bool{false, true} {
		do := db.View
		if refuses {
			do = db.Transact
		}
		runs, seen := 0, ""
		err := do(ctx, func(tx *Tx) (err error) {
			runs++
			if seen, err = all(tx, docs...); refuses && err == nil {
				err = refusal
			}
			return err
		})
		if refuses != errors.Is(err, refusal) || !refuses && err != nil || seen != "- - -" ||
			runs != 2 {
			t.Errorf("refuses=%v, %d runs: %q, %v", refuses, runs, seen, err)
		}
		_, err = os.Lstat(names.Lock(filepath.Join(dir, "c.json")))
		if !refuses && !errors.Is(err, ErrNotExist) {
			t.Errorf("a view made a lock file: %v", err)
		}
	}
}

// TestListedComesAndGoes: an absent document and a listing are of one moment. The document
// is not one of those that are listed, and moves to one and back.
func TestListedComesAndGoes(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	for _, sub := range []string{"u", "v"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	other := openKeys(t, dir, Options{}, "u/a")
	a, b := other.Doc("u/a"), other.Doc("v/b")
	flip := func(from, to *Doc) error {
		return aside(func() error {
			return other.Transact(ctx, func(tx *Tx) error {
				return errors.Join(tx.Delete(from), tx.Create(to, []byte("1")))
			})
		})
	}
	if err := errors.Join(flip(a, b), flip(b, a)); err != nil { // which makes lock files
		t.Fatal(err)
	}
	files, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	// It is the other one when either is looked at.
	steps := []string{"readdir u", "open v/b.json", "readdir u", "lstat v/b.json"}
	next := len(steps)
	db, err := openFiles(&simfs.Faulty{FS: files, Inject: func(op, name string) simfs.Fault {
		if next == len(steps) || op+" "+name != steps[next] {
			return simfs.Fault{}
		}
		next++
		if next%2 == 1 {
			return simfs.Fault{Err: flip(a, b)}
		}
		return simfs.Fault{Err: flip(b, a)}
	}}, "", ".", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	next = 0
	var keys []string
	seen := ""
	err = db.View(ctx, func(tx *Tx) (err error) {
		if keys, err = tx.Keys("u/"); err != nil {
			return err
		}
		seen, err = all(tx, db.Doc("v/b"))
		return err
	})
	if err != nil || len(keys) != 1 || seen != "-" || next != len(steps) {
		t.Errorf("after %d steps: %q %q, %v", next, keys, seen, err)
	}
}

// TestViewBesideStopped: a view does not wait for a committer that has stopped, wherever
// it has, while the documents exist, and sees all or nothing of the transaction. It does
// not even run twice.
func TestViewBesideStopped(t *testing.T) {
	ctx := impatient(t)
	for name, c := range map[string]struct {
		before  string
		deletes bool
		want    []string
	}{
		"a change":               {before: "ab", want: []string{"1 1", "2 2"}},
		"a deletion":             {before: "ab", deletes: true, want: []string{"1 1", "- -"}},
		"a change, a creation":   {before: "a", want: []string{"1 -", "2 1"}},
		"a creation, a change":   {before: "b", want: []string{"- 1", "1 2"}},
		"a change of what lists": {before: "ab", want: []string{"1 1", "2 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db := openKeys(t, dir, Options{Retry: Retry{MaxTries: 1}},
				strings.Split(c.before, "")...)
			a, b := db.Doc("a"), db.Doc("b")
			var saw []string
			views := 0
			stop := func(op, name string) error {
				if c.deletes && bare(dir) {
					return nil // all is done, but a view could not know: it waits for the locks
				}
				seen := ""
				views++
				err := aside(func() error {
					return db.View(ctx, func(tx *Tx) (err error) {
						if strings.HasSuffix(t.Name(), "lists") {
							if _, err := tx.Keys(""); err != nil {
								return err
							}
						}
						seen, err = all(tx, a, b)
						return err
					})
				})
				if err != nil {
					t.Errorf("a view before the %s of %s: %v", op, filepath.Base(name), err)
				}
				if saw = append(saw, seen); !slices.Contains(c.want, seen) {
					t.Errorf("a view before the %s of %s: %s", op, filepath.Base(name), seen)
				}
				return nil
			}
			x := openFaulty(t, filepath.Join(dir, "a.json"), Options{}, stop)
			y := openFaulty(t, filepath.Join(dir, "b.json"), Options{}, stop)
			if err := Transact(ctx, func(tx *Tx) error {
				for _, doc := range []*Doc{x, y} {
					err := tx.Update(doc, increment)
					if c.deletes {
						err = tx.Delete(doc)
					}
					if err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.IsSortedFunc(saw, func(x, y string) int {
				return slices.Index(c.want, x) - slices.Index(c.want, y)
			}) || len(slices.Compact(saw)) != 2 {
				t.Errorf("%d views: %q", views, slices.Compact(saw))
			}
		})
	}
}

// bare reports whether a directory has neither documents nor intents.
func bare(dir string) bool {
	documents, err := filepath.Glob(filepath.Join(dir, "*.json"))
	intents, intentsErr := filepath.Glob(filepath.Join(dir, ".*.tx"))
	return err == nil && intentsErr == nil && len(documents)+len(intents) == 0
}

// TestViewSeesHomeChange: a view reads one document through an intent before the commit,
// and another after it.
func TestViewSeesHomeChange(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "a", "b")
	a, b := db.Doc("a"), db.Doc("b")
	arrived, proceed := make(chan bool), make(chan bool)
	stop := func(op, name string) error {
		if op == "truncate" && name == names.Intent(filepath.Join(dir, "a.json")) {
			arrived <- true // the intents are in place, and the next step commits
			<-proceed
		}
		if op == "rename" && !names.IsLock(name) && filepath.Base(name)[0] != '.' {
			arrived <- true // committed, and nothing is published
			<-proceed
		}
		return nil
	}
	x := openFaulty(t, filepath.Join(dir, "a.json"), Options{}, stop)
	y := openFaulty(t, filepath.Join(dir, "b.json"), Options{}, stop)
	done := make(chan error)
	go func() {
		done <- Transact(ctx, func(tx *Tx) error {
			return errors.Join(tx.Update(x, increment), tx.Update(y, increment))
		})
	}()
	<-arrived
	seen, runs := "", 0
	err := db.View(ctx, func(tx *Tx) error {
		runs++
		first, err := all(tx, b) // the member, whose own intent does not change
		if err != nil {
			return err
		}
		if runs == 1 {
			proceed <- true
			<-arrived
		}
		second, err := all(tx, a)
		seen = second + " " + first
		return err
	})
	if err != nil || seen != "2 2" || runs != 2 {
		t.Errorf("%d runs: %q, %v", runs, seen, err)
	}
	proceed <- true
	select {
	case <-arrived: // the other document
		proceed <- true
		err = <-done
	case err = <-done:
	}
	if err != nil {
		t.Error(err)
	}
}

// putDead leaves what a process leaves that dies after it has committed a transaction which
// makes both documents content.
func putDead(t *testing.T, a, b, content string) {
	t.Helper()
	in := stagedIntent(t, a, content)
	in.Committed, in.Members = true, []string{filepath.Base(b)}
	putIntent(t, a, in)
	in = stagedIntent(t, b, content)
	in.Home = filepath.Base(a)
	putIntent(t, b, in)
}

// TestPublishedMeanwhile: what a view reads from a staged file is published before its second
// look. The intents stay.
func TestPublishedMeanwhile(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "a", "b")
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	putDead(t, a, b, "7")
	runs, seen := 0, ""
	err := db.View(ctx, func(tx *Tx) error {
		runs++
		first, err := all(tx, db.Doc("a"))
		if err != nil {
			return err
		}
		if err := os.Rename(names.Transaction(a, someID), a); err != nil {
			return err
		}
		second, err := all(tx, db.Doc("b"))
		seen = first + " " + second
		return err
	})
	if err != nil || seen != "7 7" || runs != 1 {
		t.Errorf("%d runs: %q, %v", runs, seen, err)
	}
}

// TestOtherIntentComes: the transaction through which a view has read a document is finished,
// and the next one is committed and not published.
func TestOtherIntentComes(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "a", "b")
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	putDead(t, a, b, "7")
	runs, seen := 0, ""
	err := db.View(ctx, func(tx *Tx) error {
		first, err := all(tx, db.Doc("a"))
		if err != nil {
			return err
		}
		if runs++; runs == 1 {
			if err := aside(func() error {
				keep := func(old []byte) ([]byte, error) { return old, nil }
				_, err := db.Doc("a").Update(ctx, keep)
				return err
			}); err != nil {
				return err
			}
			putDead(t, a, b, "8")
		}
		second, err := all(tx, db.Doc("b"))
		seen = first + " " + second
		return err
	})
	if err != nil || seen != "8 8" || runs != 2 {
		t.Errorf("%d runs: %q, %v", runs, seen, err)
	}
}

// TestForeignBesideIntent: a program replaces a document of a committed transaction while
// a view reads.
func TestForeignBesideIntent(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "a", "b")
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	in := stagedIntent(t, a, "7")
	in.Committed, in.Members = true, []string{"b.json"}
	putIntent(t, a, in)
	in = stagedIntent(t, b, "7")
	in.Home = "a.json"
	putIntent(t, b, in)
	seen, runs := "", 0
	err := db.View(ctx, func(tx *Tx) error {
		runs++
		first, err := all(tx, db.Doc("a"))
		if err == nil && runs == 1 {
			for _, path := range []string{a, b} {
				putFile(t, path+"~", []byte("9"))
				err = errors.Join(err, os.Rename(path+"~", path))
			}
		}
		second, readErr := all(tx, db.Doc("b"))
		seen = first + " " + second
		return errors.Join(err, readErr)
	})
	if err != nil || seen != "9 9" || runs != 2 {
		t.Errorf("%d runs: %q, %v", runs, seen, err)
	}
}

// TestTransactEngines: documents of several engines are no transaction, whatever it did in
// an earlier try.
func TestTransactEngines(t *testing.T) {
	ctx := impatient(t)
	files := openKeys(t, t.TempDir(), Options{}, "f")
	var memory []*DB
	for range 2 {
		db, err := New(memdriver.New(), nil)
		if err != nil {
			t.Fatal(err)
		}
		memory = append(memory, db)
	}
	a, b, f := memory[0].Doc("a"), memory[1].Doc("b"), files.Doc("f")
	for name, c := range map[string]struct {
		db   *DB
		docs []*Doc
		want error
	}{
		"memory in a DB on files":   {files, []*Doc{a}, nil},
		"files in a DB in memory":   {memory[0], []*Doc{f}, nil},
		"files and memory":          {files, []*Doc{f, a}, ErrUnsupported},
		"memory and files":          {files, []*Doc{a, f}, ErrUnsupported},
		"memory and other memory":   {files, []*Doc{a, b}, ErrUnsupported},
		"memory and other, of none": {nil, []*Doc{a, b}, ErrUnsupported},
		"files and memory, of none": {nil, []*Doc{f, a}, ErrUnsupported},
		"memory and files, of none": {nil, []*Doc{a, f}, ErrUnsupported},
		"memory and files, of that": {memory[0], []*Doc{a, f}, ErrUnsupported},
		"files and memory, of that": {memory[0], []*Doc{f, a}, ErrUnsupported},
	} {
		for _, view := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, view=%v", name, view), func(t *testing.T) {
				do := Transact
				switch {
				case c.db != nil && view:
					do = c.db.View
				case c.db != nil:
					do = c.db.Transact
				case view:
					do = View
				}
				runs := 0
				err := do(ctx, func(tx *Tx) error {
					runs++
					for i, doc := range c.docs {
						if _, _, err := tx.Read(doc); err != nil && !errors.Is(err, ErrNotExist) {
							return err
						}
						if !view {
							if err := tx.Update(doc, increment); err != nil {
								return err
							}
						}
						if i > 0 || runs > 1 {
							continue
						}
						// What it has read changes, so that it runs again, with the locks.
						if err := aside(func() error {
							_, err := doc.Update(ctx, increment)
							return err
						}); err != nil {
							return err
						}
					}
					return nil
				})
				if !errors.Is(err, c.want) {
					t.Errorf("%d runs: %v", runs, err)
				}
			})
		}
	}
}
