package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// writeDocuments makes the files of documents, without the store.
func writeDocuments(t testing.TB, dir string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		path := filepath.Join(dir, filepath.FromSlash(key)+keySuffix)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte("0"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func openDir(t testing.TB, dir string, opts *Options) *DB {
	t.Helper()
	db, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// collect returns the keys up to the first error.
func collect(keys iter.Seq2[string, error]) (all []string, err error) {
	for key, err := range keys {
		if err != nil {
			return all, err
		}
		all = append(all, key)
	}
	return all, nil
}

// openCounting opens a directory and counts how often each directory below it is read.
func openCounting(t *testing.T, dir string) (db *DB, reads map[string]int) {
	t.Helper()
	reads = map[string]int{}
	beneath, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := &simfs.Faulty{FS: beneath, Inject: func(op, name string) simfs.Fault {
		if op == "readdir" {
			reads[filepath.ToSlash(name)]++
		}
		return simfs.Fault{}
	}}
	db, err = openFiles(files, "", ".", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, reads
}

// TestListReadsEachDirectoryOnce: a listing costs what its directories cost, however
// many documents there are, and it reads no directory that cannot have a key of the prefix.
func TestListReadsEachDirectoryOnce(t *testing.T) {
	dir := t.TempDir()
	var keys []string
	for i := range 3000 {
		keys = append(keys, fmt.Sprintf("k%04d", i), fmt.Sprintf("users/eu/u%04d", i))
	}
	writeDocuments(t, dir, append(keys, "users/us/a", "used/a", "v/a")...)
	for _, test := range []struct {
		prefix string
		keys   int
		reads  map[string]int
	}{
		{"", 6003, map[string]int{".": 1, "users": 1, "users/eu": 1, "users/us": 1, "used": 1, "v": 1}},
		{"k", 3000, map[string]int{".": 1}},
		{"us", 3002, map[string]int{".": 1, "users": 1, "users/eu": 1, "users/us": 1, "used": 1}},
		{"users/", 3001, map[string]int{"users": 1, "users/eu": 1, "users/us": 1}},
		{"users/e", 3000, map[string]int{"users": 1, "users/eu": 1}},
		{"users/eu/u1", 1000, map[string]int{"users/eu": 1}},
		{"users/nowhere/", 0, map[string]int{}},
		{"k0000/", 0, map[string]int{}},
	} {
		db, reads := openCounting(t, dir)
		found, err := collect(db.Keys(context.Background(), test.prefix))
		if err != nil || len(found) != test.keys || !maps.Equal(reads, test.reads) {
			t.Errorf("prefix %q: %d keys, want %d; directories read %v, want %v (%v)",
				test.prefix, len(found), test.keys, reads, test.reads, err)
		}
	}
	db, reads := openCounting(t, dir)
	for key := range db.Keys(context.Background(), "") {
		if key == "k0001" {
			break
		}
	}
	if !maps.Equal(reads, map[string]int{".": 1}) {
		t.Errorf("a loop that ends at its second key has read %v", reads)
	}
}

// TestListOrder: keys come in their byte order, which is not the order of a walk: "a-b"
// stands before "a/b", and that before "a0". What is no document is not listed.
func TestListOrder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("some of these names are devices here")
	}
	dir := t.TempDir()
	parts := []string{"a", "a-b", "a.b", "a0", "a b", "b", "ä", "x.json", "b,"}
	random := rand.New(rand.NewPCG(1, 2))
	chosen := map[string]bool{}
	for range 150 {
		var key []string
		for range 1 + random.IntN(3) {
			key = append(key, parts[random.IntN(len(parts))])
		}
		chosen[strings.Join(key, "/")] = true
	}
	keys := slices.Sorted(maps.Keys(chosen))
	writeDocuments(t, dir, keys...)

	writeDocuments(t, dir, ".hidden", ".git/a", "con", "a/nul.x", "b/.c")
	for _, name := range []string{"a.txt", ".a.json.lock", "b/.a.json.0.tmp", "json", ".json"} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), nil,
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}

	db := openDir(t, dir, nil)
	prefixes := []string{"", "z", "linked/", ".", "/", "a//", "../", ".git/", "a/../", "con/"}
	for _, key := range keys {
		for end := 1; end <= len(key); end++ {
			prefixes = append(prefixes, key[:end])
		}
		prefixes = append(prefixes, key+"/", key+"0")
	}
	for _, prefix := range prefixes {
		want := slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
			return !strings.HasPrefix(key, prefix)
		})
		got, err := collect(db.Keys(context.Background(), prefix))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("prefix %q: %q, want %q (%v)", prefix, got, want, err)
		}
	}
}

// TestListWhileDocumentsChange: a document that is there all the time is listed once, though
// it is replaced meanwhile and others come and go around it.
func TestListWhileDocumentsChange(t *testing.T) {
	for _, durability := range []Durability{Ordered, Volatile} { // by rename, and by exchange
		t.Run(durability.String(), func(t *testing.T) {
			dir := t.TempDir()
			var stay []string
			for i := range 300 {
				stay = append(stay, fmt.Sprintf("d%d/k%03d", i%3, i))
			}
			slices.Sort(stay)
			db := openDir(t, dir, &Options{Durability: durability})
			ctx := context.Background()
			for _, key := range stay {
				if _, err := db.Doc(key).Create(ctx, []byte("0")); err != nil {
					t.Fatal(err)
				}
			}
			var listed atomic.Bool
			var writers sync.WaitGroup
			defer writers.Wait()
			defer listed.Store(true)
			for w := range 4 {
				writers.Go(func() {
					for i := w; !listed.Load(); i++ {
						doc := db.Doc(stay[i*7%len(stay)])
						if w == 0 {
							doc = db.Doc(fmt.Sprintf("d%d/passing%03d", i%3, i%1000))
						}
						_, err := doc.Update(ctx, increment)
						if err == nil && w == 0 {
							err = doc.Delete(ctx)
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for end := time.Now().Add(time.Second / 2); time.Now().Before(end) && !t.Failed(); {
				got, err := collect(db.Keys(ctx, ""))
				if err != nil || !slices.IsSorted(got) {
					t.Fatalf("sorted: %v, error: %v", slices.IsSorted(got), err)
				}
				got = slices.DeleteFunc(got, func(key string) bool {
					return strings.Contains(key, "passing")
				})
				if !slices.Equal(got, stay) {
					t.Fatalf("%d keys, want each of %d once", len(got), len(stay))
				}
			}
		})
	}
}

// hiding is a file system that leaves some names out of its directories, as btrfs does with those
// that move while they are read.
type hiding struct {
	fsys.FS
	hidden string
	twice  string // this one is listed twice
}

func (h hiding) ReadDir(name string) ([]fsys.Entry, error) {
	entries, err := h.FS.ReadDir(name)
	for _, entry := range entries {
		if entry.Name == h.twice {
			entries = append(entries, entry)
		}
	}
	return slices.DeleteFunc(entries, func(e fsys.Entry) bool { return e.Name == h.hidden }), err
}

// TestListFindsWhatMoves: a document that the system leaves out of its directory is found by
// its lock file; a lock file alone is no document.
func TestListFindsWhatMoves(t *testing.T) {
	dir := t.TempDir()
	writeDocuments(t, dir, "a/a", "a/moves", "a/z", "a/z/z")
	for _, name := range []string{"moves", "deleted", "z"} {
		lock := names.Lock(filepath.Join(dir, "a", name+keySuffix))
		if err := os.WriteFile(lock, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	beneath, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openFiles(hiding{beneath, "moves.json", "z.json"}, "", ".", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for prefix, want := range map[string]string{"": "a/a a/moves a/z a/z/z", "a/m": "a/moves",
		"a/n": ""} {
		got, err := collect(db.Keys(context.Background(), prefix))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("prefix %q: %q, want %s (%v)", prefix, got, want, err)
		}
	}
}

// TestListInALoopThatWrites: the body of the loop may do all that it could do elsewhere.
func TestListInALoopThatWrites(t *testing.T) {
	dir := t.TempDir()
	writeDocuments(t, dir, "a", "b/c", "b/d", "e/f")
	db := openDir(t, dir, nil)
	ctx := context.Background()
	var got []string
	for key, err := range db.Keys(ctx, "") {
		if err == nil {
			err = db.Doc(key).Delete(ctx)
		}
		if err == nil && key == "a" {
			// in a directory that is yet to be read
			_, err = db.Doc("b/bb").Create(ctx, []byte("1"))
		}
		if err == nil && key == "b/d" {
			err = os.RemoveAll(filepath.Join(dir, "e")) // which the listing knows to be there
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, key)
	}
	if want := []string{"a", "b/bb", "b/c", "b/d"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	if left, err := collect(db.Keys(ctx, "")); err != nil || len(left) != 0 {
		t.Errorf("left are %q (%v)", left, err)
	}
}

// TestListEnds: an error, the end of the context and Close end a listing where it is.
func TestListEnds(t *testing.T) {
	dir := t.TempDir()
	writeDocuments(t, dir, "a", "b/c", "b/d", "e/f", "g")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db := openDir(t, dir, nil)
	errFailed := errors.New("not today")
	beneath, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	faulty, err := openFiles(&simfs.Faulty{FS: beneath,
		Inject: func(op, name string) (f simfs.Fault) {
			if op == "readdir" && name == "e" {
				f.Err = errFailed
			}
			return f
		}}, "", ".", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer faulty.Close()
	for _, test := range []struct {
		name string
		db   *DB
		end  func()
		want error
		text string
	}{
		{"a directory cannot be read", faulty, func() {}, errFailed, "readdir e"},
		{"the context ends", db, cancel, context.Canceled, "list"},
		{"the store is closed", db, func() { db.Close() }, ErrClosed, "list"},
	} {
		listing := ctx
		if test.want != context.Canceled {
			listing = context.Background()
		}
		var got []string
		var last error
		for key, err := range test.db.Keys(listing, "") {
			if last != nil {
				t.Errorf("%s: %q comes after the error", test.name, key)
			}
			if last = err; err == nil {
				got = append(got, key)
			}
			if key == "b/d" {
				test.end()
			}
		}
		if !errors.Is(last, test.want) || !strings.Contains(last.Error(), test.text) {
			t.Errorf("%s: %v, want %v with %q in it", test.name, last, test.want, test.text)
		}
		if want := []string{"a", "b/c", "b/d"}; !slices.Equal(got, want) {
			t.Errorf("%s: listed %q, want %q", test.name, got, want)
		}
	}
	gone := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	lost := openDir(t, gone, nil)
	if err := os.Remove(gone); err != nil {
		t.Skip(err) // Windows keeps a directory that is open
	}
	if got, err := collect(lost.Keys(context.Background(), "")); len(got) != 0 ||
		err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that was removed: %q, %v", got, err)
	}
}

// BenchmarkKeys lists directories in which each document has its lock file. The metric tells
// that a listing is linear: the time for each key stays.
func BenchmarkKeys(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			for i := range n {
				name := filepath.Join(dir, fmt.Sprintf("document%d.json", i))
				if err := errors.Join(os.WriteFile(name, []byte("0"), 0o600),
					os.WriteFile(names.Lock(name), nil, 0o600)); err != nil {
					b.Fatal(err)
				}
			}
			db := openDir(b, dir, nil)
			b.ReportAllocs()
			for b.Loop() {
				keys, err := collect(db.Keys(context.Background(), ""))
				if err != nil || len(keys) != n {
					b.Fatal(len(keys), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/key")
		})
	}
}
