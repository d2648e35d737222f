// The type of the simulated file system, and what follows from it.

package simfs

import (
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Type implements fsys.FS.
func (p *Process) Type(string) (string, error) { return p.world.Kind, p.alive() }

// OneJournal implements fsys.FS.
func (p *Process) OneJournal(string) bool { return p.world.Journal }

// Network implements fsys.FS.
func (p *Process) Network(string) (string, error) {
	if slices.ContainsFunc(p.world.processes, func(q *Process) bool { return q.Mount > 0 }) {
		return "fuse", nil
	}
	return "", nil
}

// LockOwner implements fsys.FS.
func (p *Process) LockOwner(fsys.Info) (int, string, bool) { return 0, "", false }

// LstatMount implements fsys.FS.
func (p *Process) LstatMount(name string) (fsys.Info, bool, error) {
	info, err := p.Lstat(name)
	return info, false, err
}

// NeedsClosed implements fsys.FS.
func (p *Process) NeedsClosed() bool { return p.world.Closed }
