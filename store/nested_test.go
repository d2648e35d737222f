// Updates from within functions of updates: those that would wait for themselves are an
// error at once, through whatever handles, and the others go well.

package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// pair is two handles on one document.
type pair struct{ outer, inner *store.Doc }

// pairs makes the pairs for documents of some names, which are not there yet.
type pairs func(t *testing.T, opts store.Options, names ...string) []pair

// waysIn are how one comes to have two handles on one document.
var waysIn = map[string]pairs{
	"one DB": func(t *testing.T, opts store.Options, names ...string) (all []pair) {
		db := openDir(t, t.TempDir(), opts)
		for _, name := range names {
			all = append(all, pair{db.Doc(name), db.Doc(name)})
		}
		return all
	},
	"two DBs": func(t *testing.T, opts store.Options, names ...string) (all []pair) {
		dir := t.TempDir()
		first, second := openDir(t, dir, opts), openDir(t, dir, opts)
		for _, name := range names {
			all = append(all, pair{first.Doc(name), second.Doc(name)})
		}
		return all
	},
	"opened twice": func(t *testing.T, opts store.Options, names ...string) (all []pair) {
		dir := t.TempDir()
		for _, name := range names {
			path := filepath.Join(dir, name+".json")
			all = append(all, pair{openFile(t, path, opts), openFile(t, path, opts)})
		}
		return all
	},
	"a directory and a file": func(t *testing.T, opts store.Options, names ...string) (all []pair) {
		dir := t.TempDir()
		db := openDir(t, dir, opts)
		for _, name := range names {
			file := openFile(t, filepath.Join(dir, name+".json"), opts)
			all = append(all, pair{db.Doc(name), file})
		}
		return all
	},
	"a link": func(t *testing.T, opts store.Options, names ...string) (all []pair) {
		dir := t.TempDir()
		for _, name := range names {
			path := linked(t, dir, name)
			all = append(all, pair{openFile(t, path, opts), openFile(t, linkTo(path), opts)})
		}
		return all
	},
	"two keys": func(t *testing.T, opts store.Options, names ...string) (all []pair) {
		dir := t.TempDir()
		db := openDir(t, dir, opts)
		for _, name := range names {
			linked(t, dir, name)
			all = append(all, pair{db.Doc(name), db.Doc("link-" + name)})
		}
		return all
	},
	"a linked directory": func(t *testing.T, opts store.Options, names ...string) (all []pair) {
		dir := t.TempDir()
		there, here := filepath.Join(dir, "there"), filepath.Join(dir, "here")
		if err := os.Mkdir(there, 0o700); err != nil {
			t.Fatal(err)
		}
		symlink(t, "there", here)
		first, second := openDir(t, there, opts), openDir(t, here, opts)
		for _, name := range names {
			all = append(all, pair{first.Doc(name), second.Doc(name)})
		}
		return all
	},
}

func openDir(t *testing.T, dir string, opts store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// linked makes a document and a link to it, and returns its path.
func linked(t *testing.T, dir, name string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name+".json")
	if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	symlink(t, name+".json", linkTo(path))
	return path
}

// symlink makes a symbolic link, and skips where this user cannot.
func symlink(t *testing.T, target, name string) {
	t.Helper()
	err := os.Symlink(target, name)
	if info, lstatErr := os.Lstat(name); err != nil || lstatErr != nil ||
		info.Mode()&os.ModeSymlink == 0 {
		t.Skipf("there are no symbolic links here, or not for this user: %v, %v", err, lstatErr)
	}
}

func linkTo(path string) string {
	return filepath.Join(filepath.Dir(path), "link-"+filepath.Base(path))
}

// eachWayIn runs a test with each of them, optimistic and locking. Through one line the
// functions exclude each other in either mode, through several only with the lock.
func eachWayIn(t *testing.T, names []string, run func(t *testing.T, docs []pair, exclude bool)) {
	for name, make := range waysIn {
		for _, locking := range []bool{false, true} {
			opts := store.Options{Durability: store.Volatile, Locking: locking}
			t.Run(name+map[bool]string{true: ", locking"}[locking], func(t *testing.T) {
				docs := make(t, opts, names...)
				for _, d := range docs {
					if _, err := d.outer.Create(t.Context(), []byte("0")); err != nil &&
						!errors.Is(err, store.ErrExist) {
						t.Fatal(err)
					}
				}
				run(t, docs, locking || name == "one DB")
			})
		}
	}
}

func isNested(err error) bool {
	return err != nil && strings.Contains(err.Error(), "wait for itself")
}

func number(t *testing.T, doc *store.Doc) int {
	t.Helper()
	data, _, err := doc.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCircles: the function of each document's update updates the next document, and that
// of the last one the first. One of them is told at once, and the others go well.
func TestCircles(t *testing.T) {
	for _, names := range [][]string{{"a", "b"}, {"a", "b", "c"}, {"a", "b", "c", "d"}} {
		t.Run(strconv.Itoa(len(names)), func(t *testing.T) {
			eachWayIn(t, names, func(t *testing.T, docs []pair, exclude bool) {
				for range 3 { // whatever comes of it, all still works
					circle(t, docs, exclude)
				}
			})
		})
	}
}

func circle(t *testing.T, docs []pair, exclude bool) {
	before, want := make([]int, len(docs)), make([]int, len(docs))
	inside, all := make(chan struct{}, len(docs)), make(chan struct{})
	callers := make([]*caller, len(docs))
	for i, d := range docs {
		before[i] = number(t, d.outer)
		next := docs[(i+1)%len(docs)].inner
		var once bool
		callers[i] = start(t, d.outer, func(old []byte) ([]byte, error) {
			if !once {
				once = true
				inside <- struct{}{}
				<-all
				if _, err := next.Update(t.Context(), add(1)); err != nil {
					return nil, err
				}
			}
			return add(10)(old)
		})
	}
	for range docs {
		<-inside
	}
	close(all)
	told := 0
	for i, c := range callers {
		switch r := c.result(t); {
		case r.err == nil:
			want[i] += 10
			want[(i+1)%len(docs)]++
		case isNested(r.err):
			told++
		default:
			t.Errorf("%d: %v", i, r.err)
		}
	}
	if told > 1 || told == 0 && exclude {
		t.Errorf("%d were told that they would wait for themselves", told)
	}
	for i, d := range docs {
		if got := number(t, d.outer) - before[i]; got != want[i] {
			t.Errorf("%s was added to %s, want %d", strconv.Itoa(got), d.outer.Name(), want[i])
		}
	}
}

// TestWithinItself: no verb that writes may be called on the document whose function
// runs.
func TestWithinItself(t *testing.T) {
	eachWayIn(t, []string{"a"}, func(t *testing.T, docs []pair, _ bool) {
		doc, inner, ctx := docs[0].outer, docs[0].inner, t.Context()
		_, version, err := inner.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		verbs := map[string]func() error{
			"Update": func() error {
				_, err := inner.Update(ctx, add(1))
				return err
			},
			"CompareAndSwap": func() error {
				_, err := inner.CompareAndSwap(ctx, version, []byte("7"))
				return err
			},
			"Create": func() error {
				_, err := inner.Create(ctx, []byte("7"))
				return err
			},
			"Delete":           func() error { return inner.Delete(ctx) },
			"CompareAndDelete": func() error { return inner.CompareAndDelete(ctx, version) },
		}
		_, err = doc.Update(ctx, func(old []byte) ([]byte, error) {
			for name, verb := range verbs {
				if err := verb(); !isNested(err) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if data, _, err := inner.Read(ctx); err != nil || string(data) != "0" {
				t.Errorf("Read: %s, %v", data, err)
			}
			return add(1)(old)
		})
		if err != nil || number(t, doc) != 1 {
			t.Errorf("%v, the document is %d", err, number(t, doc))
		}
		for name, verb := range verbs {
			if err := verb(); isNested(err) {
				t.Errorf("%s, afterwards: %v", name, err)
			}
		}
	})
}

// TestNestedWithoutACircle: a function may update other documents, also one that is busy,
// and whose function does so too.
func TestNestedWithoutACircle(t *testing.T) {
	eachWayIn(t, []string{"a", "b", "c"}, func(t *testing.T, docs []pair, _ bool) {
		ctx := t.Context()
		busy := slowly(func(old []byte) ([]byte, error) {
			if _, err := docs[2].inner.Update(ctx, add(1)); err != nil {
				return nil, err
			}
			return add(1)(old)
		})
		second := start(t, docs[1].outer, busy.function)
		<-busy.inside
		nests, once := make(chan struct{}), sync.Once{}
		first := start(t, docs[0].outer, func(old []byte) ([]byte, error) {
			once.Do(func() { close(nests) })
			// If this runs again, so has not been applied, its nested update has all the
			// same.
			if _, err := docs[1].inner.Update(ctx, add(10)); err != nil {
				return nil, err
			}
			return add(100)(old)
		})
		<-nests
		close(busy.leave)
		for _, c := range []*caller{first, second} {
			if r := c.result(t); r.err != nil {
				t.Error(r.err)
			}
		}
		for i, want := range []int{100, 1 + 10*int(first.runs.Load()), int(second.runs.Load())} {
			if got := number(t, docs[i].outer); got != want {
				t.Errorf("%s is %d, want %d", docs[i].outer.Name(), got, want)
			}
		}
	})
}

// TestCircleThroughAGoroutine cannot be seen: only a deadline ends it.
func TestCircleThroughAGoroutine(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		c := start(t, doc, func(old []byte) ([]byte, error) {
			told := make(chan error)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_, err := doc.Update(ctx, add(10))
				told <- err
			}()
			if err := <-told; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("told %v", err)
			}
			return add(1)(old)
		})
		c.must(t, nil, 1)
		synctest.Wait()
		e.must(t, "1", 1)
	})
}
