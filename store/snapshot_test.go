package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// openWith opens a new directory with documents by key.
func openWith(t testing.TB, opts Options, documents map[string]string) (*DB, string) {
	t.Helper()
	dir := t.TempDir()
	for key, content := range documents {
		path := filepath.Join(dir, filepath.FromSlash(key)+keySuffix)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, dir
}

// snapshotOf makes and opens a snapshot.
func snapshotOf(t testing.TB, db *DB, name string) *Snapshot {
	t.Helper()
	if _, err := db.CreateSnapshot(context.Background(), name); err != nil {
		t.Fatal(err)
	}
	return openSnapshot(t, db, name)
}

func openSnapshot(t testing.TB, db *DB, name string) *Snapshot {
	t.Helper()
	s, err := db.OpenSnapshot(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// contents returns the documents of a snapshot.
func contents(t testing.TB, s *Snapshot) map[string]string {
	t.Helper()
	found := map[string]string{}
	for key, version := range s.Keys() {
		data, again, err := s.Read(key)
		if err != nil || again != version || hashVersion(data) != version {
			t.Fatalf("%s: %v, %v, %v", key, version, again, err)
		}
		found[key] = string(data)
	}
	return found
}

func TestSnapshot(t *testing.T) {
	ctx := context.Background()
	documents := map[string]string{"a": "[1]", "a-b": " {\"n\": 1.10}\n", "a/b": "2", "a/c/d": "3",
		"broken": "[1", "empty": "", "big": `"` + strings.Repeat("x", 1<<19) + `"`}
	db, dir := openWith(t, Options{}, documents)
	s := snapshotOf(t, db, "one")
	if got := contents(t, s); fmt.Sprint(got) != fmt.Sprint(documents) {
		t.Errorf("%.200q", got)
	}
	if err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
	size := int64(0)
	for _, content := range documents {
		size += int64(len(content))
	}
	info := s.Info()
	if info.Name != "one" || info.Documents != len(documents) || info.Bytes != size ||
		info.Path != filepath.Join(db.where, ".one.snapshot") ||
		time.Since(info.Created) > time.Minute {
		t.Errorf("%+v", info)
	}
	if file, err := os.Stat(info.Path); err != nil || file.Size() != info.Size {
		t.Errorf("%v, %v", file, err)
	}
	if _, _, err := s.Read("absent"); !errors.Is(err, ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	_, err := db.CreateSnapshot(ctx, "one")
	if !errors.Is(err, ErrExist) || !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
	// They are no documents, and what is in them stays.
	if _, err := db.Doc("a").Update(ctx, become("[2]")); err != nil {
		t.Fatal(err)
	}
	later, err := db.CreateSnapshot(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse("20060102T150405.000000000Z", later.Name); err != nil {
		t.Error(err)
	}
	keys := 0
	for key, err := range db.Keys(ctx, "") {
		if _, has := documents[key]; !has || err != nil {
			t.Errorf("%s: %v", key, err)
		}
		keys++
	}
	if keys != len(documents) {
		t.Errorf("%d keys", keys)
	}
	all, err := db.Snapshots(ctx)
	if err != nil || len(all) != 2 || all[0] != info || all[1] != later {
		t.Errorf("%+v, %v", all, err)
	}
	if got := contents(t, s)["a"]; got != "[1]" {
		t.Errorf("it has changed: %s", got)
	}
	if got := contents(t, openSnapshot(t, db, later.Name))["a"]; got != "[2]" {
		t.Errorf("the later one has %s", got)
	}
	if runtime.GOOS != "windows" { // where it is open
		if err := db.DeleteSnapshot(ctx, "one"); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, s)["a"]; got != "[1]" {
			t.Errorf("after its end it has %s", got)
		}
		if err := db.DeleteSnapshot(ctx, "one"); !errors.Is(err, ErrNotExist) {
			t.Errorf("deleted twice: %v", err)
		}
		if _, err := db.OpenSnapshot("one"); !errors.Is(err, ErrNotExist) {
			t.Errorf("opened: %v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Error(left)
	}
}

// TestSnapshotFS: what the standard library demands of a file system.
func TestSnapshotFS(t *testing.T) {
	for name, documents := range map[string]map[string]string{
		"none": {}, "one": {"a": "1"},
		"trees": {"a": "[1]", "a-b": "2", "a/b": "3", "a/c/d": "4", "z/y/x/w": "5", "z/y/x/v": "6"},
	} {
		t.Run(name, func(t *testing.T) {
			db, dir := openWith(t, Options{}, documents)
			s := snapshotOf(t, db, "s")
			var want []string
			for key := range documents {
				want = append(want, key+".json")
			}
			if err := fstest.TestFS(s, want...); err != nil {
				t.Error(err)
			}
			if len(want) == 0 {
				if entries, err := s.ReadDir("."); err != nil || len(entries) > 0 {
					t.Errorf("%v, %v", entries, err)
				}
				return
			}
			info, err := s.Stat("a.json")
			file, fileErr := os.Stat(filepath.Join(dir, "a.json"))
			if err != nil || fileErr != nil || !info.ModTime().Equal(file.ModTime()) ||
				info.Sys() != hashVersion([]byte(documents["a"])) {
				t.Errorf("%v, %v, %v", info, err, fileErr)
			}
			if _, err := s.Open("b.json"); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			if _, err := s.Open("../a.json"); !errors.Is(err, fs.ErrInvalid) {
				t.Error(err)
			}
		})
	}
}

func TestSnapshotBadNames(t *testing.T) {
	ctx := context.Background()
	db, _ := openWith(t, Options{}, map[string]string{"a": "1"})
	for _, name := range []string{".hidden", "a/b", "..", "con", "a\nb", strings.Repeat("x", 201)} {
		_, err := db.CreateSnapshot(ctx, name)
		_, openErr := db.OpenSnapshot(name)
		for _, err := range []error{err, openErr, db.DeleteSnapshot(ctx, name)} {
			if !errors.Is(err, ErrKey) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	if err := db.DeleteSnapshot(ctx, ""); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	if _, err := db.OpenSnapshot(""); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	longest := strings.Repeat("x", 200)
	if got := contents(t, snapshotOf(t, db, longest)); got["a"] != "1" {
		t.Error(got)
	}
	memory, err := New(memdriver.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := memory.CreateSnapshot(ctx, "x"); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	db.Close()
	if _, err := db.CreateSnapshot(ctx, "x"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	// Nothing takes the name of a snapshot for that of a document.
	for _, file := range []string{names.Snapshot("x"), names.Place(names.Snapshot("x"), 1)} {
		if _, err := OpenFile(filepath.Join(t.TempDir(), file), nil); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSnapshotInPlace: what other programs do to documents afterwards changes no snapshot.
func TestSnapshotInPlace(t *testing.T) {
	db, dir := openWith(t, Options{}, map[string]string{"a": "[1]", "b": "[2]", "c": "[3]"})
	s := snapshotOf(t, db, "s")
	file, err := os.OpenFile(filepath.Join(dir, "a.json"), os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteAt([]byte("[9]"), 0)
		file.Close()
	}
	if err == nil {
		err = os.Truncate(filepath.Join(dir, "b.json"), 0)
	}
	if err == nil {
		err = os.Remove(filepath.Join(dir, "c.json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(contents(t, s)); got != "map[a:[1] b:[2] c:[3]]" {
		t.Error(got)
	}
	if got := fmt.Sprint(contents(t, openSnapshot(t, db, "s"))); got != "map[a:[1] b:[2] c:[3]]" {
		t.Error(got)
	}
}

// TestSnapshotAltered: whichever byte of the file is changed or missing, that is detected: at
// once, or when the document is read.
func TestSnapshotAltered(t *testing.T) {
	db, _ := openWith(t, Options{}, map[string]string{"a": "[1]", "b/c": `{"n":2}`})
	path := snapshotOf(t, db, "s").Info().Path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := db.OpenSnapshot("s")
		if err == nil {
			defer s.Close()
			err = s.Verify(context.Background())
		}
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), ".s.snapshot") {
			t.Fatalf("%s: %v", what, err)
		}
		if s == nil {
			return
		}
		if _, err := s.Restore(context.Background(), nil); !errors.Is(err, ErrInvalid) {
			t.Fatalf("%s: restored: %v", what, err)
		}
	}
	harmless := map[int]bool{} // the newlines after the documents
	for at := len(archiveHeader); len(harmless) < 2; at++ {
		if whole[at] == '\n' {
			harmless[at] = true
		}
	}
	for i := range whole {
		check(fmt.Sprint("cut off at ", i), whole[:i])
		if !harmless[i] {
			altered := bytes.Clone(whole)
			altered[i] ^= 1
			check(fmt.Sprint("changed at ", i), altered)
		}
	}
	check("longer", append(bytes.Clone(whole), '\n'))
	check("zeros", make([]byte, len(whole)))
	all, err := db.Snapshots(context.Background())
	if err != nil || len(all) != 1 || !errors.Is(all[0].Problem, ErrInvalid) {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestSnapshotLinks: a document that is a link is in the snapshot under its key, and is looked at
// where it leads.
func TestSnapshotLinks(t *testing.T) {
	needsSlashes(t)
	db, dir := openWith(t, Options{}, map[string]string{"a": "[1]", "deep/b": "[2]"})
	for link, target := range map[string]string{"l": "deep/b.json", "nowhere": "none.json"} {
		if err := os.Symlink(target, filepath.Join(dir, link+".json")); err != nil {
			t.Fatal(err)
		}
	}
	s := snapshotOf(t, db, "s")
	if got := fmt.Sprint(contents(t, s)); got != "map[a:[1] deep/b:[2] l:[2]]" {
		t.Error(got)
	}
	if _, err := db.Doc("deep/b").Update(context.Background(), become("[3]")); err != nil {
		t.Fatal(err)
	}
	restored, err := s.Restore(context.Background(), nil)
	if err != nil || len(restored) != 1 { // one file, by both keys
		t.Errorf("%v, %v", restored, err)
	}
	if got, _, err := db.Doc("l").Read(context.Background()); string(got) != "[2]" {
		t.Errorf("%s, %v", got, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "l.json")); err != nil ||
		info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link is no link any longer")
	}
}

// TestSnapshotLeftovers: what a dead maker has left is removed, what a living one has is not.
func TestSnapshotLeftovers(t *testing.T) {
	ctx := context.Background()
	db, dir := openWith(t, Options{}, map[string]string{"a": "1"})
	dead := []string{names.Place(names.Snapshot("x"), 0), names.Place(names.Snapshot("y"), 3),
		names.Random(names.Snapshot("z"), 7)}
	spared := []string{"..con.snapshot.0.tmp", ".x.0.tmp"} // of no snapshot
	for _, name := range slices.Concat(dead, spared) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	living, err := db.drv.files.createStaged(names.Snapshot("x"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateSnapshot(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	exists := func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}
	for _, name := range dead {
		if exists(name) {
			t.Errorf("%s is there", name)
		}
	}
	for _, name := range append(spared, living.path) {
		if !exists(name) {
			t.Errorf("%s is not there", name)
		}
	}
	living.discard()
	if err := os.WriteFile(filepath.Join(dir, dead[0]), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteSnapshot(ctx, "x"); err != nil || exists(dead[0]) {
		t.Errorf("%v, %s: %v", err, dead[0], exists(dead[0]))
	}
}

// TestSnapshotEnds: the context of a snapshot ends it, and nothing is left.
func TestSnapshotEnds(t *testing.T) {
	db, dir := openWith(t, Options{}, map[string]string{"a": "1"})
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if _, err := db.CreateSnapshot(ctx, "x"); !errors.Is(err, reason) {
		t.Error(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, ".*snapshot*")); len(found) > 0 {
		t.Error(found)
	}
}

// TestSnapshotLocked: a lock that is held makes a snapshot wait only while the document changes.
func TestSnapshotLocked(t *testing.T) {
	db, dir := openWith(t, Options{LockWait: -1}, map[string]string{"a": "1", "b": "2"})
	other, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	held, err := other.drv.files.shared.locks.acquire(context.Background(), "a.json",
		locking{perm: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	snapshotOf(t, db, "x").Close()
	// One that changes at every look needs its lock.
	changing := &changingFS{FS: db.drv.files.files, path: filepath.Join(dir, "a.json")}
	db.drv.files.files = changing
	if _, err := db.CreateSnapshot(context.Background(), "y"); !errors.Is(err, ErrLocked) {
		t.Errorf("locked: %v", err)
	}
	held.unlock()
	if changing.changes == 0 {
		t.Error("nothing has changed")
	}
	// It changes without its lock, so that there is no end.
	db.opts.Retry.MaxTries = 3
	changing.changes = 0
	if _, err := db.CreateSnapshot(context.Background(), "y"); err != nil {
		t.Logf("%d changes: %v", changing.changes, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "..*")); len(left) > 0 {
		t.Error(left)
	}
}

// changingFS changes a document each time that the directory is listed.
type changingFS struct {
	fsys.FS
	path    string
	changes int
}

func (f *changingFS) ReadDir(name string) ([]fsys.Entry, error) {
	f.changes++
	err := os.WriteFile(f.path+".new", strconv.AppendInt(nil, time.Now().UnixNano(), 10), 0o600)
	if err == nil {
		err = os.Rename(f.path+".new", f.path)
	}
	if err != nil {
		return nil, err
	}
	return f.FS.ReadDir(name)
}
