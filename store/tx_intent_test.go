//go:build !windows

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	someID     = "00112233445566778899aabbccddeeff"
	someDigits = "ffeeddccbbaa99887766554433221100"
)

// putIntent puts an intent beside a document, as a process that died would have left it.
func putIntent(t *testing.T, path string, in intent) {
	t.Helper()
	if in.Home != "" && in.HomeDir == (directory{}) {
		in.HomeDir = dirOf(t, path, in.Home)
	}
	for i := len(in.MemberDirs); i < len(in.Members); i++ {
		in.MemberDirs = append(in.MemberDirs, dirOf(t, path, in.Members[i]))
	}
	data, err := in.encode()
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, names.Intent(path), data)
}

// dirOf describes the directory of a document for the intent of the document at path.
func dirOf(t *testing.T, path, relative string) directory {
	t.Helper()
	files, own := fsys.New(), filepath.Dir(path)
	named, err := files.Lstat(filepath.Dir(filepath.Join(own, relative)))
	if err != nil {
		t.Fatal(err)
	}
	mine, err := files.Lstat(own)
	if err != nil {
		t.Fatal(err)
	}
	return directoryOf(named, mine)
}

// stagedIntent stages content for a document, and returns the intent for it.
func stagedIntent(t *testing.T, path, content string) intent {
	t.Helper()
	putFile(t, names.Transaction(path, someDigits), []byte(content))
	in := intent{ID: someID, Staged: someDigits, New: hashVersion([]byte(content)).String()}
	info, err := fsys.New().Lstat(path)
	if err == nil {
		var data []byte
		data, err = os.ReadFile(path)
		in.Old = identity{info.Ino, info.Mtime, info.Size, hashVersion(data).String()}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return in
}

// TestIntents: what an intent says is believed only if it is whole, and names what the store
// could have named.
func TestIntents(t *testing.T) {
	sound := func() intent {
		return intent{ID: someID, Committed: true, Members: []string{"b.json", "../x/c.json"},
			MemberDirs: []directory{{Ino: 4}, {Ino: 5}},
			Staged:     someDigits,
			New:        hashVersion([]byte("1")).String(), Old: identity{Ino: 1, Mtime: 2, Size: 3,
				Hash: "h"}}
	}
	in := sound()
	data, err := in.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := decodeIntent(data); got == nil || got.ID != someID || len(got.Members) != 2 ||
		got.Old != in.Old {
		t.Fatalf("%s became %+v", data, got)
	}
	for i := range data {
		torn := append([]byte(nil), data...)
		torn[i] ^= 1
		if decodeIntent(torn) != nil || decodeIntent(data[:i]) != nil {
			t.Errorf("believed without byte %d", i)
		}
	}
	for name, change := range map[string]func(in *intent){
		"a member that is absolute":     func(in *intent) { in.Members[0] = "/etc/passwd" },
		"a member that is no document":  func(in *intent) { in.Members[0] = ".b.json.lock" },
		"a member that is a directory":  func(in *intent) { in.Members[0] = ".." },
		"a member that is not clean":    func(in *intent) { in.Members[0] = "x/../b.json" },
		"a staged name that is a path":  func(in *intent) { in.Staged = "../../../../../../../../etc/pass" },
		"a staged name that is short":   func(in *intent) { in.Staged = "0" },
		"an id of none":                 func(in *intent) { in.ID = "" },
		"a member without directory":    func(in *intent) { in.MemberDirs = in.MemberDirs[:1] },
		"a guarded name that is a path": func(in *intent) { in.Guarded = "../../../../../../../../../etc/passwd" },
		"a home with members":           func(in *intent) { in.Home = "b.json" },
		"a home that is absolute":       func(in *intent) { in.Home, in.Members, in.MemberDirs, in.Committed = "/b.json", nil, nil, false },
		"nothing to do":                 func(in *intent) { in.Staged, in.New, in.Old = "", "", identity{} },
		"a version of nothing":          func(in *intent) { in.New = "" },
		"a committed one that is wrong": func(in *intent) { in.Commit = "x" },
	} {
		in := sound()
		change(&in)
		data, err := in.encode()
		if err != nil || decodeIntent(data) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStrangeIntents: whatever is at the name of an intent, documents are read and written,
// and nothing else is touched.
func TestStrangeIntents(t *testing.T) {
	ctx := context.Background()
	for name, put := range map[string]func(t *testing.T, path, elsewhere string){
		"empty":   func(t *testing.T, path, _ string) { putFile(t, names.Intent(path), nil) },
		"garbage": func(t *testing.T, path, _ string) { putFile(t, names.Intent(path), []byte("garbage\nx\n")) },
		"too large": func(t *testing.T, path, _ string) {
			putFile(t, names.Intent(path), nil)
			if err := os.Truncate(names.Intent(path), maxIntent+1); err != nil {
				t.Fatal(err)
			}
		},
		"a member whose home is not there": func(t *testing.T, path, _ string) {
			in := stagedIntent(t, path, "7")
			in.Home = "other.json"
			putIntent(t, path, in)
		},
		"a home that names a file elsewhere": func(t *testing.T, path, elsewhere string) {
			in := stagedIntent(t, path, "7")
			in.ID = strings.Repeat("0", names.TransactionDigits)
			relative, err := filepath.Rel(filepath.Dir(path), elsewhere)
			if err != nil {
				t.Fatal(err)
			}
			in.Home = filepath.ToSlash(relative)
			putIntent(t, path, in)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, other := t.TempDir(), t.TempDir()
			path, elsewhere := filepath.Join(dir, "doc.json"), filepath.Join(other, "else.json")
			putFile(t, path, []byte("1"))
			putFile(t, elsewhere, []byte("5"))
			put(t, path, elsewhere)
			doc := open(t, path, Options{})
			if got := reads(t, doc); got != "1" {
				t.Errorf("read %s", got)
			}
			if _, err := doc.Update(ctx, increment); err != nil {
				t.Fatal(err)
			}
			if got := reads(t, doc); got != "2" {
				t.Errorf("it is %s", got)
			}
			if _, err := os.Lstat(names.Intent(path)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the intent is there: %v", err)
			}
			entries, err := os.ReadDir(other)
			if got, _ := os.ReadFile(elsewhere); err != nil || len(entries) != 1 ||
				string(got) != "5" {
				t.Errorf("elsewhere are %v, %v, %s", entries, err, got)
			}
		})
	}
}

// TestForeignInTransaction: what a program has put in the place of a document of a committed
// transaction is what is read, and stays.
func TestForeignInTransaction(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "doc.json")
	putFile(t, path, []byte("1"))
	in := stagedIntent(t, path, "7")
	in.Committed = true
	putIntent(t, path, in)
	doc := open(t, path, Options{})
	if got := reads(t, doc); got != "7" {
		t.Errorf("committed is 7, and read %s", got)
	}
	info, err := doc.Inspect(ctx)
	if err != nil || strings.Join(info.Orphans, " ") != ".doc.json.tx" {
		t.Errorf("%+v, %v", info, err)
	}
	putFile(t, path+"~", []byte("41"))
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
	if got := reads(t, doc); got != "41" {
		t.Errorf("a program has made it 41, and read %s", got)
	}
	if _, err := doc.Update(ctx, increment); err != nil {
		t.Fatal(err)
	}
	if got := reads(t, doc); got != "42" {
		t.Errorf("it is %s, want 42", got)
	}
	wantFiles(t, doc, ".doc.json.lock", "doc.json")

	// While the process lives.
	path2 := filepath.Join(dir, "second.json")
	putFile(t, path2, []byte("1"))
	second := openFaulty(t, path2, Options{}, func(op, name string) error {
		if op == "rename" && name == path2 {
			t.Error("what a program has made is replaced")
		}
		return nil
	})
	placed := false
	first := openFaulty(t, path, Options{}, func(op, name string) error {
		if op == "rename" && name == names.Intent(path) { // the commit
			placed = true
			putFile(t, path2+"~", []byte("41"))
			return os.Rename(path2+"~", path2)
		}
		return nil
	})
	err = Transact(ctx, func(tx *Tx) error {
		return errors.Join(tx.Write(first, []byte("8")), tx.Write(second, []byte("8")))
	})
	if err != nil || !placed {
		t.Fatal(placed, err)
	}
	for doc, want := range map[*Doc]string{first: "8", second: "41"} {
		if got := reads(t, doc); got != want {
			t.Errorf("%s is %s, want %s", doc.name, got, want)
		}
	}
}

// TestSweepFinishes: a sweep finishes a transaction that died.
func TestSweepFinishes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	in := stagedIntent(t, path, "7")
	in.Committed = true
	putIntent(t, path, in)
	doc := open(t, path, Options{})
	if got := reads(t, doc); got != "7" {
		t.Errorf("committed is 7, and read %s", got)
	}
	removed, left, err := doc.Sweep(context.Background())
	if err != nil || strings.Join(removed, " ") != ".doc.json.tx" || len(left) > 0 {
		t.Errorf("%q, %q, %v", removed, left, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "7" {
		t.Errorf("it is %s, %v", got, err)
	}
	wantFiles(t, doc, ".doc.json.lock", "doc.json")
}

// TestElsewhere: through a handle on a directory nothing outside of it is followed, and
// nothing is guessed.
func TestElsewhere(t *testing.T) {
	ctx := context.Background()
	dir, other := t.TempDir(), t.TempDir()
	path, home := filepath.Join(dir, "doc.json"), filepath.Join(other, "home.json")
	putFile(t, path, []byte("1"))
	in := stagedIntent(t, path, "7")
	relative, err := filepath.Rel(dir, home)
	if err != nil {
		t.Fatal(err)
	}
	in.Home = filepath.ToSlash(relative)
	putIntent(t, path, in)
	homes := stagedIntent(t, home, "8")
	homes.Committed = true
	back, err := filepath.Rel(other, path)
	if err != nil {
		t.Fatal(err)
	}
	homes.Members = []string{filepath.ToSlash(back)}
	putIntent(t, home, homes)
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, _, err := db.Doc("doc").Read(ctx); !errors.Is(err, errElsewhere) {
		t.Errorf("read: %v", err)
	}
	if _, err := db.Doc("doc").Update(ctx, increment); !errors.Is(err, errElsewhere) {
		t.Errorf("update: %v", err)
	}
	doc := open(t, path, Options{})
	if got := reads(t, doc); got != "7" {
		t.Errorf("it is %s", got)
	}
	if _, err := doc.Update(ctx, increment); err != nil {
		t.Fatal(err)
	}
	if got := reads(t, open(t, home, Options{})); got != "8" {
		t.Errorf("the home is %s", got)
	}
	if data, _, err := db.Doc("doc").Read(ctx); err != nil || string(data) != "8" {
		t.Errorf("it is %s, %v", data, err)
	}
}

// reads is what a reader sees.
func reads(t *testing.T, doc *Doc) string {
	t.Helper()
	data, _, err := doc.Read(context.Background())
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// TestRecoveryLooksAgain: between the look at what a transaction has left and the locks others
// may have put it right, and another transaction may have died.
func TestRecoveryLooksAgain(t *testing.T) {
	const otherID = "0123456789abcdef0123456789abcdef"
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	putFile(t, a, []byte("1"))
	putFile(t, b, []byte("1"))
	in := stagedIntent(t, b, "7")
	in.Home = "a.json"
	putIntent(t, b, in)
	tries, looked := 0, false
	doc := openFaulty(t, b, Options{}, func(op, name string) error {
		if op == "trylock" && name == names.Lock(b) {
			tries++
		}
		if tries == 2 && !looked {
			looked = true
			home, member := stagedIntent(t, a, "8"), stagedIntent(t, b, "8")
			home.ID, home.Committed, home.Members = otherID, true, []string{"b.json"}
			member.ID, member.Home = otherID, "a.json"
			putIntent(t, a, home)
			putIntent(t, b, member)
		}
		return nil
	})
	if _, err := doc.Update(context.Background(), increment); err != nil || !looked {
		t.Fatal(looked, err)
	}
	if got := reads(t, doc); got != "9" {
		t.Errorf("b is %s, want 9", got)
	}
	if got := reads(t, open(t, a, Options{})); got != "8" {
		t.Errorf("a is %s, want 8", got)
	}
}
