//go:build unix

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/names"
)

// deadTransaction leaves a committed transaction that makes 7 of home/h.json and member/b.json
// beneath a directory, which were 1.
func deadTransaction(t *testing.T, dir, homeDir, memberDir string) (home, member string) {
	t.Helper()
	home = filepath.Join(dir, homeDir, "h.json")
	member = filepath.Join(dir, memberDir, "b.json")
	for _, path := range []string{home, member} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		putFile(t, path, []byte("1"))
	}
	relative := func(from, to string) string {
		path, err := filepath.Rel(filepath.Dir(from), to)
		if err != nil {
			t.Fatal(err)
		}
		return filepath.ToSlash(path)
	}
	in := stagedIntent(t, home, "7")
	in.Committed, in.Members = true, []string{relative(home, member)}
	putIntent(t, home, in)
	in = stagedIntent(t, member, "7")
	in.Home = relative(member, home)
	putIntent(t, member, in)
	return home, member
}

// realTempDir is a directory whose path has no links.
func realTempDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// refusesElsewhere checks that a document is neither read nor written.
func refusesElsewhere(t *testing.T, doc *Doc) {
	t.Helper()
	ctx := context.Background()
	if data, _, err := doc.Read(ctx); !errors.Is(err, errElsewhere) {
		t.Errorf("read %s, %v", data, err)
	}
	if _, err := doc.Update(ctx, increment); !errors.Is(err, errElsewhere) {
		t.Errorf("update: %v", err)
	}
}

// TestMovedApart: when a directory of a transaction was moved away from the others, nobody takes
// the home that is not there for one that was never committed, nor a member for finished.
func TestMovedApart(t *testing.T) {
	ctx := context.Background()
	for name, replace := range map[string]bool{"moved": false, "another in its place": true} {
		t.Run(name, func(t *testing.T) {
			dir := realTempDir(t)
			home, member := deadTransaction(t, dir, "q", "p")
			away := filepath.Join(dir, "deep", "p")
			mustDo(t, os.Mkdir(filepath.Dir(away), 0o700), os.Rename(filepath.Join(dir, "p"), away))
			if replace {
				mustDo(t, os.Mkdir(filepath.Dir(member), 0o700),
					os.Mkdir(filepath.Join(dir, "deep", "q"), 0o700))
			}
			refusesElsewhere(t, open(t, filepath.Join(away, "b.json"), Options{}))
			doc := open(t, home, Options{})
			if got := reads(t, doc); got != "7" { // which the home alone says
				t.Errorf("the home is %s", got)
			}
			if _, err := doc.Update(ctx, increment); !errors.Is(err, errElsewhere) {
				t.Errorf("update of the home: %v", err)
			}
			if replace {
				mustDo(t, os.Remove(filepath.Dir(member)))
			}
			mustDo(t, os.Rename(away, filepath.Join(dir, "p")))
			if _, err := open(t, member, Options{}).Update(ctx, increment); err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]string{member: "8", home: "7"} {
				if got, err := os.ReadFile(path); err != nil || string(got) != want {
					t.Errorf("%s is %s, %v; want %s", path, got, err, want)
				}
			}
			wantNoLitter(t, dir)
		})
	}
}

// TestPendingThere: a home that is not there, in the very directory, means that nothing was
// committed, also after the whole tree was moved.
func TestPendingThere(t *testing.T) {
	dir := realTempDir(t)
	home, _ := deadTransaction(t, filepath.Join(dir, "one"), "q", "p")
	mustDo(t, os.Remove(names.Intent(home)), os.Remove(names.Transaction(home, someID)),
		os.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "two")))
	member := open(t, filepath.Join(dir, "two", "p", "b.json"), Options{})
	if got := reads(t, member); got != "1" {
		t.Errorf("read %s", got)
	}
	if _, err := member.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	if got := content(t, member); got != "2" {
		t.Errorf("it is %s", got)
	}
	wantNoLitter(t, dir) // what was staged for the member has the name that its intent says
}

// TestLinkedDirectory: paths in intents start from where a linked directory really is.
func TestLinkedDirectory(t *testing.T) {
	for _, target := range []string{"x/real", "x/../x/real", "./x/y"} {
		t.Run(target, func(t *testing.T) {
			dir := realTempDir(t)
			deadTransaction(t, dir, "x", "x/real")
			mustDo(t, os.Symlink("real", filepath.Join(dir, "x", "y")),
				os.Symlink(target, filepath.Join(dir, "l")))
			db, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if got := reads(t, db.Doc("l/b")); got != "7" {
				t.Errorf("by the link it is %s", got)
			}
			if _, err := db.Doc("l/b").Update(context.Background(), increment); err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]string{"x/real/b": "8", "l/b": "8", "x/h": "7"} {
				if got := reads(t, db.Doc(key)); got != want {
					t.Errorf("%s is %s, want %s", key, got, want)
				}
			}
			wantNoLitter(t, dir)
		})
	}
}

// wantNoLitter checks that there is no intent and no temporary file beneath a directory.
func wantNoLitter(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tx") || strings.HasSuffix(path, ".tmp") {
			t.Errorf("left is %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestDirectoryBecomesLink: a directory was moved, with a link in its place, since the handle was
// opened. Then intents lie to each other as the directories do.
func TestDirectoryBecomesLink(t *testing.T) {
	dir := realTempDir(t)
	mustDo(t, os.MkdirAll(filepath.Join(dir, "x", "y"), 0o700),
		os.Mkdir(filepath.Join(dir, "l"), 0o700))
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "l", "b.json")
	putFile(t, a, []byte("1"))
	putFile(t, b, []byte("1"))
	died := false
	dies := func(path string) func(op, name string) error {
		return func(op, name string) error {
			if died = died || op == "rename" && name == path; died {
				return syscall.EIO
			}
			return nil
		}
	}
	first, second := openFaulty(t, a, Options{}, dies(a)), openFaulty(t, b, Options{}, dies(a))
	mustDo(t, os.Rename(filepath.Join(dir, "l"), filepath.Join(dir, "x", "y", "l")),
		os.Symlink(filepath.Join("x", "y", "l"), filepath.Join(dir, "l")))
	_ = Transact(context.Background(), func(tx *Tx) error {
		return errors.Join(tx.Write(first, []byte("7")), tx.Write(second, []byte("7")))
	})
	if !died {
		t.Fatal("it is published without a rename")
	}
	for _, path := range []string{filepath.Join(dir, "x", "y", "l", "b.json"), b, a} {
		if got := reads(t, open(t, path, Options{})); got != "7" {
			t.Errorf("%s is %s, want 7", path, got)
		}
	}
	if _, err := open(t, b, Options{}).Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(a); err != nil || string(got) != "7" {
		t.Errorf("a is %s, %v", got, err)
	}
	wantNoLitter(t, dir)
}

// TestMovedStore: a handle on a directory goes on when that is moved. A path from there to
// another handle's documents cannot be said any longer.
func TestMovedStore(t *testing.T) {
	ctx := context.Background()
	dir := realTempDir(t)
	mustDo(t, os.Mkdir(filepath.Join(dir, "one"), 0o700))
	db, err := Open(filepath.Join(dir, "one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other := open(t, filepath.Join(dir, "other.json"), Options{})
	mustDo(t, os.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "two")))
	both := func(one, two *Doc, data string) error {
		return Transact(ctx, func(tx *Tx) error {
			return errors.Join(tx.Write(one, []byte(data)), tx.Write(two, []byte(data)))
		})
	}
	if err := both(db.Doc("a"), db.Doc("sub/b"), "1"); err != nil {
		t.Errorf("within: %v", err)
	}
	if err := both(db.Doc("a"), other, "2"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("with another: %v", err)
	}
	wantNoLitter(t, dir)
}
