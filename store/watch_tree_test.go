package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/internal/notify"
)

// watchTree watches the documents of a store with a prefix.
func watchTree(t *testing.T, by string, db *DB, prefix string) *observer {
	t.Helper()
	return observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
		w := db.watching(ctx, prefix, nil, yield)
		means[by](w)
		return w
	})
}

// TestWatchTree: directories come and go with their documents.
func TestWatchTree(t *testing.T) {
	needsLinks(t)
	eachMeans(t, func(t *testing.T, by string) {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
		put(t, at("a.json"), "1")
		put(t, at("users/b.json"), "2")
		put(t, at("users/.hidden/c.json"), "3")
		put(t, at("users/c.txt"), "4")
		db, err := Open(dir, nil)
		must(t, err)
		t.Cleanup(func() { db.Close() })
		all, users := watchTree(t, by, db, ""), watchTree(t, by, db, "users/")
		// follow compares all documents, those of users among them, with what they are.
		have := map[*observer]map[string]string{all: {}, users: {}}
		follow := func(want map[string]string) {
			t.Helper()
			for o, have := range have {
				prefix := map[bool]string{true: "users/"}[o == users]
				want := maps.Clone(want)
				maps.DeleteFunc(want, func(key, _ string) bool {
					return !strings.HasPrefix(key, prefix)
				})
				for !maps.Equal(have, want) {
					got := o.next()
					if errors.Is(got.err, ErrInvalid) { // put has not written it whole yet
						continue
					}
					if got.err != nil || !strings.HasPrefix(got.Name, prefix) {
						t.Fatalf("%s: %v", got.Name, got.err)
					}
					if have[got.Name] = string(got.Data); got.Version.IsAbsent() {
						delete(have, got.Name)
					}
				}
			}
		}
		follow(map[string]string{"a": "1", "users/b": "2"})
		// A directory is made, with one in it.
		put(t, at("users/x/y/d.json"), "5")
		put(t, at("users/x/e.json"), "6")
		follow(map[string]string{"a": "1", "users/b": "2", "users/x/y/d": "5", "users/x/e": "6"})
		rename(t, at("users/x/y/d.json"), "7")
		follow(map[string]string{"a": "1", "users/b": "2", "users/x/y/d": "7", "users/x/e": "6"})
		// It is moved, out of the store and back, and removed.
		must(t, os.Rename(at("users/x"), at("users/z")))
		follow(map[string]string{"a": "1", "users/b": "2", "users/z/y/d": "7", "users/z/e": "6"})
		put(t, at("users/z/y/d.json"), "8")
		follow(map[string]string{"a": "1", "users/b": "2", "users/z/y/d": "8", "users/z/e": "6"})
		must(t, os.Rename(at("users/z"), at(".away")))
		follow(map[string]string{"a": "1", "users/b": "2"})
		must(t, os.Rename(at(".away"), at("users/z")))
		follow(map[string]string{"a": "1", "users/b": "2", "users/z/y/d": "8", "users/z/e": "6"})
		must(t, os.RemoveAll(at("users")))
		follow(map[string]string{"a": "1"})
		put(t, at("users/b.json"), "9")
		follow(map[string]string{"a": "1", "users/b": "9"})
		// Links of documents, as Kubernetes makes them.
		put(t, at("users/..1/k.json"), "10")
		must(t, os.Symlink("..1", at("users/..data")),
			os.Symlink("..data/k.json", at("users/k.json")))
		follow(map[string]string{"a": "1", "users/b": "9", "users/k": "10"})
		put(t, at("users/..2/k.json"), "11")
		relink(t, "..2", at("users/..data"))
		follow(map[string]string{"a": "1", "users/b": "9", "users/k": "11"})
		rename(t, at("users/..2/k.json"), "12")
		follow(map[string]string{"a": "1", "users/b": "9", "users/k": "12"})
		must(t, os.Remove(at("users/..data")))
		follow(map[string]string{"a": "1", "users/b": "9"})
		// A transaction.
		must(t, db.Transact(t.Context(), func(tx *Tx) error {
			return errors.Join(tx.Write(tx.Doc("a"), []byte("13")), tx.Delete(tx.Doc("users/b")),
				tx.Create(tx.Doc("users/c"), []byte("14")))
		}))
		follow(map[string]string{"a": "13", "users/c": "14"})
	})
}

// TestWatchTreeFrom: documents come if their version is not the known one.
func TestWatchTreeFrom(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for name, db := range map[string]*DB{
		"files": openKeys(t, t.TempDir(), Options{}, "a", "b", "c"), "memory": inMemory(t, "a", "b", "c"),
	} {
		known := map[string]Version{}
		for key, err := range db.Keys(t.Context(), "") {
			_, version, readErr := db.Doc(key).Read(t.Context())
			must(t, err, readErr)
			known[key] = version
		}
		_, err := db.Doc("b").Update(t.Context(), func([]byte) ([]byte, error) {
			return []byte(`"changed"`), nil
		})
		must(t, err, db.Doc("c").Delete(t.Context()))
		var got []string
		for event, err := range db.Watch(ctx, "", known) {
			got = append(got, fmt.Sprint(event.Name, " ", event.Version.IsAbsent(), " ", err))
			if len(got) == 2 {
				break
			}
		}
		slices.Sort(got)
		if fmt.Sprint(got) != "[b false <nil> c true <nil>]" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// inMemory opens a store in memory with documents.
func inMemory(t *testing.T, keys ...string) *DB {
	t.Helper()
	db, err := New(memdriver.New(), nil)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	for _, key := range keys {
		_, err := db.Doc(key).Set(t.Context(), "n", 1)
		must(t, err)
	}
	return db
}

// TestWatchDirectoryReplaced: the watch of a directory ends when another one has its path,
// after the deletions in it.
func TestWatchDirectoryReplaced(t *testing.T) {
	for name, replace := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+".old") },
		"replaced": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachMeans(t, func(t *testing.T, by string) {
				dir := filepath.Join(t.TempDir(), "state")
				put(t, filepath.Join(dir, "a.json"), "1")
				db, err := Open(dir, nil)
				must(t, err)
				defer db.Close()
				o := watchTree(t, by, db, "")
				one := observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
					w := db.Doc("a").watching(ctx, Absent, yield)
					means[by](w)
					return w
				})
				o.until("1")
				one.until("1")
				if err := replace(dir); err != nil {
					t.Skip(err) // an open directory stays, on some systems
				}
				for o, document := range map[*observer]string{o: db.where, one: "a"} {
					if name == "removed" {
						o.until("")
					}
					if got := o.next(); !errors.Is(got.err, ErrNotExist) || got.Name != document {
						t.Errorf("%s: %v", got.Name, got.err)
					}
					<-o.ended
				}
			})
		})
	}
}

// TestWatchLinkAlone: a change of a link, or of its target, is no reason to look at all others.
func TestWatchLinkAlone(t *testing.T) {
	needsLinks(t)
	needsHints(t)
	const others = 500
	dir := t.TempDir()
	for i := range others {
		put(t, filepath.Join(dir, fmt.Sprint("other", i, ".json")), "0")
	}
	targets := filepath.Join(dir, ".targets")
	for i := range 3 {
		put(t, filepath.Join(targets, fmt.Sprint(i), "k.json"), fmt.Sprint(i))
	}
	must(t, os.Symlink("0", filepath.Join(targets, "now")),
		os.Symlink(filepath.Join(".targets", "now", "k.json"), filepath.Join(dir, "k.json")))
	db, err := Open(dir, nil)
	must(t, err)
	defer db.Close()
	o := watchTree(t, "hints", db, "")
	for range others + 1 {
		o.next()
	}
	relink(t, "1", filepath.Join(targets, "now"))
	o.until("1") // what comes late of the writes before is over
	before := db.Stats().Reads
	relink(t, "2", filepath.Join(targets, "now"))
	o.until("2")
	rename(t, filepath.Join(targets, "2", "k.json"), "3")
	o.until("3")
	relink(t, filepath.Join(".targets", "1", "k.json"), filepath.Join(dir, "k.json"))
	o.until("1")
	rename(t, filepath.Join(targets, "1", "k.json"), "4")
	o.until("4")
	if reads := db.Stats().Reads - before; reads >= others {
		t.Errorf("%d reads", reads)
	}
}

// TestWatchMadeMeanwhile: a directory that is made while its parent is looked at, is watched.
func TestWatchMadeMeanwhile(t *testing.T) {
	needsHints(t)
	dir := t.TempDir()
	db, err := Open(dir, nil)
	must(t, err)
	defer db.Close()
	w := db.watching(t.Context(), "", nil, nil)
	must(t, w.aimed())
	defer w.unhint()
	h := w.hints.(*treeHints)
	put(t, filepath.Join(dir, "a", "doc.json"), "0")
	made := false
	listens := h.listens(func() ([]notify.Name, error) {
		found, err := h.find(nil, "a")
		if !made {
			made = true
			put(t, filepath.Join(dir, "a", "b", "doc.json"), "0")
		}
		return found, err
	})
	if !listens || !h.dirs[filepath.Join(db.where, "a", "b")] {
		t.Errorf("%v, %v", listens, h.dirs)
	}
}

// plain is an engine without any optional part.
type plain struct{ driver.Driver }

// TestWatchEngines: an engine that tells of changes, and one that does not, and is polled.
func TestWatchEngines(t *testing.T) {
	for name, drv := range map[string]driver.Driver{
		"tells": memdriver.New(), "plain": plain{memdriver.New()},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := New(drv, nil)
			must(t, err)
			defer db.Close()
			ctx, doc := t.Context(), db.Doc("a")
			one := observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
				w := doc.watching(ctx, Absent, yield)
				w.every = time.Hour
				return w
			})
			all := observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
				w := db.watching(ctx, "", nil, yield)
				w.every = time.Hour
				return w
			})
			for i := range 3 {
				_, err := doc.Update(ctx, func([]byte) ([]byte, error) {
					return fmt.Append(nil, i), nil
				})
				must(t, err)
				for _, o := range []*observer{one, all} {
					got := o.until(fmt.Sprint(i))
					if (got.Polling != nil) != (name == "plain") {
						t.Errorf("polling: %v", got.Polling)
					}
				}
			}
			must(t, doc.Delete(ctx))
			one.until("")
			all.until("")
			foreign := hashVersion([]byte("1"))
			_, err = doc.Set(ctx, "n", 1)
			must(t, err)
			for _, err := range doc.Watch(ctx, foreign) {
				if !errors.Is(err, ErrVersion) {
					t.Errorf("a version of another kind: %v", err)
				}
			}
		})
	}
}
