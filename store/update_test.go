package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver/memdriver"
)

// document opens a document in a directory of its own. Tests are about what processes
// see of each other, so that they need no flushes, unless opts says otherwise.
func document(t *testing.T, content string, opts Options) *Doc {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doc.json")
	if content != "" {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, path, opts)
}

func open(t *testing.T, path string, opts Options) *Doc {
	t.Helper()
	doc, err := OpenFile(path, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doc.Close() })
	return doc
}

func content(t *testing.T, doc *Doc) string {
	t.Helper()
	data, err := os.ReadFile(doc.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// files lists the directory of a document, which has no litter if the names are as given.
func wantFiles(t *testing.T, doc *Doc, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(doc.Name()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the directory has %q, want %q", names, want)
	}
}

// become is a function for Update that does not look at what is there.
func become(text string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(text), nil }
}

// increment counts a document that is one number up.
func increment(old []byte) ([]byte, error) {
	n := 0
	if old != nil {
		var err error
		if n, err = strconv.Atoi(string(old)); err != nil {
			return nil, err
		}
	}
	return strconv.AppendInt(nil, int64(n+1), 10), nil
}

func TestUpdate(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		ctx := context.Background()
		doc := document(t, "", opts)
		var seen []string
		note := func(text string) func([]byte) ([]byte, error) {
			return func(old []byte) ([]byte, error) {
				seen = append(seen, fmt.Sprintf("%s %v", old, old == nil))
				return []byte(text), nil
			}
		}
		first, err := doc.Update(ctx, note(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		second, err := doc.Update(ctx, note(`{"a":2}`))
		if err != nil || second == first {
			t.Fatal(second, err)
		}
		data, version, err := doc.Read(ctx)
		if err != nil || string(data) != `{"a":2}` || version != second {
			t.Fatalf("Read: %s %v %v, want version %v", data, version, err, second)
		}
		if want := []string{" true", `{"a":1} false`}; !slices.Equal(seen, want) {
			t.Errorf("the function saw %q, want %q", seen, want)
		}
		wantFiles(t, doc, "doc.json", ".doc.json.lock")
	})
}

func TestUpdateThatChangesNothing(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		ctx := context.Background()
		same := func(old []byte) ([]byte, error) { return old, nil }
		doc := document(t, `{"a": 1}`, opts)
		before, err := os.Stat(doc.Name())
		if err != nil {
			t.Fatal(err)
		}
		_, version, _ := doc.Read(ctx)
		got, err := doc.Update(ctx, same)
		if err != nil || got != version {
			t.Errorf("Update: %v, %v; want version %v", got, err, version)
		}
		after, err := os.Stat(doc.Name())
		if err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
			t.Error("the file was replaced")
		}
		absent := document(t, "", opts)
		if v, err := absent.Update(ctx, same); err != nil || !v.IsAbsent() {
			t.Errorf("nil for an absent document: %v, %v", v, err)
		}
		if _, err := os.Stat(absent.Name()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it was made: %v", err)
		}
	})
}

func TestUpdateWhoseFunctionFails(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		const before = "{\"a\" :1}\n"
		boom := errors.New("boom")
		for name, test := range map[string]struct {
			fn   func(old []byte) ([]byte, error)
			want error
		}{
			"error":             {func([]byte) ([]byte, error) { return []byte("2"), boom }, boom},
			"a conflict of its": {func([]byte) ([]byte, error) { return nil, ErrConflict }, ErrConflict},
			"invalid":           {become(`{"a":`), ErrInvalid},
			"empty":             {become(""), ErrInvalid},
			"nil":               {func([]byte) ([]byte, error) { return nil, nil }, ErrInvalid},
			"two values":        {become("1 2"), ErrInvalid},
			"too large":         {become(`"` + strings.Repeat("x", 2000) + `"`), ErrTooLarge},
		} {
			t.Run(name, func(t *testing.T) {
				opts := opts
				opts.MaxSize = 1000
				doc := document(t, before, opts)
				calls := 0
				_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
					calls++
					return test.fn(old)
				})
				var where *Error
				if !errors.Is(err, test.want) || !errors.As(err, &where) ||
					where.Op != "update" || where.Name != doc.Name() {
					t.Errorf("error %v, want %v", err, test.want)
				}
				if calls != 1 {
					t.Errorf("the function ran %d times", calls)
				}
				if got := content(t, doc); got != before {
					t.Errorf("the document is %q", got)
				}
				checkUnlocked(t, doc)
			})
		}
	})
}

// checkUnlocked: another handle can write at once, and there is no litter.
func checkUnlocked(t *testing.T, doc *Doc) {
	t.Helper()
	other := open(t, doc.Name(), Options{LockWait: -1, Locking: true})
	_, err := other.Update(context.Background(), become("[]"))
	if err != nil {
		t.Errorf("afterwards: %v", err)
	}
	wantFiles(t, doc, "doc.json", ".doc.json.lock")
}

func TestUpdateWhoseFunctionPanics(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		doc := document(t, "1", opts)
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("recovered %v", got)
				}
			}()
			_, err := doc.Update(context.Background(),
				func([]byte) ([]byte, error) { panic("boom") })
			t.Errorf("Update returned %v", err)
		}()
		if got := content(t, doc); got != "1" {
			t.Errorf("the document is %q", got)
		}
		if _, err := doc.Update(context.Background(), increment); err != nil {
			t.Errorf("the same handle afterwards: %v", err)
		}
		checkUnlocked(t, doc)
	})
}

// TestNested: from the function of an update every write to the same document is refused,
// whether it would have waited for itself this time or not; reads and other documents are not.
func TestNested(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		doc, other := document(t, "1", opts), document(t, "1", opts)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for name, nested := range map[string]func(old []byte) error{
			"Update": func([]byte) error { _, err := doc.Update(ctx, increment); return err },
			"Delete": func([]byte) error { return doc.Delete(ctx) },
			"Set":    func([]byte) error { _, err := doc.Set(ctx, "a", 1); return err },
			"Create": func([]byte) error { _, err := doc.Create(ctx, []byte("1")); return err },
			"CompareAndDelete": func([]byte) error {
				_, version, err := doc.Read(ctx)
				if err != nil {
					t.Errorf("Read: %v", err)
				}
				return doc.CompareAndDelete(ctx, version)
			},
		} {
			_, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
				if _, err := other.Update(ctx, increment); err != nil {
					t.Errorf("another document: %v", err)
				}
				return nil, nested(old)
			})
			if !errors.Is(err, errNested) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := content(t, doc); got != "1" {
			t.Errorf("the document is %q", got)
		}
		if n, _ := strconv.Atoi(content(t, other)); n != 6 {
			t.Errorf("the other document is %d", n)
		}
	})
}

func TestGoroutineNumber(t *testing.T) {
	if !goidWorks() {
		t.Errorf("package goid does not know this Go: each update pays for a stack trace")
	}
	mine, others := currentGoroutine(), make(chan int64)
	go func() { others <- currentGoroutine() }()
	if theirs := <-others; mine == theirs || mine != goroutineFromTrace() {
		t.Errorf("numbers %d and %d, by trace %d", mine, theirs, goroutineFromTrace())
	}
}

// TestChangedInPlace: what a program writes into the file after it was read is a
// conflict, though inode, size and, set back, time stay.
func TestChangedInPlace(t *testing.T) {
	doc := document(t, `["a"]`, Options{Durability: Volatile})
	runs := 0
	_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
		if runs++; runs == 1 {
			before, err := os.Stat(doc.Name())
			if err == nil {
				err = os.WriteFile(doc.Name(), []byte(`["b"]`), 0o600)
			}
			if err == nil {
				err = os.Chtimes(doc.Name(), before.ModTime(), before.ModTime())
			}
			if err != nil {
				return nil, err
			}
		}
		return appendName("c")(old)
	})
	if got := content(t, doc); err != nil || got != `["b","c"]` || doc.Stats().Conflicts != 1 {
		t.Errorf("%s, %v, %v", got, err, doc.Stats())
	}
}

// TestManyRetriesAreTold: once, when more than one update in ten has to be tried again.
func TestManyRetriesAreTold(t *testing.T) {
	var said strings.Builder
	doc := document(t, "0", Options{Durability: Volatile,
		Logger: slog.New(slog.NewTextHandler(&said,
			nil)), Retry: Retry{MaxBackoff: time.Microsecond}})
	for i := range 150 {
		lost := i%5 != 0
		_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
			if !lost {
				lost = true
				if err := os.WriteFile(doc.Name(), fmt.Appendf(nil, "%s ", old),
					0o600); err != nil {
					return nil, err
				}
			}
			return increment(bytes.TrimSpace(old))
		})
		if err != nil {
			t.Fatal(err)
		}
		if i < 98 && said.Len() > 0 {
			t.Fatalf("after %d updates: %s", i, said.String())
		}
	}
	if n := strings.Count(said.String(), "more than one update in ten"); n != 1 {
		t.Errorf("told %d times: %s", n, said.String())
	}
}

// TestConflicts: an update that loses every time says so, and how often it tried.
func TestConflicts(t *testing.T) {
	n := 0
	rival := func(doc *Doc) func(old []byte) ([]byte, error) {
		return func(old []byte) ([]byte, error) {
			n++
			// As an editor does: another file under the same name.
			if err := os.WriteFile(doc.Name()+".new", fmt.Appendf(nil, "[%d]", n),
				0o600); err != nil {
				return nil, err
			}
			return []byte("{}"), os.Rename(doc.Name()+".new", doc.Name())
		}
	}
	everyMode(t, func(t *testing.T, opts Options) {
		opts.Retry = Retry{MaxTries: 3, MaxBackoff: time.Millisecond}
		doc := document(t, "0", opts)
		n = 0
		_, err := doc.Update(context.Background(), rival(doc))
		var conflict *ConflictError
		if !errors.Is(err, ErrConflict) || !errors.As(err, &conflict) ||
			!strings.Contains(err.Error(), "tried 3 times") {
			t.Errorf("MaxTries: %v", err)
		}
		if got := content(t, doc); got != "[3]" {
			t.Errorf("the document is %q", got)
		}
		stats := doc.Stats()
		if stats.Conflicts != 3 || stats.Retries != 2 || !opts.Locking && stats.Escalations != 2 {
			t.Errorf("stats: %v", stats)
		}
		wantFiles(t, doc, "doc.json", ".doc.json.lock")

		elapsed, err := doc.With(func(o *Options) {
			o.Retry = Retry{MaxElapsed: 5 * time.Millisecond}
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := elapsed.Update(context.Background(), rival(doc)); !errors.Is(err,
			ErrConflict) {
			t.Errorf("MaxElapsed: %v", err)
		}
		unlimited, err := doc.With(func(o *Options) { o.Retry = Retry{EscalateAfter: -1} })
		if err != nil {
			t.Fatal(err)
		}
		enough := 20 * time.Millisecond // for some tries
		if runtime.GOOS == "windows" {
			enough = time.Second // under Wine a try takes several of them
		}
		ctx, cancel := context.WithTimeout(context.Background(), enough)
		defer cancel()
		_, err = unlimited.Update(ctx, rival(doc))
		if !errors.Is(err, ErrConflict) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("context: %v", err)
		}
		checkUnlocked(t, doc)
	})
}

func TestCompareAndSwap(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		ctx := context.Background()
		doc := document(t, "", opts)
		first, err := doc.Create(ctx, []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := doc.Create(ctx, []byte("2")); !errors.Is(err, ErrExist) ||
			!errors.Is(err, ErrConflict) {
			t.Errorf("Create: %v", err)
		}
		second, err := doc.CompareAndSwap(ctx, first, []byte("2"))
		if err != nil {
			t.Fatal(err)
		}
		var conflict *ConflictError
		_, err = doc.CompareAndSwap(ctx, first, []byte("3"))
		if !errors.As(err, &conflict) || conflict.Want != first || conflict.Have != second ||
			errors.Is(err, ErrExist) {
			t.Errorf("CompareAndSwap: %v", err)
		}
		if err := doc.CompareAndDelete(ctx, first); !errors.Is(err, ErrConflict) {
			t.Errorf("CompareAndDelete: %v", err)
		}
		if _, err := doc.CompareAndSwap(ctx, second, []byte("{")); !errors.Is(err, ErrInvalid) {
			t.Errorf("CompareAndSwap with invalid JSON: %v", err)
		}
		if got := content(t, doc); got != "2" {
			t.Errorf("the document is %q", got)
		}
		if err := doc.CompareAndDelete(ctx, second); err != nil {
			t.Error(err)
		}
		if err := doc.CompareAndDelete(ctx, second); !errors.Is(err, ErrConflict) {
			t.Errorf("CompareAndDelete of what is absent: %v", err)
		}
		if err := doc.Delete(ctx); !errors.Is(err, ErrNotExist) {
			t.Errorf("Delete of what is absent: %v", err)
		}
		if _, _, err := doc.Read(ctx); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Read of what is absent: %v", err)
		}
		if _, err := doc.Update(ctx, become("4")); err != nil {
			t.Error(err)
		}
		if err := doc.Delete(ctx); err != nil {
			t.Error(err)
		}
		wantFiles(t, doc, ".doc.json.lock")
	})
}

// TestInvalidDocument: it is left alone by what would have to understand it, and told with its
// version, by which it can be repaired.
func TestInvalidDocument(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		ctx := context.Background()
		const before = `{"a": 1,}`
		doc := document(t, before, opts)
		for name, err := range map[string]error{
			"Update":     second(doc.Update(ctx, func([]byte) ([]byte, error) { t.Error("the function ran"); return nil, nil })),
			"Set":        second(doc.Set(ctx, "a", 2)),
			"MergePatch": second(doc.MergePatch(ctx, []byte("{}"))),
		} {
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "line 1, column 9") {
				t.Errorf("%s: %v", name, err)
			}
		}
		data, version, err := doc.Read(ctx)
		if !errors.Is(err, ErrInvalid) || string(data) != before {
			t.Errorf("Read: %s, %v", data, err)
		}
		if _, err := doc.CompareAndSwap(ctx, version, []byte(`{"a": 1}`)); err != nil {
			t.Errorf("repair: %v", err)
		}
		broken := document(t, before, opts)
		if err := broken.Delete(ctx); err != nil {
			t.Errorf("Delete: %v", err)
		}
	})
}

// TestValues: what a value may be, and what it may not.
func TestValues(t *testing.T) {
	ctx := context.Background()
	doc := document(t, `{}`, Options{})
	for path, value := range map[string]any{
		"a": "<é>", "b": 1.5, "c": nil, "d": map[string]int{"x": 1}, "e": json.RawMessage(` [1.10 ] `), "f": json.Number("12345678901234567890"),
	} {
		if _, err := doc.Set(ctx, path, value); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, want := range map[string]string{"a": `"<é>"`, "b": "1.5", "c": "null", "d.x": "1",
		"e": "[1.10]", "f": "12345678901234567890"} {
		if got, _, err := doc.Get(ctx, path); err != nil || string(got) != want {
			t.Errorf("%s is %s (%v), want %s", path, got, err, want)
		}
	}
	var sum json.Number
	for _, delta := range []any{1, int8(-3), uint64(1 << 63), 0.5, json.Number("0.25"),
		big.NewInt(-6)} {
		var err error
		if sum, _, err = doc.Add(ctx, "n", delta); err != nil {
			t.Errorf("%v: %v", delta, err)
		}
	}
	if sum != "9223372036854775800.75" {
		t.Errorf("the sum is %s", sum)
	}
	before := content(t, doc)
	for _, value := range []any{math.NaN(), math.Inf(1), func() {}, json.RawMessage("{"),
		json.RawMessage("")} {
		if _, err := doc.Set(ctx, "a", value); !errors.Is(err, ErrInvalid) {
			t.Errorf("Set %v: %v", value, err)
		}
		if _, err := doc.Append(ctx, "list", value); !errors.Is(err, ErrInvalid) {
			t.Errorf("Append %v: %v", value, err)
		}
		if _, _, err := doc.Add(ctx, "n", value); !errors.Is(err, ErrInvalid) {
			t.Errorf("Add %v: %v", value, err)
		}
	}
	if got := content(t, doc); got != before {
		t.Errorf("the document became %s", got)
	}
}

func second[T any](_ T, err error) error { return err }

// TestVersionOfTheOtherKind: it is a mistake, not a conflict, except that an automatic
// handle understands both.
func TestVersionOfTheOtherKind(t *testing.T) {
	ctx := context.Background()
	byHash := document(t, "1", Options{})
	byMtime := open(t, byHash.Name(), Options{Versions: VersionMtime})
	auto := open(t, byHash.Name(), Options{Versions: VersionAuto})
	versionOf := func(doc *Doc) Version {
		_, v, err := doc.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if _, err := byHash.CompareAndSwap(ctx, versionOf(byMtime), []byte("2")); !errors.Is(err,
		ErrVersion) || errors.Is(err, ErrConflict) {
		t.Errorf("by hash: %v", err)
	}
	if _, err := byMtime.CompareAndSwap(ctx, versionOf(byHash), []byte("2")); !errors.Is(err,
		ErrVersion) || errors.Is(err, ErrConflict) {
		t.Errorf("by mtime: %v", err)
	}
	if got := content(t, byHash); got != "1" {
		t.Errorf("the document is %q", got)
	}
	if _, err := auto.CompareAndSwap(ctx, versionOf(byHash), []byte("2")); err != nil {
		t.Errorf("auto, given a hash: %v", err)
	}
	if _, err := auto.CompareAndSwap(ctx, versionOf(byMtime), []byte("3")); err != nil {
		t.Errorf("auto, given a time: %v", err)
	}
	if v := versionOf(auto); v.Kind() != 'm' {
		t.Errorf("auto gives out %v", v)
	}
}

// TestMemory: the same API on another engine.
func TestMemory(t *testing.T) {
	db, err := New(memdriver.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	doc := db.Doc("users/alice")
	together(50, func(int) {
		if _, err := doc.Update(ctx, increment); err != nil {
			t.Error(err)
		}
	})
	if data, _, err := doc.Read(ctx); err != nil || string(data) != "50" {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := doc.Inspect(ctx); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Inspect: %v", err)
	}
	for key, err := range db.Keys(ctx, "") {
		if key != "users/alice" || err != nil {
			t.Errorf("Keys: %q, %v", key, err)
		}
	}
	if err := doc.Delete(ctx); err != nil {
		t.Error(err)
	}
	db.Close()
	if _, err := doc.Update(ctx, increment); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
