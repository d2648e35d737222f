// A device that fails while the system runs: no later write reaches it.

package simfs

import (
	"syscall"
)

// broken is the state of a failed device.
type broken struct {
	told bool // one flush has reported it
}

// flush fails if the caller's content is not on the device. Of the flushes that need
// only names, the first alone gets the error.
func (b *broken) flush(content bool) error {
	if content || !b.told {
		b.told = true
		return syscall.EIO
	}
	return nil
}

// Break makes the device fail.
func (p *Process) Break() error {
	if err := p.turn("break", "device", nil); err != nil {
		return err
	}
	p.world.broken = &broken{}
	return p.saw(nil)
}

// stillWrites behaves as on ext4: after the journal has failed, the beginning of a
// change is an error for every caller.
func (p *Process) stillWrites(name string) error {
	if err := p.turn("begin", name, nil); err != nil {
		return err
	}
	if b := p.world.broken; b != nil {
		return p.fail("begin a change of", name, syscall.EROFS)
	}
	return p.saw(nil)
}
