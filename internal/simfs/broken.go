// A device that fails while the system runs: nothing more gets onto it.

package simfs

import (
	"syscall"
)

// broken is what is known of a device that has failed.
type broken struct {
	told bool // one flush has said so
}

// flush is one that can put nothing on the device. Whose own content is not there gets
// an error; of those who wait for the names, only the first.
func (b *broken) flush(content bool) error {
	if content || !b.told {
		b.told = true
		return syscall.EIO
	}
	return nil
}

// Break is what a device does that fails.
func (p *Process) Break() error {
	if err := p.turn("break", "device", nil); err != nil {
		return err
	}
	p.world.broken = &broken{}
	return p.saw(nil)
}

// stillWrites is as ext4 has it: the first who begins a change when the journal has failed
// finds that out, and so do all after it.
func (p *Process) stillWrites(name string) error {
	if err := p.turn("begin", name, nil); err != nil {
		return err
	}
	if b := p.world.broken; b != nil {
		return p.fail("begin a change of", name, syscall.EROFS)
	}
	return p.saw(nil)
}
