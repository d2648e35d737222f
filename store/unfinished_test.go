//go:build !windows

package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/names"
)

// TestIntentInfo: what is said of an intent, for the home, a member, a link to it, and through
// a handle on the directory; and that to say so changes nothing.
func TestIntentInfo(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	home, member := filepath.Join(dir, "x", "a.json"), filepath.Join(dir, "b.json")
	link := filepath.Join(dir, "link.json")
	putFile(t, home, []byte("1"))
	putFile(t, member, []byte("1"))
	if err := os.Symlink(member, link); err != nil {
		t.Skip(err)
	}
	db := openDir(t, dir, nil)
	handles := map[*Doc]string{open(t, home, Options{}): home, open(t, member, Options{}): member,
		open(t, link, Options{}): member, db.Doc("x/a"): home, db.Doc("b"): member}
	want := func(when string, state IntentState, id string, at string) {
		t.Helper()
		for doc, path := range handles {
			got, err := doc.Intent()
			want := IntentInfo{State: state, Path: names.Intent(path), ID: id, Home: at}
			if state == NoIntent {
				want = IntentInfo{}
			}
			if err != nil || got != want {
				t.Errorf("%s: %s: got %+v, %v; want %+v", when, doc.Name(), got, err, want)
			}
		}
	}
	want("at first", NoIntent, "", "")
	first, second := stagedIntent(t, home, "7"), stagedIntent(t, member, "7")
	second.Home, first.Members = "x/a.json", []string{"../b.json"}
	putIntent(t, home, first)
	putIntent(t, member, second)
	want("pending", IntentPending, someID, home)
	first.Committed = true
	putIntent(t, home, first)
	want("committed", IntentCommitted, someID, home)
	if files, err := filepath.Glob(filepath.Join(dir, "*", ".*.lock")); err != nil || files != nil {
		t.Errorf("it made %q, %v", files, err)
	}
	// A void one: its home has the intent of another transaction, or is none.
	first.ID = strings.Repeat("0", names.TransactionDigits)
	putIntent(t, home, first)
	if got, err := db.Doc("b").Intent(); err != nil || got.State != IntentVoid || got.ID != someID {
		t.Errorf("of no transaction: %+v, %v", got, err)
	}
	mustDo(t, os.Remove(names.Intent(member)))
	putFile(t, names.Intent(member), []byte("garbage"))
	if got, err := db.Doc("b").Intent(); err != nil || got.State != IntentVoid || got.ID != "" ||
		got.Home != "" {
		t.Errorf("garbage: %+v, %v", got, err)
	}
	held, err := db.drv.files.sidecars().acquire(context.Background(), "b.json",
		locking{perm: 0o600, guards: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, link, Options{}).Intent(); err != nil || !got.Alive {
		t.Errorf("the lock is held: %+v, %v", got, err)
	}
	held.unlock()
	if _, err := db.Doc("b").Set(context.Background(), "@this", 5); err != nil {
		t.Error(err)
	}
	if got, err := db.Doc("b").Intent(); err != nil || got != (IntentInfo{}) {
		t.Errorf("after a writer: %+v, %v", got, err)
	}
}

// TestIntentElsewhere: through a handle on a directory nothing outside of it is looked at.
func TestIntentElsewhere(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "in")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(inner, "b.json")
	putFile(t, path, []byte("1"))
	in := stagedIntent(t, path, "7")
	in.Home = "../a.json"
	putIntent(t, path, in)
	if _, err := openDir(t, inner, nil).Doc("b").Intent(); !errors.Is(err, errElsewhere) {
		t.Errorf("its home is outside: %v", err)
	}
	if got, err := open(t, path, Options{}).Intent(); err != nil || got.State != IntentVoid {
		t.Errorf("by itself: %+v, %v", got, err)
	}
}

// TestDocumentedIntent: the intents in docs/format.md are those of a transaction.
func TestDocumentedIntent(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "format.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), "For example\n\n```\n{\"js")
	text, after, _ := strings.Cut(text, "```")
	homes := decodeHome([]byte("{\"js" + text + committedMark))
	if homes == nil || !homes.committed || len(homes.changes) != 2 {
		t.Fatalf("decoded %+v", homes)
	}
	if again, err := homes.encode(); err != nil || string(again) != "{\"js"+text+committedMark {
		t.Errorf("encoded again: %s, %v", again, err)
	}
	_, target, _ := strings.Cut(after, "```\n")
	target, _, _ = strings.Cut(target, "\n```")
	in := decodeMember(target)
	if in == nil || in.target() != target {
		t.Fatalf("%q became %+v", target, in)
	}
	if _, of := in.changeIn(homes); !of {
		t.Errorf("%q is of another transaction", target)
	}
}

// TestFinishedMeanwhile: an intent that goes between the looks at it and at the lock is none.
func TestFinishedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	putFile(t, path, []byte("1"))
	putFile(t, names.Lock(path), []byte(marked(markIntents)))
	putIntent(t, path, stagedIntent(t, path, "7"))
	looked := false
	doc := openFaulty(t, path, Options{}, func(op, name string) error {
		if op == "trylock" && !looked {
			looked = true
			return os.Remove(names.Intent(path))
		}
		return nil
	})
	if got, err := doc.Intent(); err != nil || got != (IntentInfo{}) || !looked {
		t.Errorf("%+v, %v, looked at the lock: %v", got, err, looked)
	}
}
