//go:build unix

package store

import (
	"os"
	"path/filepath"
	"testing"
)

// TestViewLinkMoves: a link to a document's directory leads elsewhere after the document was
// read, and another document changes then.
func TestViewLinkMoves(t *testing.T) {
	needsLinks(t)
	ctx := impatient(t)
	dir := t.TempDir()
	db := openKeys(t, dir, Options{}, "b")
	link := filepath.Join(dir, "current")
	for _, version := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		putFile(t, filepath.Join(dir, version, "a.json"), []byte(version[1:]))
	}
	moveLink(t, link, "v1")
	a := open(t, filepath.Join(link, "a.json"), Options{})
	runs, seen := 0, ""
	err := View(ctx, func(tx *Tx) error {
		first, err := all(tx, a)
		if err != nil {
			return err
		}
		if runs++; runs == 1 {
			moveLink(t, link, "v2")
			if err := aside(func() error {
				_, err := db.Doc("b").Update(ctx, increment)
				return err
			}); err != nil {
				return err
			}
		}
		second, err := all(tx, db.Doc("b"))
		seen = first + " " + second
		return err
	})
	if err != nil || seen != "2 2" || runs != 2 {
		t.Errorf("%d runs: %q, %v", runs, seen, err)
	}
}
