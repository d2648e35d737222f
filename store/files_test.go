package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNotADocument: what cannot be a document's file is told, and left as it is.
func TestNotADocument(t *testing.T) {
	needsLinks(t)
	ctx := context.Background()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(at("directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"loop": "loop2", "loop2": "loop"} {
		if err := os.Symlink(target, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ path, want string }{
		{at("directory"), "is a directory"},
		{at("loop"), "too many symbolic links"},
		{at("missing/doc.json"), "make it first"},
		{at("directory/doc.json/deeper"), "is not there"},
		{at(strings.Repeat("x", 256)), "file name too long"},
		{at("directory") + "/", "no file name"},
		{"", "no file name"},
	} {
		for _, opts := range []Options{{}, {Locking: true}} {
			doc, err := OpenFile(test.path, &opts)
			if err == nil {
				_, err = doc.Update(ctx, increment)
				doc.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: %v, want %q in it", test.path, err, test.want)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("the directory has %v (%v)", entries, err)
	}
}

// TestLinksStayLinks: a document behind links is replaced where it is, and locked there, so that
// all its names exclude each other.
func TestLinksStayLinks(t *testing.T) {
	needsLinks(t)
	everyMode(t, func(t *testing.T, opts Options) {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "far"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "far", "doc.json"), []byte("0"),
			0o600); err != nil {
			t.Fatal(err)
		}
		for name, target := range map[string]string{"second": "first", "first": "far/doc.json"} {
			if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		names := []string{"first", "second", "far/doc.json"}
		together(6, func(i int) {
			doc, err := OpenFile(filepath.Join(dir, names[i%3]), &opts)
			if err != nil {
				t.Error(err)
				return
			}
			defer doc.Close()
			for range 20 {
				if _, err := doc.Update(context.Background(), increment); err != nil {
					t.Error(err)
				}
			}
		})
		for _, name := range names {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil ||
				string(data) != "120" {
				t.Errorf("%s: %s, %v", name, data, err)
			}
		}
		for _, name := range names[:2] {
			if info, err := os.Lstat(filepath.Join(dir, name)); err != nil ||
				info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("%s is no link any more (%v)", name, err)
			}
		}
		wantFiles(t, open(t, filepath.Join(dir, "far", "doc.json"), opts), "doc.json",
			".doc.json.lock")
	})
}

// TestLockFileIsTold: the path of the lock file is absolute, beside the document where links
// lead to, and known before either is there.
func TestLockFileIsTold(t *testing.T) {
	needsLinks(t)
	root, ctx := t.TempDir(), t.Context()
	if err := os.MkdirAll(filepath.Join(root, "far"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("far/doc.json", filepath.Join(root, "link.json")); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(real, "far", ".doc.json.lock")
	db, err := Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	docs := []*Doc{
		db.Doc("link"), db.Doc("far/doc"), open(t, filepath.Join(root, "link.json"), Options{}),
		open(t, filepath.Join(root, "far", "doc.json"), Options{}),
	}
	for _, doc := range docs {
		if got, err := doc.LockFile(); got != want {
			t.Errorf("the lock file of %s is %s (%v), want %s", doc.Name(), got, err, want)
		}
	}
	if _, err := os.Lstat(want); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("to tell it has made it: %v", err)
	}
	for _, doc := range docs {
		if _, err := doc.Update(ctx, increment); err != nil {
			t.Error(err)
		}
		if info, err := doc.Inspect(ctx); info.LockPath != want {
			t.Errorf("the lock file of %s is %s (%v), want %s", doc.Name(), info.LockPath, err,
				want)
		}
		if _, err := os.Lstat(want); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.Doc("..").LockFile(); !errors.Is(err, ErrKey) {
		t.Errorf("of a key that is none: %v", err)
	}
	other := filepath.Join(root, "other.lock")
	doc := open(t, filepath.Join(root, "far", "doc.json"), Options{LockPath: other})
	if got, err := doc.LockFile(); got != other {
		t.Errorf("the lock file that is joined is %s (%v), want %s", got, err, other)
	}
}

// TestDeletedByALink: a document that is deleted by a link is absent by it, is made anew
// where it was, and the links stay links.
func TestDeletedByALink(t *testing.T) {
	needsLinks(t)
	everyMode(t, func(t *testing.T, opts Options) {
		root, ctx := t.TempDir(), t.Context()
		at := func(name string) string { return filepath.Join(root, name) }
		if err := os.Mkdir(at("far"), 0o700); err != nil {
			t.Fatal(err)
		}
		links := map[string]string{"first.json": "far/doc.json", "second.json": "first.json"}
		for name, target := range links {
			if err := os.Symlink(target, at(name)); err != nil {
				t.Fatal(err)
			}
		}
		db, err := Open(root, &opts)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, doc := range []*Doc{
			open(t, at("second.json"), opts), open(t, at("far/doc.json"), opts),
			db.Doc("second"), db.Doc("first"),
		} {
			if _, version, err := doc.Read(ctx); !errors.Is(err, ErrNotExist) ||
				!version.IsAbsent() {
				t.Errorf("%s, before it is made: %v, %v", doc.Name(), version, err)
			}
			version, err := doc.Create(ctx, []byte("1"))
			if err != nil {
				t.Errorf("create %s: %v", doc.Name(), err)
			}
			if data, err := os.ReadFile(at("far/doc.json")); string(data) != "1" {
				t.Errorf("%s is not where the links lead to: %q, %v", doc.Name(), data, err)
			}
			if err := doc.CompareAndDelete(ctx, version); err != nil {
				t.Errorf("delete %s: %v", doc.Name(), err)
			}
			if _, err := doc.Expect(Absent).Update(ctx, increment); err != nil {
				t.Errorf("make %s again: %v", doc.Name(), err)
			}
			if err := doc.Delete(ctx); err != nil {
				t.Errorf("delete %s again: %v", doc.Name(), err)
			}
			for name, target := range links {
				if found, err := os.Readlink(at(name)); found != target {
					t.Errorf("%s leads to %q (%v)", name, found, err)
				}
			}
		}
	})
}

// TestLinkInALinkedDirectory: ".." in a link goes up from where the link is, not from the name that
// led there.
func TestLinkInALinkedDirectory(t *testing.T) {
	needsLinks(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.MkdirAll(at("real/deep"), 0o700), os.Mkdir(at("other"), 0o700),
		os.WriteFile(at("real/doc.json"), []byte("1"), 0o600), os.WriteFile(at("doc.json"),
			[]byte("100"), 0o600),
		os.Symlink("../doc.json", at("real/deep/link.json")), os.Symlink("real/deep",
			at("short"))); err != nil {
		t.Fatal(err)
	}
	doc := open(t, at("short/link.json"), Options{})
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"real/doc.json": "2", "doc.json": "100",
		"short/link.json": "2"} {
		if data, err := os.ReadFile(at(name)); err != nil || string(data) != want {
			t.Errorf("%s: %s, %v; want %s", name, data, err, want)
		}
	}
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Doc("short/link").Update(context.Background(), increment); err == nil ||
		!strings.Contains(err.Error(), "a link itself") {
		t.Errorf("beneath a root: %v", err)
	}
	if _, err := db.Doc("real/deep/link").Update(context.Background(), increment); err != nil {
		t.Error(err)
	}
}

func TestModeIsKept(t *testing.T) {
	needsModes(t)
	doc := document(t, "1", Options{})
	for _, mode := range []fs.FileMode{0o640, 0o666, 0o400, 0o600} {
		if err := os.Chmod(doc.Name(), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := doc.Update(context.Background(), increment); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(doc.Name()); err != nil || info.Mode() != mode {
			t.Errorf("mode %v became %v (%v)", mode, info.Mode(), err)
		}
	}
	for perm, want := range map[fs.FileMode]fs.FileMode{0: 0o600, 0o640: 0o640} {
		made := document(t, "", Options{Perm: perm})
		if _, err := made.Update(context.Background(), increment); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(made.Name()); err != nil || info.Mode() != want {
			t.Errorf("Perm %v makes %v (%v)", perm, info.Mode(), err)
		}
	}
}

// TestModeIsChangedMeanwhile: a mode that somebody sets while an update is under way is kept too.
func TestModeIsChangedMeanwhile(t *testing.T) {
	needsModes(t)
	everyMode(t, func(t *testing.T, opts Options) {
		opts.Versions = VersionHash // a version by time may take it for a change
		path := filepath.Join(t.TempDir(), "doc.json")
		if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
			t.Fatal(err)
		}
		changed := false
		doc := openFaulty(t, path, opts, func(op, name string) error {
			if op == "set mtime" && name != path && !changed {
				changed = true
				return os.Chmod(path, 0o640)
			}
			return nil
		})
		if _, err := doc.Update(context.Background(), increment); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
			t.Errorf("the mode is %v (%v)", info.Mode(), err)
		}
	})
}

// TestSweep: what a dead process left in the document's row goes with the first write of a
// handle, and under any other name with a sweep; what a living one or another program has
// stays.
func TestSweep(t *testing.T) {
	doc := document(t, "1", Options{})
	dir := filepath.Dir(doc.Name())
	write := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dead, long := ".doc.json.3.tmp", ".doc.json.0123456789abcdef.tmp"
	write(dead)
	write(long)
	foreign := []string{".doc.json.tmp", ".doc.json.0123.tmp", "doc.json.0123456789abcdef.tmp",
		".doc.json.0123456789abcdeX.tmp",
		".other.json.0123456789abcdef.tmp", ".other.json.3.tmp", ".doc.json.9.tmp"}
	for _, name := range foreign {
		write(name)
	}
	living := ".doc.json.0.tmp"
	unlock := lockFile(t, write(living))
	defer unlock()

	info, err := doc.Inspect(context.Background())
	slices.Sort(info.Orphans)
	if err != nil || !slices.Equal(info.Orphans, []string{long, dead}) {
		t.Errorf("Inspect: %q, %v", info.Orphans, err)
	}
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, doc, append(foreign, living, long, "doc.json", ".doc.json.lock")...)
	unlock()
	removed, _, err := doc.Sweep(context.Background())
	slices.Sort(removed)
	if err != nil || !slices.Equal(removed, []string{living, long}) {
		t.Errorf("Sweep: %q, %v", removed, err)
	}
	wantFiles(t, doc, append(foreign, "doc.json", ".doc.json.lock")...)
}

// TestDirectoryOfDocuments: keys are files beneath the directory, and nothing leads out of it.
func TestDirectoryOfDocuments(t *testing.T) {
	needsLinks(t)
	ctx := context.Background()
	dir, outside := t.TempDir(), t.TempDir()
	db, err := Open(dir, &Options{Durability: Durable})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 2 {
		if _, err := db.Doc("users/eu/alice").Update(ctx, increment); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "users", "eu", "alice.json")); err != nil ||
		string(data) != "2" {
		t.Errorf("%s, %v", data, err)
	}
	// Links within lead to one document, links out lead nowhere.
	for name, target := range map[string]string{"bob.json": "users/eu/alice.json",
		"out.json": filepath.Join(outside, "x.json"),
		"up.json":  "../" + filepath.Base(outside) + "/x.json", "away": outside} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "x.json"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Doc("bob").Update(ctx, increment); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "users", "eu", "alice.json")); err != nil ||
		string(data) != "3" {
		t.Errorf("through a link: %s, %v", data, err)
	}
	for _, key := range []string{"out", "up", "away/x", "away/new"} {
		if _, err := db.Doc(key).Update(ctx, increment); err == nil {
			t.Errorf("%s led out", key)
		}
		if _, _, err := db.Doc(key).Read(ctx); err == nil {
			t.Errorf("%s was read", key)
		}
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("outside there is %v (%v)", entries, err)
	}
	var keys []string
	for key, err := range db.Keys(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if got := strings.Join(keys, " "); got != "bob out up users/eu/alice" {
		t.Errorf("keys: %s", got)
	}
	if _, err := Open(filepath.Join(dir, "missing"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestKeys(t *testing.T) {
	db, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, key := range []string{"a", "a/b", "a.b", "ä", "日本/語", "a b", "console", "com10",
		strings.Repeat("x", 200)} {
		if _, err := db.Doc(key).Create(context.Background(), []byte("1")); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, key := range []string{"", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".a", "a/.b",
		`a\b`, "a\x00b", "a\nb", "a\x7f", "\xff",
		"con", "CON", "nul.txt", "a/com1", "LPT9.x", "a.", "a ", " a", "a:b", "a*", "a?", `a"`, "a<", "a|b", strings.Repeat("x", 201)} {
		if _, err := db.Doc(key).Create(context.Background(), []byte("1")); !errors.Is(err,
			ErrKey) {
			t.Errorf("%q: %v, want ErrKey", key, err)
		}
		if _, _, err := db.Doc(key).Read(context.Background()); !errors.Is(err, ErrKey) {
			t.Errorf("read %q: %v, want ErrKey", key, err)
		}
	}
}

func TestOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	for _, opts := range []Options{{Versions: 7}, {Versions: -1}, {Durability: 3},
		{Perm: fs.ModeDir}, {MaxSize: -1}, {MaxDepth: -1},
		{Retry: Retry{MaxTries: -1}}, {Retry: Retry{MinBackoff: -1}}} {
		if doc, err := OpenFile(path, &opts); err == nil {
			doc.Close()
			t.Errorf("%+v was taken", opts)
		}
	}
}

// openKeys opens a directory that has these documents with the content 1.
func openKeys(t *testing.T, dir string, opts Options, keys ...string) *DB {
	t.Helper()
	for _, key := range keys {
		putFile(t, filepath.Join(dir, key+keySuffix), []byte("1"))
	}
	db, err := Open(dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func putFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
