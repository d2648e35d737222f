//go:build unix

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

	"github.com/jsonstore/jsonstore/internal/names"
)

// TestPlantedKept: what another user may have made is neither taken nor replaced, and
// hinders no writer.
func TestPlantedKept(t *testing.T) {
	const mine, theirs, torn = `{"admin":"root"}`, `{"admin":"stranger"}`, `{"adm`
	world := fs.ModeSticky | 0o777
	for name, c := range map[string]struct {
		dir      fs.FileMode
		owner    int
		change   func(path string) error
		believed bool
	}{
		"another user's":                 {dir: world, owner: stranger},
		"another user's, a group's":      {dir: fs.ModeSticky | 0o775, owner: stranger},
		"another user's, not sticky":     {dir: 0o777, owner: stranger, believed: true},
		"root's":                         {dir: world, believed: true},
		"root's, which has another name": {dir: world, change: named},
		"a link to what root has":        {dir: world, change: linked},
		"a link, not sticky":             {dir: 0o777, change: linked},
	} {
		for _, at := range []string{"kept", "staged", "guarded"} {
			t.Run(name+", "+at, func(t *testing.T) {
				ctx := context.Background()
				path := filepath.Join(sticky(t, c.dir), "cfg.json")
				digits := strings.Repeat("0", names.GuardedDigits)
				planted := map[string]string{"kept": names.Kept(path),
					"staged": names.Place(path, 0), "guarded": names.Guarded(path, digits)}[at]
				putText(t, path, torn)
				putText(t, planted, theirs)
				err := os.Chown(planted, c.owner, c.owner)
				if err == nil && c.change != nil {
					err = c.change(planted)
				}
				if err != nil {
					t.Fatal(err)
				}
				doc := open(t, path, Options{KeepLast: true})
				info, err := doc.Inspect(ctx)
				isLeft := slices.Contains(info.Left, filepath.Base(planted))
				if err != nil || at == "kept" && (isLeft == c.believed ||
					(info.Kept != nil) != c.believed) {
					t.Errorf("left are %q, kept is %+v, %v", info.Left, info.Kept, err)
				}
				for _, from := range []string{"", at, filepath.Base(planted)} {
					r, err := doc.Recover(ctx, &RecoverOptions{From: from})
					if (err == nil) != c.believed {
						t.Errorf("from %q: %+v, %v", from, r, err)
					}
					if c.believed {
						have(t, path, theirs)
					} else {
						have(t, path, torn)
					}
				}
				if at != "kept" {
					return
				}
				// It is not replaced either, and writers go on.
				was, err := os.Lstat(planted)
				if err != nil {
					t.Fatal(err)
				}
				putText(t, path, mine)
				_, err = doc.Update(ctx, become("1"))
				if err == nil {
					err = doc.Delete(ctx)
				}
				is, statErr := os.Lstat(planted)
				if err != nil || statErr != nil || os.SameFile(was, is) == c.believed ||
					(doc.Stats().Unkept == 2) == c.believed {
					t.Errorf("%v, %v: it is %v, %v", err, statErr, is, doc.Stats())
				}
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the document: %v", err)
				}
			})
		}
	}
}

// TestRecoverIsForNoOtherGroup: who is in the document's group reads nothing that was not
// for that group.
func TestRecoverIsForNoOtherGroup(t *testing.T) {
	path := filepath.Join(sticky(t, 0o755), "doc.json")
	for _, c := range []struct {
		document, kept fs.FileMode
		group          int // of the kept version
		want           fs.FileMode
	}{
		{0o640, 0o640, 4003, 0o600}, {0o644, 0o640, 4003, 0o600}, {0o644, 0o644, 4003, 0o644},
		{0o640, 0o640, 4001, 0o640}, {0o664, 0o604, 4003, 0o600}, {0, 0o640, 4003, 0o640},
	} {
		_ = os.Remove(path)
		putText(t, names.Kept(path), "1")
		err := errors.Join(os.Chown(names.Kept(path), 0, c.group),
			os.Chmod(names.Kept(path), c.kept))
		if c.document != 0 {
			putText(t, path, "")
			err = errors.Join(err, os.Chown(path, 0, 4001), os.Chmod(path, c.document))
		}
		if err == nil {
			_, err = open(t, path, Options{}).Recover(context.Background(), nil)
		}
		if info, statErr := os.Stat(path); err != nil || statErr != nil ||
			info.Mode().Perm() != c.want {
			t.Errorf("of %v and %v, group %d, became %v: %v, %v", c.document, c.kept, c.group,
				info, err, statErr)
		}
	}
}
