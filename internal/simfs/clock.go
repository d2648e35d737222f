// The clocks of a World, which go on only when a process says so.

package simfs

import (
	"context"
	"time"
)

// Now implements fsys.FS.
func (p *Process) Now() int64 {
	if p.world.ticks {
		_ = p.saw(nil, uint64(p.world.Clock))
	}
	return p.world.Clock
}

// Tick advances the clock.
func (p *Process) Tick(ns int64) error {
	if err := p.turn("tick", "clock", nil); err != nil {
		return err
	}
	p.world.Clock += ns
	p.world.ticks = true
	return p.saw(nil)
}

// Uptime implements fsys.FS. It stands still except for Pause, and is an operation if Timed.
func (p *Process) Uptime() time.Duration {
	if p.world.Timed {
		_ = p.turn("uptime", "clock", nil)
	}
	if p.world.uptime > 0 {
		_ = p.saw(nil, uint64(p.world.uptime))
	}
	return p.world.uptime
}

// Pause implements fsys.FS. All operations of others that come before it are in time, and none
// after it is.
func (p *Process) Pause(_ context.Context, d time.Duration) error {
	if err := p.turn("pause", "clock", nil); err != nil {
		return err
	}
	p.world.uptime += d
	return p.saw(nil)
}
