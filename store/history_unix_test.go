//go:build unix

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/internal/names"
)

// TestPlantedHistory: what another user may have made in a sticky directory is not shown,
// restored, counted or removed, switches nothing, and hinders no writer.
func TestPlantedHistory(t *testing.T) {
	const theirs = `{"admin":"stranger"}`
	ctx := context.Background()
	world := fs.ModeSticky | 0o777
	for name, c := range map[string]struct {
		dir      fs.FileMode
		owner    int
		change   func(path string) error
		believed bool
	}{
		"another user's":                 {dir: world, owner: stranger},
		"another user's, not sticky":     {dir: 0o777, owner: stranger, believed: true},
		"root's":                         {dir: world, believed: true},
		"root's, which has another name": {dir: world, change: named},
		"a link to what root has":        {dir: world, change: linked},
		"a link, not sticky":             {dir: 0o777, change: linked},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(sticky(t, c.dir), "cfg.json")
			plant := func(name, content string) {
				t.Helper()
				putText(t, name, content)
				err := os.Chown(name, c.owner, c.owner)
				if err == nil && c.change != nil {
					err = c.change(name)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			// The switch.
			plant(names.HistorySwitch(path), `{"all":{"keep":1}}`)
			putText(t, path, "1")
			doc := open(t, path, Options{})
			write := func(value string) {
				t.Helper()
				if _, err := doc.Update(ctx, become(value)); err != nil {
					t.Fatal(err)
				}
			}
			write("2")
			if got := versionsOf(t, doc); (len(got) == 1) != c.believed {
				t.Errorf("the history is %q", got)
			}
			info, err := doc.Inspect(ctx)
			left := slices.Contains(info.Left, filepath.Base(names.HistorySwitch(path)))
			if err != nil || left == c.believed {
				t.Errorf("left is %q, %v", info.Left, err)
			}
			err = doc.SetHistory(ctx, &HistoryOptions{Keep: 2})
			if (err == nil) != c.believed {
				t.Errorf("it was switched on: %v", err)
			}
			if err := os.Remove(names.HistorySwitch(path)); err != nil {
				t.Fatal(err)
			}
			switchOn(t, doc, HistoryOptions{Keep: 2})
			// Versions, older and newer than all. Those that are believed would be removed when
			// a writer lists the directory, as it does now and then.
			var made []string
			plantVersions := func() {
				for _, key := range []uint64{1, 1 << 62} {
					made = append(made, names.History(path, names.Entry{Key: key,
						Hash: digitsOf(hashVersion([]byte(theirs)))}))
					plant(made[len(made)-1], theirs)
				}
			}
			if !c.believed {
				plantVersions()
			}
			for _, value := range []string{"3", "4", "5"} {
				write(value)
			}
			if c.believed {
				plantVersions()
			}
			got := versionsOf(t, doc)
			if !c.believed && !slices.Equal(got, []string{"4", "3"}) ||
				slices.Contains(got, theirs) != c.believed {
				t.Errorf("the history is %q", got)
			}
			_, alone, err := doc.Sweep(ctx)
			for _, name := range made {
				_, statErr := os.Lstat(name)
				if isLeft := slices.Contains(alone, filepath.Base(name)); err != nil ||
					isLeft == c.believed || !c.believed && statErr != nil {
					t.Errorf("%v: left %v, %v: %v", name, isLeft, statErr, err)
				}
			}
			putText(t, path, "{")
			r, err := doc.Recover(ctx, nil)
			if err != nil || (string(r.Taken.data) == theirs) != c.believed {
				t.Errorf("%+v, %v", r.Taken, err)
			}
			_, err = doc.Recover(ctx, &RecoverOptions{From: filepath.Base(made[1])})
			if (err == nil) != c.believed && !errors.Is(err, ErrNotExist) {
				t.Errorf("it was recovered: %v", err)
			}
		})
	}
}

// TestHistoryNarrows: a version that was for one user only is so again when it is brought
// back.
func TestHistoryNarrows(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(sticky(t, 0o755), "doc.json")
	putText(t, path, `{"secret": 1}`)
	doc := open(t, path, Options{})
	switchOn(t, doc, HistoryOptions{})
	if _, err := doc.Update(ctx, become("{}")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Undo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what was for one user is for others: %v, %v", info.Mode(), err)
	}
}

// TestHistoryBeliefs: whether a switch of another user in a sticky directory counts depends on
// the document. So what is seen for one is not believed of another.
func TestHistoryBeliefs(t *testing.T) {
	ctx := context.Background()
	for name, order := range map[string][]string{
		"theirs is not kept":       {"other", "theirs"},
		"a stranger switches ours": {"theirs", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := sticky(t, fs.ModeSticky|0o777)
			for _, n := range order {
				putText(t, filepath.Join(dir, n+".json"), "1")
			}
			planted := names.HistorySwitch(filepath.Join(dir, "x"))
			putText(t, planted, `{"all":{"keep":9}}`)
			must(t, os.Chown(planted, stranger, stranger),
				os.Chown(filepath.Join(dir, "theirs.json"), stranger, stranger))
			db, err := Open(dir, &Options{Durability: Volatile})
			must(t, err)
			defer db.Close()
			for _, n := range order {
				_, err := db.Doc(n).Update(ctx, become("2"))
				must(t, err)
			}
			for n, want := range map[string]int{"theirs": 1, "other": 0} {
				if got := versionsOf(t, db.Doc(n)); len(got) != want {
					t.Errorf("%s has the versions %q, want %d", n, got, want)
				}
			}
		})
	}
}
