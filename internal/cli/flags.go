// The flags that every verb has, and the store options that they set.

package cli

import (
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/store"
)

type commonFlags struct {
	mode, sync   string
	flush        string
	locking      bool
	timeout      time.Duration
	tries        int
	wait         time.Duration
	noWait       bool
	json, quiet  bool
	maxSize      int64
	duplicates   bool
	allowNetwork bool
	guard        bool
	lockFile     string
	createMode   string // of the verbs that write
	keepLast     bool   // likewise
}

func (f *commonFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.mode, "mode", "hash",
		"`KIND` of versions: hash, mtime or auto")
	flags.BoolVar(&f.locking, "locking", false,
		"hold the lock for the whole update, not only for the swap")
	flags.StringVar(&f.sync, "sync", "durable",
		"durability `LEVEL` of a write: durable, ordered or volatile")
	flags.StringVar(&f.flush, "flush", "auto",
		"flush `ORDER` that makes a write durable: auto, portable or journal")
	flags.DurationVar(&f.timeout, "timeout", 0,
		"give up on a file after this `TIME`, such as 500ms or 10s")
	flags.IntVar(&f.tries, "tries", 0, "give up after `N` conflicting tries")
	flags.DurationVar(&f.wait, "wait", 0, "wait at most this `TIME` for the lock")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait for the lock")
	flags.StringVar(&f.lockFile, "lock-file", "",
		"lock `FILE`, which other programs already lock, instead of the document's own lock file")
	flags.BoolVar(&f.json, "json", false, "print results and errors as JSON, one object a line")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no messages")
	flags.Int64Var(&f.maxSize, "max-size", 0, fmt.Sprintf(
		"refuse documents of more than `N` bytes (default %d MiB)", store.DefaultMaxSize>>20))
	flags.BoolVar(&f.duplicates, "allow-duplicate-keys", false,
		"accept objects with duplicate keys; the last one counts")
	flags.BoolVar(&f.guard, "guard", false,
		"detect and keep versions that programs without the lock rename into place")
	flags.BoolVar(&f.allowNetwork, "allow-network", false,
		"accept file systems that are not known to be local, at your own risk")
}

// options returns the store options that the flags set.
func (f *commonFlags) options() (*store.Options, error) {
	opts := &store.Options{
		Locking:            f.locking,
		MaxSize:            f.maxSize,
		AllowDuplicateKeys: f.duplicates,
		AllowNetwork:       f.allowNetwork,
		GuardForeign:       f.guard,
		KeepLast:           f.keepLast,
		LockPath:           unshield(f.lockFile),
		LockWait:           f.wait,
		Retry:              store.Retry{MaxTries: f.tries},
		Logger:             slog.New(slog.DiscardHandler),
	}
	var err error
	if opts.Versions, err = choose("mode", f.mode,
		store.VersionHash, store.VersionMtime, store.VersionAuto); err != nil {
		return nil, err
	}
	if opts.Durability, err = choose("sync", f.sync,
		store.Durable, store.Ordered, store.Volatile); err != nil {
		return nil, err
	}
	if opts.FlushOrder, err = choose("flush", f.flush,
		store.AutoOrder, store.PortableOrder, store.JournalOrder); err != nil {
		return nil, err
	}
	if f.timeout < 0 || f.wait < 0 || f.tries < 0 || f.maxSize < 0 {
		return nil, usage("--timeout, --wait, --tries and --max-size take no negative value")
	}
	if f.noWait {
		if f.wait > 0 {
			return nil, usage("--wait and --no-wait contradict each other")
		}
		opts.LockWait = -1
	}
	if f.createMode != "" {
		mode, err := strconv.ParseUint(f.createMode, 8, 32)
		if err != nil || mode == 0 || mode > uint64(fs.ModePerm) {
			return nil, usage("--create-mode %s: want permissions in octal, as in 0644",
				f.createMode)
		}
		opts.Perm = fs.FileMode(mode)
	}
	return opts, nil
}

// choose returns the value whose String is name.
func choose[T fmt.Stringer](flag, name string, values ...T) (value T, err error) {
	var names []string
	for _, v := range values {
		if v.String() == name {
			return v, nil
		}
		names = append(names, v.String())
	}
	last := len(names) - 1
	return value, usage("--%s %s: want %s or %s",
		flag, name, strings.Join(names[:last], ", "), names[last])
}

// sizeLimit is the size limit of a document, and of standard input, in bytes.
func (f *commonFlags) sizeLimit() int64 {
	if f.maxSize > 0 {
		return f.maxSize
	}
	return store.DefaultMaxSize
}

// sizeOf is the size limit of several documents together. It leaves room for a multiple of it.
func (f *commonFlags) sizeOf(documents int) int64 {
	const most = math.MaxInt64 / 8
	n := int64(max(documents, 1))
	return min(f.sizeLimit(), most/n) * n
}
