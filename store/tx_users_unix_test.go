//go:build unix

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

// needsOwners skips where files cannot be given away.
func needsOwners(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of another user")
	}
}

// TestOthersLockFile: the mark of a lock file that another user has made counts, and can be set,
// unless a sticky directory keeps that user from the document.
func TestOthersLockFile(t *testing.T) {
	needsOwners(t)
	for name, c := range map[string]struct {
		mode  fs.FileMode
		owner int
		want  string
	}{
		"a stranger's":                        {0o777, stranger, "2"},
		"a stranger's, in a sticky directory": {fs.ModeSticky | 0o777, stranger, "1"},
		"root's, in a sticky directory":       {fs.ModeSticky | 0o777, 0, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := twoDocs(t, Options{}, func(string, string) error { return nil })
			mustDo(t, os.Chmod(filepath.Dir(a.name), c.mode))
			for _, doc := range []*Doc{a, b} {
				lock := names.Lock(doc.name)
				putFile(t, lock, []byte(marked(markNoIntent)))
				mustDo(t, os.Chmod(lock, 0o666), os.Chown(lock, c.owner, c.owner))
			}
			err := incrementBoth(a, b)
			if (err == nil) != (c.want == "2") {
				t.Errorf("%v", err)
			}
			wantBoth(t, a, b, c.want)
			wantNoLitter(t, filepath.Dir(a.name))
		})
	}
}

// TestRecoverOthersLockFile: a transaction is finished also where another user has made the lock
// file of another of its documents, which says that there are none.
func TestRecoverOthersLockFile(t *testing.T) {
	needsOwners(t)
	dir := realTempDir(t)
	home, member := deadTransaction(t, dir, ".", ".")
	lock := names.Lock(home)
	putFile(t, lock, []byte(marked(markNoIntent)))
	mustDo(t, os.Chmod(lock, 0o666), os.Chown(lock, stranger, stranger))
	if _, err := open(t, member, Options{}).Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(home); err != nil || string(got) != "7" {
		t.Errorf("the home is %s, %v", got, err)
	}
	wantNoLitter(t, dir)
}

// TestStickyTransaction: what a user may not replace, in a sticky directory, is found before the
// commit; and nothing is made there that this user could not remove.
func TestStickyTransaction(t *testing.T) {
	const variable = "JSONSTORE_STICKY"
	dir := os.Getenv(variable)
	if os.Geteuid() == 0 {
		var err error
		dir, err = os.MkdirTemp("/tmp", "sticky")
		mustDo(t, err)
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "theirs.json")
		putFile(t, path, []byte("1"))
		mustDo(t, os.Chmod(path, 0o666), os.Chmod(dir, fs.ModeSticky|0o777))
		asNobody(t, variable+"="+dir)
		if got, err := os.ReadFile(path); err != nil || string(got) != "1" {
			t.Errorf("it is %s, %v", got, err)
		}
		return
	}
	if dir == "" {
		t.Skip("root runs it as another user")
	}
	ctx := context.Background()
	mine := open(t, filepath.Join(t.TempDir(), "mine.json"), Options{})
	theirs := open(t, filepath.Join(dir, "theirs.json"), Options{})
	err := Transact(ctx, func(tx *Tx) error {
		return errors.Join(tx.Write(mine, []byte("1")), tx.Update(theirs, increment))
	})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "sticky") {
		t.Errorf("%v", err)
	}
	if _, _, err := mine.Read(ctx); !errors.Is(err, ErrNotExist) {
		t.Errorf("half of it was done: %v", err)
	}
	wantNoLitter(t, dir)
	wantNoLitter(t, filepath.Dir(mine.name))
}

// TestLinkMovesUnderLock: a retry with locks takes those of the documents to which links lead
// then.
func TestLinkMovesUnderLock(t *testing.T) {
	ctx := context.Background()
	dir := realTempDir(t)
	db := openDir(t, dir, nil)
	for name, data := range map[string]string{"v1": "1", "v2": "100", "b": "1"} {
		putFile(t, filepath.Join(dir, name+".json"), []byte(data))
	}
	link := filepath.Join(dir, "current.json")
	mustDo(t, os.Symlink("v1.json", link))
	runs := 0
	err := db.Transact(ctx, func(tx *Tx) error {
		if err := tx.Update(db.Doc("current"), increment); err != nil {
			return err
		}
		if runs++; runs == 1 {
			// So that this try loses, and the next one has the locks.
			putFile(t, filepath.Join(dir, "v1.json"), []byte("10"))
			mustDo(t, os.Remove(link), os.Symlink("v2.json", link))
		}
		return tx.Update(db.Doc("b"), increment)
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
	for key, want := range map[string]string{"v1": "10", "v2": "101", "b": "2"} {
		if got := reads(t, db.Doc(key)); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	// Two links lead to one document by then.
	other := filepath.Join(dir, "other.json")
	mustDo(t, os.Symlink("v1.json", other))
	runs = 0
	err = db.Transact(ctx, func(tx *Tx) error {
		if err := tx.Update(db.Doc("other"), increment); err != nil {
			return err
		}
		if runs++; runs == 1 {
			putFile(t, filepath.Join(dir, "v1.json"), []byte("20"))
			mustDo(t, os.Remove(other), os.Symlink("v2.json", other))
		}
		return tx.Update(db.Doc("current"), increment)
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
	for key, want := range map[string]string{"v1": "20", "v2": "103"} {
		if got := reads(t, db.Doc(key)); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
}

// TestPlantedBesideDead: what another user makes in a sticky directory, at the names that the
// intent of a dead transaction has, keeps nobody from finishing that.
func TestPlantedBesideDead(t *testing.T) {
	needsOwners(t)
	for _, state := range []string{"committed", "pending", "guarded"} {
		t.Run(state, func(t *testing.T) {
			path := filepath.Join(sticky(t, fs.ModeSticky|0o777), "doc.json")
			putFile(t, path, []byte("1"))
			in := stagedIntent(t, path, "7")
			in.Committed = state != "pending"
			if state == "guarded" {
				in.Guarded = strings.Repeat("0", names.GuardedDigits)
			}
			putIntent(t, path, in)
			planted := names.Transaction(path, someID)
			mustDo(t, os.Remove(planted)) // it was published
			want := "2"
			if in.Committed {
				putFile(t, path, []byte("7"))
				want = "8"
			}
			putFile(t, planted, []byte(`"stranger"`))
			mustDo(t, os.Chown(planted, stranger, stranger))
			doc := openFaulty(t, path, Options{}, func(op, name string) error {
				if name == planted && (op == "remove" || strings.HasPrefix(op, "rename")) {
					return fs.ErrPermission // as for users other than root
				}
				return nil
			})
			if _, err := doc.Update(context.Background(), increment); err != nil {
				t.Fatal(err)
			}
			if got := reads(t, doc); got != want {
				t.Errorf("it is %s, want %s", got, want)
			}
			if _, err := fsys.New().Lstat(names.Intent(path)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the intent: %v", err)
			}
		})
	}
}
