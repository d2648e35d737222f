// Directories: creation, listing and flushing by a process.

package simfs

import (
	"hash/maphash"
	"io/fs"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Mkdir implements fsys.FS.
func (p *Process) Mkdir(name string, perm fs.FileMode) error {
	if err := p.turn("mkdir", name, nil); err != nil {
		return err
	}
	switch {
	case p.world.names[name] != nil:
		return p.fail("mkdir", name, fs.ErrExist)
	case !p.world.isDir(filepath.Dir(name)):
		return p.fail("mkdir", name, fs.ErrNotExist)
	}
	n := p.world.allocate(fs.ModeDir | perm)
	n.uid, n.synced = p.UID, true
	p.world.point(p, assignment{name, n})
	return p.saw(nil)
}

// ReadDir implements fsys.FS.
func (p *Process) ReadDir(name string) ([]fsys.Entry, error) {
	if err := p.turn("readdir", name, nil); err != nil {
		return nil, err
	}
	var entries []fsys.Entry
	var sum maphash.Hash
	sum.SetSeed(p.seed)
	for _, found := range p.world.Names() {
		if filepath.Dir(found) == filepath.Clean(name) {
			kind := p.world.names[found].mode & fs.ModeType
			entries = append(entries, fsys.Entry{Name: filepath.Base(found), Type: kind})
			_, _ = sum.WriteString(found)
		}
	}
	return entries, p.saw(nil, sum.Sum64())
}

// OpenDir implements fsys.FS.
func (p *Process) OpenDir(name string) (fsys.Dir, error) {
	if !p.world.isDir(name) {
		return nil, p.fail("open", name, fs.ErrNotExist)
	}
	return &dir{p, name}, p.alive()
}

// dir is an open directory of a process.
type dir struct {
	process *Process
	name    string
}

func (d *dir) Sync() error {
	if err := d.process.turn("syncdir", d.name, nil); err != nil {
		return err
	}
	w := d.process.world
	if w.broken != nil {
		return d.process.saw(w.broken.flush(false))
	}
	w.syncNames(d.name)
	return d.process.saw(nil)
}

func (d *dir) StillWrites() error { return d.process.stillWrites(d.name) }

func (d *dir) Close() error { return d.process.alive() }
