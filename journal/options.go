// Options. The zero value of every field is the default that its comment names.

package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// Options configures a handle on a journal. A nil *Options and the zero value mean the
// defaults. All processes that write a journal should have the same options: each rotates,
// compresses and removes segments by its own.
type Options struct {
	// Durability is what an Append waits for before it returns. Default: store.Durable, a
	// power cut keeps every acknowledged record. With store.Ordered a power cut may remove
	// the newest records, but what remains has no gap. With store.Volatile it may also
	// leave a gap: nothing is flushed when a segment is rotated. A crash of a process loses
	// nothing at any level. The weakest writer of a journal decides about gaps.
	Durability store.Durability

	// MaxBytes is the size at which the live file is rotated: a batch of records that would
	// make it larger goes to a new one. Default: DefaultMaxBytes. Negative: no limit.
	MaxBytes int64

	// MaxAge is the age at which the live file is rotated by the next Append, from when it
	// was made. Default 0: no limit.
	MaxAge time.Duration

	// Plain leaves segments uncompressed. The default is to compress them with gzip.
	Plain bool

	// Retention says which segments are removed. Default: none.
	Retention Retention

	// MaxSize is the largest record in bytes, to append and to read. Default:
	// store.DefaultMaxSize.
	MaxSize int64

	// Perm is the mode of the first file of a new journal, before the umask. Default:
	// 0600. Later files have the mode of the one before.
	Perm fs.FileMode

	// AllowNetwork accepts network file systems, and others that are not known to be
	// local. Locks have not been proved on them. The default is to refuse them.
	AllowNetwork bool

	// LockWait limits how long one wait for the journal's lock may last; then the error is
	// store.ErrLocked. Default 0: as long as the context. Negative: not at all.
	LockWait time.Duration

	// Poll is the longest pause between two looks of Follow. Pauses begin at a
	// millisecond, and double while nothing comes. Default: 100 milliseconds.
	Poll time.Duration

	// OnRepair is called after a torn tail was moved aside, on the goroutine that found it,
	// without a lock. Default: a warning to slog.Default().
	OnRepair func(Repair)

	// OnTidy is called with the error of compressing or removing segments after a
	// rotation by size or age, on a goroutine of its own. The next rotation tries again.
	// Default: a warning to slog.Default().
	OnTidy func(error)
}

// Retention bounds the segments of a journal. The oldest are removed first, after each
// rotation. The newest segment always stays. The zero value keeps all.
type Retention struct {
	// Segments is their largest number. Default 0: no limit.
	Segments int
	// Bytes is the largest sum of their sizes, compressed. Default 0: no limit.
	Bytes int64
	// Age is the age after its last record at which a segment is removed. Default 0: no
	// limit.
	Age time.Duration
}

// Repair is a torn tail that was moved aside: the end of a live file that is no whole line.
type Repair struct {
	Journal string // the path of the live file
	Path    string // the file that has the tail now
	Bytes   int64  // its length
	Seq     uint64 // the number of the record that comes next
}

// DefaultMaxBytes is the size at which a live file is rotated if Options.MaxBytes is 0:
// 16 MiB.
const DefaultMaxBytes = 16 << 20

const (
	defaultPerm = 0o600
	defaultPoll = 100 * time.Millisecond
	firstPoll   = time.Millisecond
)

// withDefaults returns a copy of o, which may be nil, with the defaults filled in.
func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	switch r := opts.Retention; {
	case opts.Durability < store.Durable || opts.Durability > store.Volatile:
		return opts, fmt.Errorf("unknown Durability %v", opts.Durability)
	case opts.Perm&^fs.ModePerm != 0:
		return opts, fmt.Errorf("unusable Perm %v: only the bits 0777 can be given", opts.Perm)
	case opts.MaxAge < 0 || opts.MaxSize < 0 || opts.Poll < 0 || r.Segments < 0 || r.Bytes < 0 ||
		r.Age < 0:
		return opts, errors.New("negative limit in Options; leave it 0 for the default")
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.MaxSize == 0 {
		opts.MaxSize = store.DefaultMaxSize
	}
	if opts.Perm == 0 {
		opts.Perm = defaultPerm
	}
	if opts.Poll == 0 {
		opts.Poll = defaultPoll
	}
	if opts.OnRepair == nil {
		opts.OnRepair = func(r Repair) {
			slog.Warn("moved the torn tail of a journal aside", "journal", r.Journal,
				"to", r.Path, "bytes", r.Bytes)
		}
	}
	if opts.OnTidy == nil {
		opts.OnTidy = func(err error) { slog.Warn("tidy a journal", "error", err) }
	}
	return opts, nil
}
