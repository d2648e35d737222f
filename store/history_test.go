package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// past is the content of the versions of a document before the current one, the newest first.
func versionsOf(t *testing.T, doc *Doc) (list []string) {
	t.Helper()
	for e, err := range doc.History(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.N == 0 {
			continue
		}
		data, err := doc.ReadHistory(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(data))
	}
	return list
}

func haveVersions(t *testing.T, doc *Doc, want ...string) {
	t.Helper()
	if got := versionsOf(t, doc); !slices.Equal(got, want) {
		t.Errorf("the history of %s is %q, want %q", filepath.Base(doc.Name()), got, want)
	}
}

// switchOn switches the history of a document on.
func switchOn(t *testing.T, doc *Doc, opts HistoryOptions) {
	t.Helper()
	if err := doc.SetHistory(context.Background(), &opts); err != nil {
		t.Fatal(err)
	}
}

// TestHistory: every writer keeps the versions, with whatever options, and they are the files
// that they were.
func TestHistory(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	everyKeeper(t, func(t *testing.T, open func(path string) *Doc) {
		for _, keepLast := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "doc.json")
			doc, err := open(path).With(func(o *Options) { o.KeepLast = keepLast })
			if err != nil {
				t.Fatal(err)
			}
			step := func(err error, want ...string) {
				t.Helper()
				if errors.Is(err, ErrUnsupported) && doc.opts.GuardForeign {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				haveVersions(t, doc, want...)
			}
			switchOn(t, doc, HistoryOptions{Keep: 4})
			_, err = doc.Create(ctx, []byte("1"))
			step(err)
			before, _ := os.Lstat(path)
			_, err = doc.Update(ctx, increment)
			step(err, "1")
			for e, err := range doc.History(ctx) {
				after, statErr := os.Lstat(e.Path)
				if err != nil || e.N == 1 && (statErr != nil || !os.SameFile(before, after)) {
					t.Errorf("%+v is not the file that it was: %v, %v", e, err, statErr)
				}
			}
			_, err = doc.Update(ctx, increment)
			step(err, "2", "1")
			_, err = doc.Update(ctx, func(old []byte) ([]byte, error) { return old, nil })
			step(err, "2", "1")
			_, version, err := doc.Read(ctx)
			if err == nil {
				_, err = doc.CompareAndSwap(ctx, version, []byte("[]"))
			}
			step(err, "3", "2", "1")
			step(doc.Delete(ctx), "[]", "3", "2", "1")
			_, err = doc.Create(ctx, []byte("4"))
			step(err, "[]", "3", "2", "1")
			_, version, err = doc.Read(ctx)
			if err == nil {
				err = doc.CompareAndDelete(ctx, version)
			}
			step(err, "4", "[]", "3", "2")
			if got := doc.Stats().Unkept; got != 0 {
				t.Errorf("%d were not kept", got)
			}
			for _, name := range listOf(t, path) {
				_, entry := names.HistoryOf("doc.json", name)
				if !entry && name != ".doc.json.lock" && !strings.Contains(name, ".jsonstore.") {
					t.Errorf("there is %s", name)
				}
			}
			if err := doc.SetHistory(ctx, nil); err != nil {
				t.Fatal(err)
			}
			_, err = doc.Create(ctx, []byte("5"))
			if err == nil {
				_, err = doc.Update(ctx, increment)
			}
			if err != nil || slices.Contains(versionsOf(t, doc), "5") {
				t.Errorf("kept although it is off: %v", err)
			}
		}
	})
}

// TestHistoryWithoutLinks: where a file cannot have two names, a version is kept all the same if
// names can be exchanged; else the write goes on without it, and that is counted.
func TestHistoryWithoutLinks(t *testing.T) {
	needsPaths(t)
	needsExchange(t)
	ctx := context.Background()
	for _, opts := range []Options{{}, {Durability: Volatile}, {GuardForeign: true}} {
		for _, exchanges := range []bool{true, false} {
			if opts.GuardForeign && !exchanges {
				continue
			}
			path := filepath.Join(t.TempDir(), "doc.json")
			doc := openFaulty(t, path, opts, func(op, name string) error {
				if op == "link" || op == "exchange" && name == path && !exchanges {
					return errors.ErrUnsupported
				}
				return nil
			})
			switchOn(t, doc, HistoryOptions{})
			for range 3 {
				if _, err := doc.Update(ctx, increment); err != nil {
					t.Fatal(err)
				}
			}
			if err := doc.Delete(ctx); err != nil {
				t.Fatal(err)
			}
			if exchanges {
				haveVersions(t, doc, "3", "2", "1")
			} else {
				haveVersions(t, doc, "3") // a deletion is a rename
			}
			if got := doc.Stats().Unkept; (got == 0) != exchanges {
				t.Errorf("%d are not kept", got)
			}
			for _, name := range listOf(t, path) {
				if strings.HasSuffix(name, ".tmp") {
					t.Errorf("left is %s", name)
				}
			}
		}
	}
}

// TestUndo: an undo is a version too.
func TestUndo(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	doc := open(t, path, Options{})
	switchOn(t, doc, HistoryOptions{})
	for i := range 4 {
		if _, err := doc.Update(ctx, become(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	undo := func(n int, want string, versions ...string) {
		t.Helper()
		if _, err := doc.Undo(ctx, n); err != nil {
			t.Fatal(err)
		}
		have(t, path, want)
		haveVersions(t, doc, versions...)
	}
	undo(1, "2", "3", "2", "1", "0")
	undo(1, "3", "2", "3", "2", "1", "0")
	undo(5, "0", "3", "2", "3", "2", "1", "0")
	if err := doc.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Undo(ctx, 99); !errors.Is(err, ErrNotExist) {
		t.Error(err)
	}
	undo(1, "0", "0", "3", "2", "3", "2", "1", "0")
	putText(t, path, "{")
	if _, err := doc.Undo(ctx, 1); !errors.Is(err, ErrInvalid) {
		t.Errorf("an undo has replaced what is not valid: %v", err)
	}
	r, err := doc.Recover(ctx, nil)
	if err != nil || r.Taken == nil || r.Taken.Kind != CandidateHistory {
		t.Errorf("%+v, %v", r, err)
	}
	have(t, path, "0")
}

// TestHistoryLimits: the last versions are there, and not many more files.
func TestHistoryLimits(t *testing.T) {
	ctx := context.Background()
	for _, keep := range []int{1, 5, 100} {
		path := filepath.Join(t.TempDir(), "doc.json")
		doc := open(t, path, Options{Durability: Volatile})
		switchOn(t, doc, HistoryOptions{Keep: keep})
		for i := range 300 {
			writer := doc
			if i%3 == 0 {
				writer = open(t, path, Options{Durability: Volatile})
			}
			if _, err := writer.Update(ctx, become(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for i := range keep {
			want = append(want, fmt.Sprint(298-i))
		}
		haveVersions(t, doc, want...)
		if n := len(listOf(t, path)); n > 2*keep+3*listEvery {
			t.Errorf("of %d versions there are %d files", keep, n)
		}
		if _, _, err := doc.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		haveVersions(t, doc, want...)
		if n := len(listOf(t, path)); n > keep+5 {
			t.Errorf("of %d versions there are %d files after a sweep", keep, n)
		}
	}
	path := filepath.Join(t.TempDir(), "doc.json")
	doc := open(t, path, Options{})
	switchOn(t, doc, HistoryOptions{Age: time.Hour})
	for i := range 3 {
		if _, err := doc.Update(ctx, become(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	haveVersions(t, doc, "1", "0")
	switchOn(t, doc, HistoryOptions{Age: time.Nanosecond})
	haveVersions(t, doc)
	if _, _, err := doc.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if got := listOf(t, path); len(got) != 4 {
		t.Errorf("there are %q", got)
	}
}

// TestHistoryOfADirectory: all documents beneath it, those of later too.
func TestHistoryOfADirectory(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := func(key, value string) {
		t.Helper()
		if _, err := db.Doc(key).Update(ctx, become(value)); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "1")
	write("sub/b", "1")
	write("a", "2")
	if err := db.SetHistory(ctx, &HistoryOptions{Keep: 3}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "sub/b", "new", "sub/new/c"} {
		write(key, "3")
		write(key, "4")
	}
	haveVersions(t, db.Doc("a"), "3", "2")
	haveVersions(t, db.Doc("sub/b"), "3", "1")
	haveVersions(t, db.Doc("new"), "3")
	haveVersions(t, db.Doc("sub/new/c"), "3")
	// One is excepted, by another handle.
	file := open(t, filepath.Join(dir, "a.json"), Options{})
	if err := file.SetHistory(ctx, nil); err != nil {
		t.Fatal(err)
	}
	write("a", "5")
	write("new", "5")
	haveVersions(t, db.Doc("a"), "3", "2")
	haveVersions(t, db.Doc("new"), "4", "3")
	var keys []string
	for key, err := range db.Keys(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if want := []string{"a", "new", "sub/b", "sub/new/c"}; !slices.Equal(keys, want) {
		t.Errorf("the keys are %q", keys)
	}
	if err := db.SetHistory(ctx, nil); err != nil {
		t.Fatal(err)
	}
	write("sub/b", "6")
	haveVersions(t, db.Doc("sub/b"), "3", "1")
	if _, on, err := file.HistoryOptions(); on || err != nil {
		t.Error(on, err)
	}
}

// TestTransactionHistory: the versions that a transaction replaces or deletes are kept, and it is
// said which belong together.
func TestTransactionHistory(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	for _, durability := range []Durability{Durable, Ordered, Volatile} {
		for _, opts := range []Options{{}, {GuardForeign: true}, {FlushOrder: PortableOrder}} {
			opts.Durability = durability
			dir := t.TempDir()
			var docs []*Doc
			for _, name := range []string{"a.json", "b.json", "c.json"} {
				putText(t, filepath.Join(dir, name), "1")
				docs = append(docs, open(t, filepath.Join(dir, name), opts))
				switchOn(t, docs[len(docs)-1], HistoryOptions{})
			}
			err := Transact(ctx, func(tx *Tx) error {
				return errors.Join(tx.Update(docs[0], increment), tx.Delete(docs[1]),
					tx.Update(docs[2], increment))
			})
			if errors.Is(err, ErrUnsupported) {
				continue // no transactions here, or no guards
			}
			if err != nil {
				t.Fatal(err)
			}
			by := map[string]bool{}
			for i, doc := range docs {
				haveVersions(t, doc, "1")
				for e, err := range doc.History(ctx) {
					if err != nil {
						t.Fatal(err)
					}
					by[e.Transaction+e.ReplacedBy] = true
					if made := e.N == 0; made != (e.Transaction != "") ||
						made == (e.ReplacedBy != "") || e.Deleted != (i == 1) {
						t.Errorf("%s: %+v", doc.Name(), e)
					}
				}
			}
			if len(by) != 1 {
				t.Errorf("they belong to %v", by)
			}
			if _, err := docs[1].Undo(ctx, 1); err != nil {
				t.Error(err)
			}
			have(t, docs[1].Name(), "1")
		}
	}
}

// TestHistoryWaitsForWriters: whoever has switched it on knows that every writer keeps from then
// on, also one who was under way.
func TestHistoryWaitsForWriters(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "doc.json")
	putText(t, path, "1")
	doc := open(t, path, Options{})
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, set := range map[string]func(ctx context.Context) error{
		"the document":  func(ctx context.Context) error { return db.Doc("doc").SetHistory(ctx, nil) },
		"the directory": func(ctx context.Context) error { return db.SetHistory(ctx, nil) },
	} {
		writer := doc.drv.files.attempt(doc.key, VersionHash)
		// Who has left a wait for it may still get it, and then releases it at once.
		if err := writer.lock(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		err := set(ctx)
		if !errors.Is(err, context.DeadlineExceeded) ||
			!strings.Contains(err.Error(), "under way") {
			t.Errorf("%s: %v", what, err)
		}
		cancel()
		writer.Close()
	}
}

// TestHistoryOfFailures: a write that fails leaves no name; one that cannot see the switch fails;
// where that cannot be read, all is kept.
func TestHistoryOfFailures(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	failing, happens := "", func() {}
	doc := openFaulty(t, path, Options{}, func(op, name string) error {
		if op+" "+filepath.Base(name) == failing {
			happens()
			return errors.New("went wrong")
		}
		return nil
	})
	putText(t, path, "1")
	putText(t, names.HistorySwitch(path), "no switch")
	if _, on, err := doc.HistoryOptions(); !on || err == nil {
		t.Error(on, err)
	}
	if _, err := doc.Update(ctx, increment); err != nil {
		t.Fatal(err)
	}
	haveVersions(t, doc, "1")
	failing = "lstat .jsonstore.history"
	_, err := doc.Update(ctx, increment)
	if err == nil || !strings.Contains(err.Error(), "went wrong") {
		t.Errorf("it did not look: %v", err)
	}
	have(t, path, "2")
	failing = "rename doc.json"
	if _, err := doc.Update(ctx, increment); err == nil {
		t.Error("it was renamed")
	}
	have(t, path, "2")
	failing = ""
	haveVersions(t, doc, "1")
	entries := func() (n int) {
		for _, name := range listOf(t, path) {
			if _, ok := names.HistoryOf("doc.json", name); ok {
				n++
			}
		}
		return n
	}
	if n := entries(); n != 1 {
		t.Errorf("there are %d kept files", n)
	}
	// Another program replaces the document then: what it has displaced stays.
	failing, happens = "rename doc.json", func() {
		putText(t, path+".new", "[]")
		if err := os.Rename(path+".new", path); err != nil {
			t.Error(err)
		}
	}
	if _, err := doc.Update(ctx, increment); err == nil {
		t.Error("it was renamed")
	}
	failing = ""
	have(t, path, "[]")
	haveVersions(t, doc, "2", "1")
}

// TestHistoryWrittenInto: a program that has kept the file open writes into a former version. That
// is not shown, nor brought back; the ones before it are.
func TestHistoryWrittenInto(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	doc := open(t, path, Options{})
	switchOn(t, doc, HistoryOptions{})
	for _, value := range []string{"1", "2", "3"} {
		if _, err := doc.Update(ctx, become(value)); err != nil {
			t.Fatal(err)
		}
	}
	for e, err := range doc.History(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.N != 1 {
			continue
		}
		putText(t, e.Path, "9")
		if _, err := doc.ReadHistory(ctx, e); !errors.Is(err, ErrInvalid) {
			t.Errorf("it was read: %v", err)
		}
	}
	if _, err := doc.Undo(ctx, 1); !errors.Is(err, ErrInvalid) {
		t.Errorf("it was brought back: %v", err)
	}
	have(t, path, "3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r, err := doc.Recover(ctx, nil)
	if err != nil || r.Taken == nil {
		t.Fatal(r, err)
	}
	have(t, path, "1")
}

// TestHistoryWhileOthersWrite: a name may be made while the directory is listed and not be in the
// list, and a later one may be in it.
func TestHistoryWhileOthersWrite(t *testing.T) {
	needsSlashes(t)
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	writer := open(t, path, Options{})
	switchOn(t, writer, HistoryOptions{})
	write := func() {
		t.Helper()
		if _, err := writer.Update(ctx, increment); err != nil {
			t.Fatal(err)
		}
	}
	putText(t, path, "1")
	write()
	hides := ""
	files := &gappy{FS: fsys.New(), list: func(entries []fsys.Entry) []fsys.Entry {
		if hides != "" {
			return entries
		}
		write() // 2 is displaced, and is not in the list
		for e, err := range writer.History(ctx) {
			if err == nil && e.N == 1 {
				hides = filepath.Base(e.Path)
			}
		}
		write() // 3 is displaced, and is in it
		entries, err := fsys.New().ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(entries, func(e fsys.Entry) bool { return e.Name == hides })
	}}
	db, err := openFiles(files, path, filepath.Dir(path), &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path}
	haveVersions(t, doc, "1")
	haveVersions(t, doc, "3", "2", "1")
}

// gappy lists directories in its own way.
type gappy struct {
	fsys.FS
	list func([]fsys.Entry) []fsys.Entry
}

func (g *gappy) ReadDir(name string) ([]fsys.Entry, error) {
	entries, err := g.FS.ReadDir(name)
	return g.list(entries), err
}

// BenchmarkHistory is an update with its history on and off; and a listing of 10,000 versions.
func BenchmarkHistory(b *testing.B) {
	ctx := context.Background()
	for _, durability := range []Durability{Volatile, Ordered, Durable} {
		for _, on := range []bool{false, true} {
			b.Run(fmt.Sprintf("%v/on=%v", durability, on), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "doc.json")
				doc, err := OpenFile(path, &Options{Durability: durability})
				if err == nil && on {
					err = doc.SetHistory(ctx, &HistoryOptions{Keep: 20})
				}
				if err != nil {
					b.Fatal(err)
				}
				defer doc.Close()
				for i := 0; b.Loop(); i++ {
					_, err := doc.Update(ctx, func([]byte) ([]byte, error) {
						return fmt.Appendf(nil, `{"hits": %d}`, 1_000_000_000+i), nil
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("list/10000", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "doc.json")
		doc, err := OpenFile(path, &Options{Durability: Volatile})
		if err == nil {
			err = doc.SetHistory(ctx, &HistoryOptions{Keep: -1})
		}
		for i := 0; err == nil && i <= 10_000; i++ {
			_, err = doc.Update(ctx, func([]byte) ([]byte, error) {
				return fmt.Appendf(nil, `{"hits": %d}`, i), nil
			})
		}
		if err != nil {
			b.Fatal(err)
		}
		defer doc.Close()
		for b.Loop() {
			n := 0
			for _, err := range doc.History(ctx) {
				if n++; err != nil {
					b.Fatal(err)
				}
			}
			if n != 10_001 {
				b.Fatal(n)
			}
		}
	})
}
