// The directories of keys of more than one part.

package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// makeParents makes the directories that a key of more than one part needs.
func (a *attempt) makeParents() error {
	if a.d.single != "" {
		return nil
	}
	return a.d.mkdir(filepath.Dir(a.path))
}

func (d *fileDriver) mkdir(dir string) error {
	if _, err := d.files.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := d.mkdir(parent); err != nil {
		return err
	}
	// Every user who may read a document may search the directory.
	perm := d.opts.Perm | d.opts.Perm&0o444>>2
	above, err := d.switchAbove(dir)
	if err != nil {
		return err
	}
	if above != nil {
		return d.mkdirWith(dir, perm, above)
	}
	err = d.files.Mkdir(dir, perm)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = d.followAbove(dir, nil) // which may have been switched on meanwhile
	}
	return err
}

// mkdirWith makes a directory that has a switch before it has its name: else others could write
// in it without one, and the switch would be missing if this process dies. Whoever makes the
// same directory later goes on with what a dead maker has left.
func (d *fileDriver) mkdirWith(dir string, perm fs.FileMode, above *switchEntry) error {
	made := names.Random(dir, 0)
	err := d.files.Mkdir(made, perm)
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = d.setSwitchIn(made, func(s *switchFile) { s.All = above })
	}
	if err == nil {
		err = d.files.Rename(made, dir, fsys.NoReplace)
	}
	if errors.Is(err, fs.ErrExist) {
		_ = fsys.RemoveAll(d.files, made)
	}
	// It may be there although that has failed: another one has made it.
	if _, lstatErr := d.files.Lstat(dir); lstatErr != nil {
		return cmp.Or(err, lstatErr)
	}
	return d.followAbove(dir, above)
}

// switchAbove is the switch, for all documents, of the directory in which dir is.
func (d *fileDriver) switchAbove(dir string) (*switchEntry, error) {
	s, err := d.switchOf(dir)
	if s == nil || err != nil {
		return nil, err
	}
	return s.All, nil
}

// followAbove gives a new directory, which has the switch has, that of the one above it, until
// that does not change any longer.
func (d *fileDriver) followAbove(dir string, has *switchEntry) error {
	for {
		above, err := d.switchAbove(dir)
		if err != nil || above.equal(has) {
			return err
		}
		err = d.setSwitchIn(dir, func(s *switchFile) {
			if s.All.equal(has) {
				s.All = above
			}
		})
		if err == nil {
			err = d.outlastBeliefs(context.Background())
		}
		if err != nil {
			return err
		}
		has = above
	}
}

func (d *fileDriver) setSwitchIn(dir string, change func(*switchFile)) error {
	return d.setSwitch(context.Background(), filepath.Join(dir, "any"), change)
}

func (e *switchEntry) equal(other *switchEntry) bool {
	return e == other || e != nil && other != nil && *e == *other
}
