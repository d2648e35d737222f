package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// observed is the real file system with a clock that can be ahead, and times in ticks;
// it counts what is opened.
type observed struct {
	fsys.FS
	ahead time.Duration
	tick  int64
	kind  string // of file system, if not empty, with a ctime that is a copy of the mtime
	opens atomic.Int64
}

// seen is how the times look where the clock goes on in ticks: as they are, but as if
// it had been the last one.
func (o *observed) seen(info fsys.Info, err error) (fsys.Info, error) {
	const odd = 123_457 // a tick is no round number
	if o.tick > 0 {
		info.Mtime -= (info.Mtime - odd) % o.tick
		info.Ctime -= (info.Ctime - odd) % o.tick
	}
	if o.kind != "" {
		info.Ctime = info.Mtime
	}
	return info, err
}

func (o *observed) Now() int64                           { return o.FS.Now() + int64(o.ahead) }
func (o *observed) Lstat(name string) (fsys.Info, error) { return o.seen(o.FS.Lstat(name)) }

func (o *observed) Type(name string) (string, error) {
	if o.kind != "" {
		return o.kind, nil
	}
	return o.FS.Type(name)
}

func (o *observed) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	o.opens.Add(1)
	file, err := o.FS.Open(name, how, perm)
	if err != nil {
		return nil, err
	}
	return observedFile{file, o}, nil
}

type observedFile struct {
	fsys.File
	in *observed
}

func (f observedFile) Stat() (fsys.Info, error) { return f.in.seen(f.File.Stat()) }

func openObserved(t *testing.T, files *observed, path string, opts Options) *Doc {
	t.Helper()
	db, err := openFiles(files, path, filepath.Dir(path), &opts)
	if err != nil {
		t.Fatal(err)
	}
	doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path, owns: true}
	t.Cleanup(func() { doc.Close() })
	return doc
}

// aged are files that have come of age when they are read.
func aged() *observed { return &observed{FS: fsys.New(), ahead: time.Minute} }

func TestUnchangedIsNotOpened(t *testing.T) {
	needsChangeTimes(t)
	ctx := context.Background()
	for _, versions := range []VersionMode{VersionHash, VersionMtime} {
		path := filepath.Join(t.TempDir(), "doc.json")
		if err := os.WriteFile(path, []byte(`{"n":1}`), 0o600); err != nil {
			t.Fatal(err)
		}
		files := aged()
		doc := openObserved(t, files, path, Options{Versions: versions})
		first, version, err := doc.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		before := files.opens.Load()
		for range 3 {
			data, again, err := doc.Read(ctx)
			if err != nil || &data[0] != &first[0] || again != version {
				t.Errorf("%s, %v, %v", data, again, err)
			}
			if value, _, err := doc.Get(ctx, "n"); err != nil || string(value) != "1" {
				t.Errorf("%s, %v", value, err)
			}
		}
		if opens := files.opens.Load() - before; opens != 0 {
			t.Errorf("%d files opened", opens)
		}
		limit := 0.0
		if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
			limit = 1 // the name, for a system call that is not made by hand
		}
		if allocations := testing.AllocsPerRun(100,
			func() { _, _, _ = doc.Read(ctx) }); allocations > limit && !raceDetector {
			t.Errorf("%v allocations", allocations)
		}
		if _, err := doc.Set(ctx, "n", 2); err != nil {
			t.Fatal(err)
		}
		if value, _, err := doc.Get(ctx, "n"); err != nil || string(value) != "2" {
			t.Errorf("after a change: %s, %v", value, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, _, err := doc.Read(ctx); !errors.Is(err, ErrNotExist) {
			t.Errorf("removed: %v", err)
		}
		doc.Close()
		if _, _, err := doc.Read(ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}

// TestReadsAreFresh: whatever a program does to the file, the next read sees it; also
// where times stand still for some milliseconds.
func TestReadsAreFresh(t *testing.T) {
	top := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(top, "")
		if err != nil {
			t.Fatal(err)
		}
		path, temp := filepath.Join(dir, "doc.json"), filepath.Join(dir, "temp")
		files := &observed{FS: fsys.New(),
			tick: rapid.SampledFrom([]int64{0, int64(4 * time.Millisecond),
				int64(10 * time.Millisecond)}).Draw(t, "tick")}
		// Twice the longest tick is enough here, and there is less to wait for.
		files.ahead = time.Duration(ofAge) - 20*time.Millisecond
		opts := Options{Durability: Volatile}
		full, err := opts.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		drv, err := newFileDriver(files, path, &full, &counters{})
		if err != nil {
			t.Fatal(err)
		}
		db := newDB(drv, &full, &counters{})
		doc := &Doc{db: db, drv: db.drv, opts: &full, key: path, name: path, owns: true}
		defer doc.Close()
		now := "" // what is in the file, empty for no file
		n := 0
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		next := func() string {
			n++
			now = fmt.Sprintf(`"%03d"`, n)
			return now
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for range 2 {
					data, _, err := doc.Read(context.Background())
					if string(data) != now || errors.Is(err, ErrNotExist) != (now == "") {
						t.Fatalf("read %q (%v), want %q", data, err, now)
					}
				}
			},
			"write in place":        func(*rapid.T) { must(os.WriteFile(path, []byte(next()), 0o600)) },
			"replace":               func(*rapid.T) { must(os.WriteFile(temp, []byte(next()), 0o600)); must(os.Rename(temp, path)) },
			"update":                func(*rapid.T) { _, err := doc.Update(context.Background(), become(next())); must(err) },
			"remove":                func(*rapid.T) { must(ignoreNotExist(os.Remove(path))); now = "" },
			"remove and make again": func(*rapid.T) { must(ignoreNotExist(os.Remove(path))); must(os.WriteFile(path, []byte(next()), 0o600)) },
			"write and set it back": func(t *rapid.T) {
				before, err := os.Stat(path)
				must(os.WriteFile(path, []byte(next()), 0o600))
				if err == nil {
					must(os.Chtimes(path, before.ModTime(), before.ModTime()))
				}
			},
			"wait": func(t *rapid.T) {
				for until := time.Now().Add(time.Duration(rapid.IntRange(0, 30).Draw(t,
					"ms")) * time.Millisecond); time.Now().Before(until); {
				}
			},
		})
	})
}

func TestOfAge(t *testing.T) {
	const now = int64(1_700_000_000_123_456_789)
	ms := int64(time.Millisecond)
	for _, test := range []struct {
		name         string
		mtime, ctime int64
		want         bool
	}{
		{"old", now - 100*ms, now - 100*ms, true},
		{"young", now - 99*ms, now - 99*ms, false},
		{"written long ago, renamed now", now - 3600_000*ms, now - 5*ms, false},
		{"stamped ahead of the clock", now + 1, now - 3600_000*ms, false},
		{"in the future", now + 3600_000*ms, now - 3600_000*ms, false},
		{"whole seconds, young", now/1e9*1e9 - 1e9, now/1e9*1e9 - 1e9, false},
		{"whole seconds, old", now/1e9*1e9 - 2e9, now/1e9*1e9 - 2e9, true},
		{"only one of them whole", now/1e9*1e9 - 1e9, now - 1000*ms, false},
		{"no ctime", now - 3600_000*ms, 0, false},
	} {
		if got := isOfAge(fsys.Info{Mtime: test.mtime, Ctime: test.ctime}, now); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestSnapshotAndLimits: what is valid, or not too large, for one handle may not be so
// for another on the same document.
func TestSnapshotAndLimits(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte(`{"a":[[1]],"a":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	doc := openObserved(t, aged(), path, Options{AllowDuplicateKeys: true})
	for range 2 {
		if _, _, err := doc.Read(ctx); err != nil {
			t.Error(err)
		}
		for name, test := range map[string]struct {
			change func(*Options)
			want   error
		}{
			"duplicates": {func(o *Options) { o.AllowDuplicateKeys = false }, ErrInvalid},
			"depth":      {func(o *Options) { o.MaxDepth = 2 }, ErrInvalid},
			"size":       {func(o *Options) { o.MaxSize = 5 }, ErrTooLarge},
		} {
			strict, err := doc.With(test.change)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				data, version, err := strict.Read(ctx)
				if !errors.Is(err, test.want) ||
					(test.want == ErrInvalid) == (data == nil || version.IsAbsent()) {
					t.Errorf("%s: %s, %v, %v", name, data, version, err)
				}
			}
		}
	}
}

var decodings atomic.Int64

// counting counts how often it is decoded.
type counting int

func (c *counting) UnmarshalJSON(data []byte) error {
	decodings.Add(1)
	*c = counting(len(data))
	return nil
}

// TestDecodedOnce: an unchanged document is not decoded again, unless callers could
// change what they share then.
func TestDecodedOnce(t *testing.T) {
	needsChangeTimes(t)
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte(`{"N":1,"M":{"a":1}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	doc := openObserved(t, aged(), path, Options{})
	type plain struct {
		N    counting
		Name string
		At   time.Time
		All  [2]struct{ X float64 }
	}
	type shared struct {
		N counting
		M map[string]int
	}
	before := decodings.Load()
	for range 3 {
		value, _, err := Read[plain](ctx, doc)
		if err != nil || value.N != 1 {
			t.Errorf("%+v, %v", value, err)
		}
		value.N = 7 // of a copy
	}
	if n := decodings.Load() - before; n != 1 {
		t.Errorf("decoded %d times", n)
	}
	for range 3 {
		value, _, err := Read[shared](ctx, doc)
		if err != nil || value.M["a"] != 1 {
			t.Errorf("%+v, %v", value, err)
		}
		value.M["a"] = 7
	}
	if n := decodings.Load() - before; n != 4 {
		t.Errorf("decoded %d times", n)
	}
	if err := os.WriteFile(path, []byte(`{"N":10}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if value, _, err := Read[plain](ctx, doc); err != nil || value.N != 2 {
		t.Errorf("%+v, %v", value, err)
	}
}

// TestSnapshotsAreBounded: a directory's handle does not keep all that it has ever read.
func TestSnapshotsAreBounded(t *testing.T) {
	needsChangeTimes(t)
	dir := t.TempDir()
	beneath, err := fsys.Beneath(dir)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openFiles(&observed{FS: beneath, ahead: time.Minute}, "", ".", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	large := `"` + strings.Repeat("x", maxKeptBytes/5) + `"`
	read := func(key, content string) {
		if err := os.WriteFile(filepath.Join(dir, key+".json"), []byte(content),
			0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if data, _, err := db.Doc(key).Read(context.Background()); err != nil ||
				string(data) != content {
				t.Fatalf("%s: %d bytes, %v", key, len(data), err)
			}
		}
	}
	for i := range 7 {
		read(fmt.Sprintf("large%d", i), large)
	}
	for i := range maxKept + 10 {
		read(fmt.Sprint(i), fmt.Sprint(i))
	}
	kept := &db.drv.files.shared.kept
	sum := 0
	for _, s := range kept.byKey {
		sum += len(s.data)
	}
	if len(kept.byKey) > maxKept || len(kept.byKey) < maxKept/2 ||
		kept.bytes > maxKeptBytes || sum != kept.bytes {
		t.Errorf("%d snapshots, %d bytes, counted %d", len(kept.byKey), sum, kept.bytes)
	}
}

// TestReadersAndAWriter read what is published, and nothing older than what they have read.
func TestReadersAndAWriter(t *testing.T) {
	doc := document(t, "0", Options{Durability: Volatile})
	together(5, func(i int) {
		last := int64(0)
		for n := range 200 {
			if i == 0 {
				if _, err := doc.Update(context.Background(), increment); err != nil {
					t.Error(err)
				}
				if n%20 == 0 {
					time.Sleep(time.Duration(ofAge)) // a snapshot is kept now and then
				}
				continue
			}
			value, _, err := Read[int64](context.Background(), doc)
			if err != nil || value < last {
				t.Errorf("%d after %d (%v)", value, last, err)
			}
			last = value
		}
	})
}
