// Updates that expect a version.

package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// expecting are the operations that an expectation is for, on {"n":1,"l":[]}.
var expecting = map[string]func(ctx context.Context, doc *store.Doc) error{
	"update": func(ctx context.Context, doc *store.Doc) error {
		_, err := doc.Update(ctx, func([]byte) ([]byte, error) { return []byte("{}"), nil })
		return err
	},
	"keep": func(ctx context.Context, doc *store.Doc) error {
		_, err := doc.Update(ctx, keep)
		return err
	},
	"set": func(ctx context.Context, doc *store.Doc) error {
		_, err := doc.Set(ctx, "n", 2)
		return err
	},
	"add": func(ctx context.Context, doc *store.Doc) error {
		_, _, err := doc.Add(ctx, "n", 1)
		return err
	},
	"append": func(ctx context.Context, doc *store.Doc) error {
		_, err := doc.Append(ctx, "l", 1)
		return err
	},
	"unset": func(ctx context.Context, doc *store.Doc) error {
		_, err := doc.Unset(ctx, "n")
		return err
	},
	"delete": func(ctx context.Context, doc *store.Doc) error { return doc.Delete(ctx) },
	"merge patch": func(ctx context.Context, doc *store.Doc) error {
		_, err := doc.MergePatch(ctx, []byte(`{"n":null}`))
		return err
	},
	"JSON patch": func(ctx context.Context, doc *store.Doc) error {
		_, err := doc.JSONPatch(ctx, []byte(`[{"op":"remove","path":"/n"}]`))
		return err
	},
	"typed": func(ctx context.Context, doc *store.Doc) error {
		_, _, err := store.Update(ctx, doc, func(m *map[string]any) error {
			*m = map[string]any{"n": 3}
			return nil
		})
		return err
	},
}

// TestExpect: each operation is made at the expected version only, in each mode.
func TestExpect(t *testing.T) {
	const content = `{"n":1,"l":[]}`
	for _, opts := range []store.Options{
		{}, {Locking: true}, {Versions: store.VersionMtime}, {GuardForeign: true},
	} {
		for name, operation := range expecting {
			mode := fmt.Sprintf("%v,%v,%v", opts.Versions, opts.Locking, opts.GuardForeign)
			t.Run(name+"/"+mode, func(t *testing.T) {
				if opts.GuardForeign && runtime.GOOS == "windows" {
					t.Skip("two names cannot be exchanged here")
				}
				t.Parallel()
				path := filepath.Join(t.TempDir(), "doc.json")
				doc, err := store.OpenFile(path, &opts)
				if err != nil {
					t.Fatal(err)
				}
				defer doc.Close()
				ctx := t.Context()
				first := create(t, doc, `{"n":0}`)
				second, err := doc.CompareAndSwap(ctx, first, []byte(content))
				if err != nil {
					t.Fatal(err)
				}
				for _, wrong := range []store.Version{first, store.Absent} {
					var conflict *store.ConflictError
					err := operation(ctx, doc.Expect(wrong))
					if !errors.As(err, &conflict) || conflict.Want != wrong ||
						conflict.Have != second {
						t.Errorf("expecting %v: %v", wrong, err)
					}
				}
				if data, version, err := doc.Read(ctx); string(data) != content ||
					version != second {
					t.Errorf("after conflicts the document is %s, %v (%v)", data, version, err)
				}
				if err := operation(ctx, doc.Expect(second)); err != nil {
					t.Errorf("expecting what is there: %v", err)
				}
				data, version, _ := doc.Read(ctx)
				if kept := name == "keep"; (string(data) == content) != kept ||
					(version == second) != kept {
					t.Errorf("the document is %s, %v", data, version)
				}
				left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".doc.json.*.tmp"))
				if len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// TestExpectAbsent makes a document once.
func TestExpectAbsent(t *testing.T) {
	doc, err := store.OpenFile(filepath.Join(t.TempDir(), "doc.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	fresh := doc.Expect(store.Absent)
	if _, err := fresh.Set(t.Context(), "n", 1); err != nil {
		t.Error(err)
	}
	if _, err := fresh.Set(t.Context(), "n", 2); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the second time: %v", err)
	}
	if data, _, err := doc.Read(t.Context()); string(data) != `{"n":1}`+"\n" {
		t.Errorf("the document is %q (%v)", data, err)
	}
}

// TestExpectKinds: a version of a kind that the document does not have is a mistake, never
// a conflict; VersionAuto takes either kind.
func TestExpectKinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte(`{"n":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	docs := map[store.VersionMode]*store.Doc{}
	for _, mode := range []store.VersionMode{
		store.VersionHash, store.VersionMtime, store.VersionAuto,
	} {
		doc, err := store.OpenFile(path, &store.Options{Versions: mode})
		if err != nil {
			t.Fatal(err)
		}
		defer doc.Close()
		docs[mode] = doc
	}
	for _, mode := range []store.VersionMode{store.VersionHash, store.VersionMtime} {
		_, version, err := docs[mode].Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		other := docs[store.VersionHash+store.VersionMtime-mode]
		if _, err := other.Expect(version).Set(t.Context(), "n", 2); !errors.Is(err,
			store.ErrVersion) {
			t.Errorf("%v for a handle of the other kind: %v", version, err)
		}
		auto := docs[store.VersionAuto].Expect(version)
		if _, err := auto.Set(t.Context(), "n", int(mode)+5); err != nil {
			t.Errorf("%v for VersionAuto: %v", version, err)
		}
		if _, err := auto.Set(t.Context(), "n", 9); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%v for VersionAuto, when it is gone: %v", version, err)
		}
	}
	e := newEngine(t)
	e.put(t, "1")
	hash, _ := store.ParseVersion("h:00000000000000000000000000000000-1")
	_, err := e.doc(t, store.Options{}).Expect(hash).Update(t.Context(), keep)
	if !errors.Is(err, store.ErrVersion) {
		t.Errorf("a hash for an engine of revisions: %v", err)
	}
}

// TestExpectOfAnEngine: an engine that can only read and swap keeps expectations too.
func TestExpectOfAnEngine(t *testing.T) {
	db, err := store.New(memdriver.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	doc := db.Doc("doc")
	first := create(t, doc, "1")
	if _, err := doc.Update(t.Context(), add(1)); err != nil {
		t.Error(err)
	}
	if err := doc.Expect(first).Delete(t.Context()); !errors.Is(err, store.ErrConflict) {
		t.Errorf("at a version that is gone: %v", err)
	}
	_, second, err := doc.Read(t.Context())
	if err == nil {
		err = doc.Expect(second).Delete(t.Context())
	}
	if err != nil {
		t.Error(err)
	}
}

// TestExpectInABatch: who expects a version does not follow another caller's change in
// one batch, also if the caller keeps the document, and nobody follows in its batch.
func TestExpectInABatch(t *testing.T) {
	for name, fn := range map[string]function{"adds": add(1), "keeps": keep} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				_, version, err := doc.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				g := closeGate(t, doc)
				first := start(t, doc, add(10))
				second := start(t, doc.Expect(version), fn)
				third := start(t, doc, add(100))
				g.open(t)
				first.must(t, nil, 1)
				second.must(t, store.ErrConflict, 0)
				third.must(t, nil, 1)
				if got := e.text(t); got != "110" {
					t.Errorf("the document is %s", got)
				}
			})
		})
	}
}

// TestExpectEachOther: of several with one expectation, one makes its change.
func TestExpectEachOther(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		_, version, err := doc.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		expecting := doc.Expect(version)
		g := closeGate(t, doc)
		first := start(t, expecting, add(1))
		second := start(t, expecting, add(1))
		g.open(t)
		first.must(t, nil, 1)
		second.must(t, store.ErrConflict, 0)
		if got := e.text(t); got != "1" {
			t.Errorf("the document is %s", got)
		}
	})
}

// TestExpectKeptIsConfirmed: a foreign change between the read and the answer is a
// conflict for one who keeps the document.
func TestExpectKeptIsConfirmed(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		_, version, err := doc.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e.do(nil, func(s step, _ []byte) error {
			if s == read {
				e.do(nil, nil)
				e.put(t, "5")
			}
			return nil
		})
		start(t, doc.Expect(version), keep).must(t, store.ErrConflict, 1)
		synctest.Wait()
	})
}

// TestExpectLoops: loops of a read and an update that expects its version count exactly,
// through one handle and through several.
func TestExpectLoops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	const handles, goroutines, times = 2, 4, 20
	var all sync.WaitGroup
	for range handles {
		doc, err := store.OpenFile(path, &store.Options{Durability: store.Volatile})
		if err != nil {
			t.Fatal(err)
		}
		defer doc.Close()
		for range goroutines {
			all.Add(1)
			go func() {
				defer all.Done()
				for done := 0; done < times; {
					n, version, err := store.Read[int](t.Context(), doc)
					if err != nil && !errors.Is(err, store.ErrNotExist) {
						t.Error(err)
						return
					}
					_, err = doc.Expect(version).Set(t.Context(), "@this",
						json.RawMessage(fmt.Sprint(n+1)))
					switch {
					case err == nil:
						done++
					case !errors.Is(err, store.ErrConflict):
						t.Error(err)
						return
					}
				}
			}()
		}
	}
	all.Wait()
	if data, err := os.ReadFile(path); string(data) != fmt.Sprintf("%d\n",
		handles*goroutines*times) {
		t.Errorf("the counter is %q (%v)", data, err)
	}
}
