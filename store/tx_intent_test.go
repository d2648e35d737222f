//go:build !windows

package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const someID = "00112233445566778899aabbccddeeff"

// laid is an intent that a test puts beside a document, and what belongs to it.
type laid struct {
	ID, Home   string // as in an intent; Home is empty for the home
	HomeDir    directory
	Committed  bool
	Members    []string // of a home, by their paths
	MemberDirs []directory
	Old, New   identity // of a home
	Guarded    string
}

// putIntent puts an intent beside a document, as a process that died would have left it. What
// is staged beside a member is its new version, else that is deleted: a home that is there says
// so, and one that is put in place later.
func putIntent(t *testing.T, path string, in laid) {
	t.Helper()
	if in.Home != "" {
		putMember(t, path, in)
		return
	}
	said := intent{id: in.ID, committed: in.Committed,
		changes: []change{{Old: in.Old, New: in.New, Guarded: in.Guarded}}}
	for i, member := range in.Members {
		if i == len(in.MemberDirs) {
			in.MemberDirs = append(in.MemberDirs, dirOf(t, path, member))
		}
		old, new := identities(t, filepath.Join(filepath.Dir(path), member), in.ID)
		if new == old { // neither is there yet
			new.Ino = 1
		}
		said.changes = append(said.changes, change{Path: member, Dir: in.MemberDirs[i], Old: old,
			New: new})
	}
	data, err := said.encode()
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(names.Intent(path))
	putFile(t, names.Intent(path), data)
}

// putMember is putIntent for a member.
func putMember(t *testing.T, path string, in laid) {
	t.Helper()
	if in.HomeDir == (directory{}) {
		in.HomeDir = dirOf(t, path, in.Home)
	}
	old, new := identities(t, path, in.ID)
	said := intent{id: in.ID, home: in.Home, homeDir: in.HomeDir, index: 1,
		deletes: new == identity{}, guarded: in.Guarded}
	home := filepath.Join(filepath.Dir(path), in.Home)
	data, _ := os.ReadFile(names.Intent(home))
	if homes := decodeHome(data); homes != nil && homes.id == in.ID {
		for i, c := range homes.changes {
			if i > 0 && filepath.Join(filepath.Dir(home), c.Path) == path {
				homes.changes[i].Old, homes.changes[i].New, said.index = old, new, i
			}
		}
		data, err := homes.encode()
		mustDo(t, err)
		putFile(t, names.Intent(home), data)
	}
	_ = os.Remove(names.Intent(path))
	mustDo(t, os.Symlink(said.target(), names.Intent(path)))
}

// identities are those of a document and of what is staged for it.
func identities(t *testing.T, path, id string) (old, new identity) {
	t.Helper()
	for _, file := range []struct {
		name string
		is   *identity
	}{{path, &old}, {names.Transaction(path, id), &new}} {
		info, err := fsys.New().Lstat(file.name)
		if err == nil {
			*file.is = identityOf(info)
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return old, new
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
func stagedIntent(t *testing.T, path, content string) laid {
	t.Helper()
	putFile(t, names.Transaction(path, someID), []byte(content))
	in := laid{ID: someID}
	in.Old, in.New = identities(t, path, someID)
	return in
}

// TestIntents: what the intent of a home says is believed only if it is whole, and names what the
// store could have named.
func TestIntents(t *testing.T) {
	sound := func() intent {
		ones := identity{Ino: 1, Mtime: 2, Size: 3}
		return intent{id: someID, committed: true, changes: []change{{Old: ones, New: ones},
			{Path: "b.json", Dir: directory{Ino: 4}, New: ones},
			{Path: "../x/c.json", Dir: directory{Ino: 5}, Old: ones}}}
	}
	in := sound()
	data, err := in.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := decodeHome(data); got == nil || !reflect.DeepEqual(*got, in) {
		t.Fatalf("%s became %+v", data, got)
	}
	for i := range data {
		torn := append([]byte(nil), data...)
		torn[i] ^= 1
		got := decodeHome(data[:i])
		if decodeHome(torn) != nil || got != nil && (got.committed || i < len(data)-1) {
			t.Errorf("believed without byte %d", i)
		}
	}
	if decodeHome(append(data, 0)) != nil || decodeHome(append(data, "{}"...)) != nil {
		t.Error("believed with more behind it")
	}
	guard := strings.Repeat("0", names.GuardedDigits)
	for name, change := range map[string]func(in *intent){
		"a member that is absolute":     func(in *intent) { in.changes[1].Path = "/etc/passwd" },
		"a member that is no document":  func(in *intent) { in.changes[1].Path = ".b.json.lock" },
		"a member that is a directory":  func(in *intent) { in.changes[1].Path = ".." },
		"a member that is not clean":    func(in *intent) { in.changes[1].Path = "x/../b.json" },
		"a member that is the home":     func(in *intent) { in.changes[1].Path = "" },
		"a home with a path":            func(in *intent) { in.changes[0].Path = "b.json" },
		"no documents":                  func(in *intent) { in.changes = nil },
		"an id that is a path":          func(in *intent) { in.id = "../../../../../../../../etc/pass" },
		"an id that is short":           func(in *intent) { in.id = "0" },
		"an id of none":                 func(in *intent) { in.id = "" },
		"a guarded name that is a path": func(in *intent) { in.changes[0].Guarded = "../../../../../../../../../etc/passwd" },
		"a member's guarded name":       func(in *intent) { in.changes[1].Guarded = guard },
		"nothing to do":                 func(in *intent) { in.changes[1].New = identity{} },
	} {
		in := sound()
		change(&in)
		data, err := in.encode()
		if err != nil || decodeHome(data) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMemberIntents: likewise for the link of a member.
func TestMemberIntents(t *testing.T) {
	guard := strings.Repeat("0", names.GuardedDigits)
	for _, in := range []intent{
		{id: someID, index: 1, home: "a.json", homeDir: directory{Ino: 7}},
		{id: someID, index: 4095, deletes: true, home: "../x/a:b.json", homeDir: directory{Far: true}},
		{id: someID, index: 12, guarded: guard, deletes: true, home: "d1", homeDir: directory{Ino: 1 << 63, Far: true}},
	} {
		if got := decodeMember(in.target()); got == nil || !reflect.DeepEqual(*got, in) {
			t.Errorf("%+v became %q and %+v", in, in.target(), got)
		}
		text := memberText(in.target())
		if got := decodeFile(text); got == nil || !reflect.DeepEqual(*got, in) {
			t.Errorf("%+v became %q and %+v", in, text, got)
		}
		for n := range text {
			torn := append(bytes.Clone(text[:n]), make([]byte, len(text)-n)...)
			if decodeFile(text[:n]) != nil || decodeFile(torn) != nil {
				t.Errorf("%q is an intent", text[:n])
			}
		}
	}
	for _, target := range []string{"", guard, someID, someID + ":1:7", someID + ":1:7:",
		someID[1:] + ":1:7:a.json", someID + ":0:7:a.json", someID + ":-1:7:a.json",
		someID + ":x:7:a.json", someID + ":1:x:a.json", someID + ":1:7:/a.json",
		someID + ":1:7:x/../a.json", someID + ":1:7:.a.json.tx", someID + ":1:7:..",
		someID + ":1g0:7:a.json", someID + ":1g" + guard + "d:7:a.json"} {
		if got := decodeMember(target); got != nil {
			t.Errorf("%q became %+v", target, got)
		}
	}
	// What the home says must be of the same document.
	homes := &intent{id: someID, changes: []change{{}, {New: identity{Ino: 1}}}}
	for _, in := range []intent{{id: guard, index: 1}, {id: someID, index: 2},
		{id: someID, index: 1, deletes: true, home: "a"}} {
		if c, ok := in.changeIn(homes); ok {
			t.Errorf("%+v is %+v", in, c)
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
		if op == "truncate" && name == names.Intent(path) { // the commit
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

// TestForeignBeforeCommit: what a program puts in place while the commit is prepared is a conflict,
// and the transaction is made again on top of it.
func TestForeignBeforeCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	path2 := filepath.Join(t.TempDir(), "b.json")
	putFile(t, path, []byte("1"))
	putFile(t, path2, []byte("1"))
	placed := false
	first := openFaulty(t, path, Options{}, func(op, name string) error {
		if op == "touch" && name == path && !placed { // the intents are in place
			placed = true
			putFile(t, path2+"~", []byte("41"))
			return os.Rename(path2+"~", path2)
		}
		return nil
	})
	second := open(t, path2, Options{})
	if err := incrementBoth(first, second); err != nil || !placed {
		t.Fatal(placed, err)
	}
	for doc, want := range map[*Doc]string{first: "2", second: "42"} {
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
			for _, path := range []string{a, b} {
				mustDo(t, os.Rename(names.Transaction(path, someID),
					names.Transaction(path, otherID)))
			}
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

// emptied has no text in its links.
type emptied struct{ fsys.FS }

func (e emptied) Readlink(name string) (string, error) {
	_, err := e.FS.Readlink(name)
	return "", err
}

// TestEmptyLink: a link whose text is lost hides what the document is.
func TestEmptyLink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	putFile(t, path, []byte("1"))
	in := stagedIntent(t, path, "7")
	in.Home = "home.json"
	putIntent(t, path, in)
	db, err := openFiles(emptied{fsys.New()}, path, filepath.Dir(path), &Options{})
	mustDo(t, err)
	defer db.Close()
	doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path}
	if data, _, err := doc.Read(context.Background()); err == nil {
		t.Errorf("read %s", data)
	}
	if _, err := doc.Update(context.Background(), increment); err == nil {
		t.Error("updated")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "1" {
		t.Errorf("it is %s, %v", got, err)
	}
}

// TestStagedReplaced: a file at the name of what is staged that is another one is not taken for
// it, neither by readers nor by writers.
func TestStagedReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	putFile(t, path, []byte("1"))
	in := stagedIntent(t, path, "7")
	in.Committed = true
	putIntent(t, path, in)
	staged := names.Transaction(path, someID)
	putFile(t, path+"~", []byte("9"))
	mustDo(t, os.Rename(path+"~", staged))
	doc := open(t, path, Options{})
	if got := reads(t, doc); got != "1" {
		t.Errorf("read %s", got)
	}
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	if got := reads(t, doc); got != "2" {
		t.Errorf("it is %s", got)
	}
	wantFiles(t, doc, ".doc.json.lock", "doc.json")
}

// TestLargestIntent: what is committed is one byte longer than what is pending.
func TestLargestIntent(t *testing.T) {
	in := intent{id: someID, changes: []change{{New: identity{Ino: 1}},
		{Path: "x", New: identity{Ino: 2}}}}
	data, err := in.encode()
	mustDo(t, err)
	for _, left := range []int{0, 1} {
		in.changes[1].Path = strings.Repeat("x", maxIntent-len(data)+1-left)
		_, err := in.encode()
		if tooLarge := errors.Is(err, ErrTooLarge); tooLarge != (left == 0) {
			t.Errorf("%d bytes left: %v", left, err)
		}
	}
}
