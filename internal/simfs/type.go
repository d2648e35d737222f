// The type of the simulated file system.

package simfs

// Type implements fsys.FS.
func (p *Process) Type(string) (string, error) { return p.world.Kind, p.alive() }
