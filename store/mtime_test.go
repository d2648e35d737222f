package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// clocked is the real file system with times in steps and a clock of its own.
type clocked struct {
	fsys.FS
	step int64 // times are kept in multiples of this
	now  func() int64
	sets *int // counts changes of a time; may be nil
}

func (c clocked) Now() int64 { return c.now() }

func (c clocked) round(info fsys.Info, err error) (fsys.Info, error) {
	info.Mtime -= info.Mtime % c.step
	return info, err
}

func (c clocked) Lstat(name string) (fsys.Info, error) { return c.round(c.FS.Lstat(name)) }

func (c clocked) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	file, err := c.FS.Open(name, how, perm)
	if err != nil {
		return nil, err
	}
	return clockedFile{file, c}, nil
}

type clockedFile struct {
	fsys.File
	in clocked
}

func (f clockedFile) Stat() (fsys.Info, error) { return f.in.round(f.File.Stat()) }

func (f clockedFile) SetMtime(ns int64) error {
	if f.in.sets != nil {
		*f.in.sets++
	}
	return f.File.SetMtime(ns)
}

func (f clockedFile) Generation() (uint64, bool) { return 0, false } // so that only time tells

func openClocked(path string, step time.Duration, now func() int64, opts Options) (*Doc, error) {
	return openCounted(path, step, now, nil, opts)
}

func openCounted(
	path string, step time.Duration, now func() int64, sets *int, opts Options,
) (*Doc, error) {
	files := clocked{fsys.New(), int64(step), now, sets}
	db, err := openFiles(files, path, filepath.Dir(path), &opts)
	if err != nil {
		return nil, err
	}
	return &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path, owns: true}, nil
}

// TestCoarseTimes: where times are coarse, versions by time are refused, and automatic
// ones are hashes.
func TestCoarseTimes(t *testing.T) {
	needsSlashes(t)
	for step, fine := range map[time.Duration]bool{
		1: true, 100: true, time.Microsecond: true, 2 * time.Microsecond: false,
		10 * time.Microsecond: false, 4 * time.Millisecond: false, time.Second: false,
		2 * time.Second: false,
	} {
		for _, existing := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "doc.json")
			if existing {
				if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			now := fsys.New().Now
			doc, err := openClocked(path, step, now, Options{Versions: VersionMtime})
			if fine != (err == nil) || !fine && !errors.Is(err, ErrUnsupported) {
				t.Errorf("step %v: %v", step, err)
			}
			if err == nil {
				doc.Close()
			}
			doc, err = openClocked(path, step, now, Options{Versions: VersionAuto})
			if err != nil {
				t.Fatal(err)
			}
			version, err := doc.Update(context.Background(), increment)
			if err != nil || (version.Kind() == 'm') != fine {
				t.Errorf("step %v: automatic version %v, %v", step, version, err)
			}
			wantFiles(t, doc, "doc.json", ".doc.json.lock")
			doc.Close()
		}
	}
}

// TestStampsGrow: also when the clock stands still or goes back, and from writers by
// hash, each version has a later time than the one before. Where times are coarse they
// do not run ahead of the clock.
func TestStampsGrow(t *testing.T) {
	start := time.Now().UnixNano()
	ticks := int64(0)
	for name, now := range map[string]func() int64{
		"a clock that stands still": func() int64 { return start },
		"a clock that goes back":    func() int64 { ticks++; return start - ticks*int64(time.Hour) },
	} {
		for _, step := range []time.Duration{1, 100, time.Microsecond} {
			path := filepath.Join(t.TempDir(), "doc.json")
			seen := map[Version]bool{}
			last := int64(0)
			for i := range 50 {
				opts := Options{Versions: VersionMtime, Durability: Volatile}
				if i%2 == 1 {
					opts.Versions = VersionHash
				}
				doc, err := openClocked(path, step, now, opts)
				if err != nil {
					t.Fatal(err)
				}
				// The same size each time.
				version, err := doc.Update(context.Background(), become([]string{"1", "2"}[i%2]))
				if err != nil {
					t.Fatal(err)
				}
				if version.Kind() == 'm' {
					if seen[version] {
						t.Fatalf("%s, step %v: version %v came back", name, step, version)
					}
					seen[version] = true
				}
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if at := info.ModTime().UnixNano(); at <= last {
					t.Fatalf("%s, step %v: stamped %d after %d", name, step, at, last)
				} else {
					last = at
				}
				doc.Close()
			}
		}
	}
	path := filepath.Join(t.TempDir(), "doc.json")
	doc, err := openClocked(path, 2*time.Second, func() int64 { return start },
		Options{Durability: Volatile})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	for range 10 {
		if _, err := doc.Update(context.Background(), increment); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil ||
		info.ModTime().UnixNano() > start+int64(time.Second) {
		t.Errorf("coarse times ran ahead: %v, the clock says %v (%v)", info.ModTime(),
			time.Unix(0, start), err)
	}
}

// TestStampedOnce: a time that was rounded by less than a microsecond is not set again.
// Where times are coarse, a file is stamped again under the lock once, and later files
// before it.
func TestStampedOnce(t *testing.T) {
	const updates = 10
	for step, want := range map[time.Duration]int{
		1: updates, 100: updates, 2 * time.Second: 1 + 3*updates,
	} {
		sets := 0
		doc, err := openCounted(filepath.Join(t.TempDir(), "doc.json"), step, fsys.New().Now, &sets,
			Options{Durability: Volatile})
		if err != nil {
			t.Fatal(err)
		}
		for range updates {
			if _, err := doc.Update(context.Background(), increment); err != nil {
				t.Fatal(err)
			}
		}
		if sets != want {
			t.Errorf("step %v: %d updates set a time %d times, want %d", step, updates, sets, want)
		}
		doc.Close()
	}
}

// TestRestoring: what puts an old version back must make a new file of it. The very
// file that it was, by a link, brings its old time back, from which on versions get the
// tokens of others that there were before.
func TestRestoring(t *testing.T) {
	needsSlashes(t)
	ctx := context.Background()
	for _, test := range []struct {
		name    string
		restore func(files fsys.FS, doc *Doc) error
		lost    bool
	}{
		{"by an update", func(_ fsys.FS, doc *Doc) error { _, err := doc.Update(ctx, become("1")); return err }, false},
		{"by a link", func(files fsys.FS, _ *Doc) error { return files.Rename("/dir/kept", simulated, fsys.Replace) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := simfs.New()
			w.Put(simulatedLock, "")
			w.Put(simulated, "1")
			err := w.Sequentially("writer", func(files fsys.FS) error {
				doc, err := openSimulated(files, Options{Versions: VersionMtime})
				if err != nil {
					return err
				}
				defer doc.Close()
				err = files.Link(simulated, "/dir/kept")
				if err != nil {
					return err
				}
				seen, err := doc.Update(ctx, become("2"))
				if err == nil {
					err = test.restore(files, doc)
				}
				if err == nil {
					_, err = doc.Update(ctx, become("3"))
				}
				if err != nil {
					return err
				}
				_, err = doc.CompareAndSwap(ctx, seen, []byte("4"))
				if lost := err == nil; lost != test.lost {
					t.Errorf("a swap of what was there two versions before: %v", err)
				}
				return nil
			}, nil)
			if err != nil {
				t.Error(err)
			}
		})
	}
}
