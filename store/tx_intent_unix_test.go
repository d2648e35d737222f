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

	"github.com/jsonstore/jsonstore/internal/names"
)

// TestPlantedTransaction: in a sticky directory an intent counts only if it is of somebody who
// could replace the document.
func TestPlantedTransaction(t *testing.T) {
	for name, c := range map[string]struct {
		owner int
		want  string
	}{"a stranger's": {stranger, "1"}, "root's": {0, "7"}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(sticky(t, fs.ModeSticky|0o777), "doc.json")
			putFile(t, path, []byte("1"))
			in := stagedIntent(t, path, "7")
			in.Committed = true
			putIntent(t, path, in)
			for _, made := range []string{names.Intent(path), names.Transaction(path, someID)} {
				if err := os.Chown(made, c.owner, c.owner); err != nil {
					t.Fatal(err)
				}
			}
			doc := open(t, path, Options{})
			if got := reads(t, doc); got != c.want {
				t.Errorf("read %s, want %s", got, c.want)
			}
			if _, err := doc.Update(context.Background(), increment); err != nil {
				t.Fatal(err)
			}
			if got := reads(t, doc); got != string(c.want[0]+1) {
				t.Errorf("it is %s", got)
			}
			_, err := os.Lstat(names.Intent(path))
			if c.owner == stranger && err != nil {
				t.Errorf("a stranger's file: %v", err)
			}
			other := open(t, filepath.Join(filepath.Dir(path), "other.json"), Options{})
			err = Transact(context.Background(), func(tx *Tx) error {
				return errors.Join(tx.Write(doc, []byte("9")), tx.Write(other, []byte("9")))
			})
			if c.owner == stranger && (err == nil || !strings.Contains(err.Error(),
				"in the way")) || c.owner == 0 && err != nil {
				t.Errorf("a transaction: %v", err)
			}
		})
	}
}

// TestPlantedMember: likewise for the link of a member, though somebody else makes his own in the
// moment between the looks at its text and at its owner.
func TestPlantedMember(t *testing.T) {
	needsOwners(t)
	for _, changes := range []bool{false, true} {
		dir := sticky(t, fs.ModeSticky|0o777)
		path, home := filepath.Join(dir, "doc.json"), filepath.Join(dir, "home.json")
		putFile(t, path, []byte("1"))
		in := stagedIntent(t, path, "7")
		in.Home = "home.json"
		homes := stagedIntent(t, home, "7")
		homes.Committed, homes.Members = true, []string{"doc.json"}
		putIntent(t, home, homes)
		putIntent(t, path, in)
		mustDo(t, os.Lchown(names.Intent(path), stranger, stranger))
		looked := false
		doc := openFaulty(t, path, Options{}, func(op, name string) error {
			if changes && !looked && op == "lstat" && name == names.Intent(path) {
				looked = true
				pending := in
				pending.Home = "other.json"
				mustDo(t, os.Remove(names.Intent(path)))
				putIntent(t, path, pending)
			}
			return nil
		})
		if got := reads(t, doc); got != "1" || looked != changes {
			t.Errorf("changes=%v: read %s", changes, got)
		}
	}
}
