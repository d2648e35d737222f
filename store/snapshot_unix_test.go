//go:build unix

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/jsonstore/jsonstore/internal/names"
)

// TestSnapshotAccess: those may read a snapshot who may read every document in it.
func TestSnapshotAccess(t *testing.T) {
	type file struct {
		mode fs.FileMode
		dir  fs.FileMode // 0: in the directory itself
		gid  int         // 0: that of new files
	}
	for name, c := range map[string]struct {
		files []file
		want  fs.FileMode
		root  bool // only root can set it up
	}{
		"all may":                   {[]file{{mode: 0o644}, {mode: 0o666}}, 0o644, false},
		"one is private":            {[]file{{mode: 0o644}, {mode: 0o600}}, 0o600, false},
		"the group may":             {[]file{{mode: 0o644}, {mode: 0o640}}, 0o640, false},
		"group, and others":         {[]file{{mode: 0o604}, {mode: 0o640}}, 0o600, false},
		"not the group":             {[]file{{mode: 0o604}, {mode: 0o644}}, 0o604, false},
		"not the owner":             {[]file{{mode: 0o044}}, 0o600, true},
		"a private directory":       {[]file{{mode: 0o644}, {mode: 0o644, dir: 0o700}}, 0o600, false},
		"a directory of the group":  {[]file{{mode: 0o644, dir: 0o710}}, 0o640, false},
		"an open directory":         {[]file{{mode: 0o644, dir: 0o755}}, 0o644, false},
		"one to enter, not to list": {[]file{{mode: 0o644, dir: 0o711}}, 0o644, false},
		"another group may":         {[]file{{mode: 0o644}, {mode: 0o640, gid: stranger}}, 0o600, true},
		"another group, as all":     {[]file{{mode: 0o644}, {mode: 0o644, gid: stranger}}, 0o644, true},
		"not that of another group": {[]file{{mode: 0o644}, {mode: 0o604, gid: stranger}}, 0o600, true},
		"none":                      {nil, 0o644, false},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can set this up")
			}
			dir := t.TempDir()
			for i, f := range c.files {
				path := filepath.Join(dir, string(rune('a'+i))+".json")
				if f.dir != 0 {
					sub := filepath.Join(dir, "sub")
					if err := errors.Join(os.Mkdir(sub, 0o700), os.Chmod(sub, f.dir)); err != nil {
						t.Fatal(err)
					}
					path = filepath.Join(sub, "d.json")
				}
				err := errors.Join(os.WriteFile(path, []byte("1"), 0o600), os.Chmod(path, f.mode))
				if f.gid != 0 {
					err = errors.Join(err, os.Chown(path, -1, f.gid))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			db, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			info, err := os.Stat(snapshotOf(t, db, "s").Info().Path)
			if err != nil || info.Mode() != c.want {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		})
	}
}

// TestPlantedSnapshot: in a sticky directory a snapshot that another user has made is not used,
// and hinders nobody.
func TestPlantedSnapshot(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		mode     fs.FileMode
		owner    int
		change   func(path string) error
		believed bool
	}{
		"another user":                    {mode: fs.ModeSticky | 0o777, owner: stranger},
		"another user, not sticky":        {mode: 0o777, owner: stranger, believed: true},
		"root":                            {mode: fs.ModeSticky | 0o777, believed: true},
		"root's, which has a second name": {mode: fs.ModeSticky | 0o777, change: named},
		"a link to what root has":         {mode: 0o777, change: linked},
	} {
		t.Run(name, func(t *testing.T) {
			dir := sticky(t, c.mode)
			if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte("[1]"), 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			path := snapshotOf(t, db, "s").Info().Path
			err = os.Chown(path, c.owner, c.owner)
			if err == nil && c.change != nil {
				err = c.change(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			all, err := db.Snapshots(ctx)
			if err != nil || len(all) != 1 || (all[0].Problem == nil) != c.believed {
				t.Errorf("%+v, %v", all, err)
			}
			s, err := db.OpenSnapshot("s")
			if (err == nil) != c.believed {
				t.Errorf("opened: %v", err)
			}
			if err == nil {
				s.Close()
			}
			if _, err := db.CreateSnapshot(ctx, "s"); !errors.Is(err, ErrExist) {
				t.Errorf("the same name: %v", err)
			}
			if _, err := db.CreateSnapshot(ctx, "t"); err != nil {
				t.Errorf("another name: %v", err)
			}
		})
	}
}

// TestOddSnapshots: what is no file has no snapshot in it.
func TestOddSnapshots(t *testing.T) {
	ctx := context.Background()
	db, dir := openWith(t, Options{}, map[string]string{"a": "1"})
	path := filepath.Join(dir, names.Snapshot("s"))
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, openErr := db.OpenSnapshot("s")
	_, createErr := db.CreateSnapshot(ctx, "s")
	if openErr == nil || !errors.Is(createErr, ErrExist) || db.DeleteSnapshot(ctx, "s") == nil {
		t.Errorf("opened: %v; created: %v", openErr, createErr)
	}
	if all, err := db.Snapshots(ctx); err != nil || len(all) != 1 || all[0].Problem == nil {
		t.Errorf("%+v, %v", all, err)
	}
}
