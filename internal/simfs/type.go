// What the simulated file system says of itself.

package simfs

// Type implements fsys.FS.
func (p *Process) Type(string) (string, error) { return p.world.Kind, p.alive() }
