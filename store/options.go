// Options and the types of their fields. The zero value of every field is the default
// that its comment names.

package store

import (
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// Options configures how documents are stored. A nil *Options and the zero value mean
// the defaults.
type Options struct {
	// Versions is the kind of version token for files. Default: VersionHash.
	// Programs that share a document may use different kinds.
	Versions VersionMode

	// Locking makes Update hold the document's lock from before it reads until it has
	// published. The default is optimistic: the lock is held only for the swap. Both
	// modes work together on one document.
	Locking bool

	// GuardForeign also protects a version that a program without the lock renames over
	// the document at the very moment of a write: the write finds it and is a conflict.
	// It needs a file system that can exchange two names, otherwise writes are
	// ErrUnsupported. It costs some microseconds. For a moment readers may see a
	// version that is then withdrawn, or no document for a deletion that is.
	// GuardForeign does not help against programs that write into the file instead of
	// replacing it: a write after the document was read under the lock is lost.
	// Default: false.
	GuardForeign bool

	// KeepLast keeps the version that a write replaces or deletes: its file gets the name
	// .NAME.kept beside the document, until the next version is replaced. It is not
	// copied. Content that is not valid JSON is never kept in its place. Doc.Recover puts
	// a kept version back. It takes a few microseconds. A write goes on without it where
	// that is impossible, and Stats counts it (Unkept). It is only about files. Where the
	// history is on (Doc.SetHistory), that keeps the version, and KeepLast does nothing.
	// Default: false.
	KeepLast bool

	// Durability is what a write waits for before it returns. Default: Durable.
	Durability Durability

	// FlushOrder selects the flushes that make a write durable. Default: AutoOrder, the
	// fastest order that is proved for the file system.
	FlushOrder FlushOrder

	// Perm is the mode of new documents, before the umask. Default: 0600. A document
	// that is replaced keeps its mode.
	Perm fs.FileMode

	// MaxSize is the largest document in bytes, to read or to write. Default:
	// DefaultMaxSize.
	MaxSize int64

	// MaxDepth is the deepest nesting of arrays and objects. Default: 10,000; more than
	// 100,000 count as that.
	MaxDepth int

	// AllowDuplicateKeys accepts objects with duplicate keys; the last one counts. The
	// default is to refuse them: programs differ in the one that they use.
	AllowDuplicateKeys bool

	// AllowNetwork accepts network file systems, and others that are not known to be
	// local, such as FUSE. Neither locks nor atomic replacement have been proved on
	// them. The default is to refuse them.
	AllowNetwork bool

	// LockPath is the lock file for OpenFile, instead of the one beside the document.
	// Use it if other programs already lock a file with flock before they change the
	// document, such as "settings.json.lock". All writers of the document must lock the
	// same file. It is created if it is absent, and otherwise only locked. A relative
	// path starts at the working directory. Default: .NAME.lock beside the document,
	// which "flock" in a shell can lock too.
	LockPath string

	// LockWait limits how long one wait for a document's lock, or for updates of other
	// goroutines on the same handle, may last; then the error is ErrLocked. Default 0:
	// as long as the context. Negative: not at all.
	LockWait time.Duration

	// Retry is how Update continues after a conflict.
	Retry Retry

	// Poll makes Watch look at the documents at this interval, and not ask the system to
	// be notified. Default 0: be notified, and look every 2 seconds as well; where that is
	// not possible, look every 100 milliseconds.
	Poll time.Duration

	// Logger gets the conflicts of an update at level debug when the update has ended,
	// and one warning when more than one update in ten is tried again. It runs on the
	// goroutine of the update, when no other caller waits for it. A Watch that has to poll
	// is a warning too. Default: slog.Default().
	Logger *slog.Logger
}

// Retry is how Update continues after a conflict. By default it tries until its context
// ends. On files that does not take long: after the first conflict it takes the lock.
type Retry struct {
	// MinBackoff and MaxBackoff bound the pause before an optimistic try. The pause is
	// drawn uniformly from zero to a limit, which starts at MinBackoff and grows by
	// half each time up to MaxBackoff. Defaults: 100 microseconds and 50 milliseconds.
	MinBackoff, MaxBackoff time.Duration
	// MaxTries is the largest number of runs of the function; the last run is not
	// combined with others. Default 0: no limit.
	MaxTries int
	// MaxElapsed is the time after which no further try begins. Default 0: no limit.
	MaxElapsed time.Duration
	// EscalateAfter is the number of lost runs of the function of an optimistic update
	// after which a try takes the lock first. Default 0: one. Negative: never.
	EscalateAfter int
}

// VersionMode is a kind of version token for files.
type VersionMode int

const (
	// VersionHash is the content's hash and length. It detects every change of content,
	// an in-place write within one clock tick too, and reads the whole file. A document
	// that was changed and changed back compares as unchanged.
	VersionHash VersionMode = iota
	// VersionMtime is the modification time, size and inode: one stat, whatever the
	// size. It needs timestamps finer than a microsecond and is ErrUnsupported on file
	// systems with coarser ones. While a version is younger than 100 milliseconds,
	// Update compares the bytes too. Three changes by a foreign program go undetected:
	// a rewrite in place that sets the time back, a write through a memory mapping, and
	// a write in place within a clock tick after a Read whose version is then given to
	// CompareAndSwap.
	VersionMtime
	// VersionAuto is VersionMtime if the file system's timestamps are fine enough and
	// each of some test writes got a timestamp of its own, as on Linux 6.13 and later.
	// Otherwise it is VersionHash.
	VersionAuto
)

func (m VersionMode) String() string {
	switch m {
	case VersionHash:
		return "hash"
	case VersionMtime:
		return "mtime"
	case VersionAuto:
		return "auto"
	}
	return fmt.Sprintf("VersionMode(%d)", int(m))
}

// Durability is what a write waits for before it returns.
type Durability int

const (
	// Durable: the data is on the device before it is published, and its name before
	// the write returns. A power cut keeps every acknowledged update.
	Durable Durability = iota
	// Ordered: the data is on the device before it is published. A power cut leaves an
	// older version or the newest one, complete.
	Ordered
	// Volatile: nothing is flushed. A power cut may leave an empty or broken document.
	// The crash of a process is still harmless.
	Volatile
)

func (d Durability) String() string {
	switch d {
	case Durable:
		return "durable"
	case Ordered:
		return "ordered"
	case Volatile:
		return "volatile"
	}
	return fmt.Sprintf("Durability(%d)", int(d))
}

// FlushOrder selects the flushes that make a write durable.
type FlushOrder int

const (
	// AutoOrder is JournalOrder on file systems where power cuts have shown that it
	// keeps every promise, which is ext4 in its usual setting, and PortableOrder
	// elsewhere.
	AutoOrder FlushOrder = iota
	// PortableOrder flushes the new file before the rename and the directory after it.
	PortableOrder
	// JournalOrder puts the content on the device before the rename and flushes the
	// file after it: one commit of the journal instead of two. Forcing it on other file
	// systems is at your own risk.
	JournalOrder
)

func (o FlushOrder) String() string {
	switch o {
	case AutoOrder:
		return "auto"
	case PortableOrder:
		return "portable"
	case JournalOrder:
		return "journal"
	}
	return fmt.Sprintf("FlushOrder(%d)", int(o))
}

// DefaultMaxSize is the largest document in bytes if Options.MaxSize is 0: 64 MiB.
const DefaultMaxSize int64 = 64 << 20

const (
	defaultPerm       = 0o600
	defaultMinBackoff = 100 * time.Microsecond
	defaultMaxBackoff = 50 * time.Millisecond
)

// withDefaults returns a copy of o, which may be nil, with the defaults filled in.
func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Versions < VersionHash || opts.Versions > VersionAuto {
		return opts, fmt.Errorf("unknown Versions %v", opts.Versions)
	}
	if opts.Durability < Durable || opts.Durability > Volatile {
		return opts, fmt.Errorf("unknown Durability %v", opts.Durability)
	}
	if opts.FlushOrder < AutoOrder || opts.FlushOrder > JournalOrder {
		return opts, fmt.Errorf("unknown FlushOrder %v", opts.FlushOrder)
	}
	if opts.Perm&^fs.ModePerm != 0 {
		return opts, fmt.Errorf("unusable Perm %v: only the bits 0777 can be given", opts.Perm)
	}
	if opts.MaxSize < 0 || opts.MaxDepth < 0 || opts.Retry.MaxTries < 0 ||
		opts.Retry.MaxElapsed < 0 || opts.Retry.MinBackoff < 0 || opts.Retry.MaxBackoff < 0 ||
		opts.Poll < 0 {
		return opts, fmt.Errorf("negative limit in %+v; leave it 0 for the default", opts)
	}
	if opts.Perm == 0 {
		opts.Perm = defaultPerm
	}
	if opts.MaxSize == 0 {
		opts.MaxSize = DefaultMaxSize
	}
	if opts.Retry.MinBackoff == 0 {
		opts.Retry.MinBackoff = defaultMinBackoff
	}
	if opts.Retry.MaxBackoff == 0 {
		opts.Retry.MaxBackoff = max(defaultMaxBackoff, opts.Retry.MinBackoff)
	}
	if opts.Retry.EscalateAfter == 0 {
		opts.Retry.EscalateAfter = 1
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	return opts, nil
}

// limits returns the limits for the JSON in a document.
func (o *Options) limits() splice.Limits {
	return splice.Limits{Depth: o.MaxDepth, AllowDuplicateKeys: o.AllowDuplicateKeys}
}
