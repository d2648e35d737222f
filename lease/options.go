// The options of a lease, and their defaults.

package lease

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options configures a lease. A nil *Options and the zero value mean the defaults.
type Options struct {
	// TTL is the time to live: how long the grant lasts without a renewal. A dead holder
	// blocks the others for so long. It is a number of milliseconds; what is below is cut
	// off. Default: 30 seconds. Largest: MaxTTL. Every holder of a lease may choose its
	// own.
	TTL time.Duration

	// Wait limits how long Acquire waits for another holder. Default 0: as long as the
	// context. Negative: not at all; a stale lease is stolen all the same.
	Wait time.Duration

	// MaxSkew is the largest difference between the wall clocks of two machines that use
	// the lease. See "Clocks" in the documentation of the package. Default: 5 seconds.
	// Negative: wall clocks are never compared, and a waiter has to see a lease unchanged
	// for its TTL before it steals it.
	MaxSkew time.Duration

	// MaxPoll is the longest pause between two looks at the document of a waiter, which
	// begins with 5 milliseconds and doubles it. Default: 250 milliseconds.
	MaxPoll time.Duration

	// OnStale is called before a stale lease is stolen. An error refuses that, and Acquire
	// returns it wrapped. It may be called again if the steal was a conflict. It must not
	// update the lease.
	OnStale func(ctx context.Context, stale Record) error

	// Owner is the holder's name in messages. Default: the program's name.
	Owner string

	// PID is the holder's process in messages. Default: this process.
	PID int

	// Now returns the time. Differences between two of its results are measured by their
	// monotonic readings, if they have one. Default: time.Now.
	Now func() time.Time

	// Rand is the source of nonces. Default: crypto/rand.
	Rand io.Reader
}

const (
	defaultTTL     = 30 * time.Second
	defaultSkew    = 5 * time.Second
	defaultMaxPoll = 250 * time.Millisecond
	minPoll        = 5 * time.Millisecond
)

// withDefaults returns the options with their defaults.
func (opts *Options) withDefaults() (Options, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.TTL = orDefault(o.TTL, defaultTTL).Truncate(time.Millisecond)
	if o.TTL <= 0 || o.TTL > MaxTTL {
		return o, fmt.Errorf("a TTL of %v is not between 1ms and %v", opts.TTL, MaxTTL)
	}
	o.MaxSkew = orDefault(o.MaxSkew, defaultSkew)
	o.MaxPoll = max(orDefault(o.MaxPoll, defaultMaxPoll), time.Millisecond)
	if o.Owner == "" {
		o.Owner = filepath.Base(os.Args[0])
	}
	o.PID = orDefault(o.PID, os.Getpid())
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return o, nil
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
