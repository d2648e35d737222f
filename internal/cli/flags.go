// The flags that every verb has, and the options of the store that they stand for.

package cli

import (
	"fmt"
	"io/fs"
	"log/slog"
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
}

func (f *commonFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.mode, "mode", "hash",
		"what versions stand for: hash, mtime or auto; a `KIND`")
	flags.BoolVar(&f.locking, "locking", false,
		"hold the lock for the whole update, instead of only for the swap")
	flags.StringVar(&f.sync, "sync", "durable",
		"what to wait for: durable, ordered or volatile; a `LEVEL`")
	flags.StringVar(&f.flush, "flush", "auto",
		"flush sequence that makes a write durable: auto, portable or journal; an `ORDER`")
	flags.DurationVar(&f.timeout, "timeout", 0,
		"give up on a file after this `TIME`, as in 500ms or 10s")
	flags.IntVar(&f.tries, "tries", 0, "give up after `N` tries that ended in a conflict")
	flags.DurationVar(&f.wait, "wait", 0, "wait for the lock for this `TIME` at the most")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait for the lock")
	flags.StringVar(&f.lockFile, "lock-file", "",
		"lock `FILE`, which other programs lock already, instead of the document's own")
	flags.BoolVar(&f.json, "json", false, "print results and errors as JSON, one object a line")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no messages")
	flags.Int64Var(&f.maxSize, "max-size", 0, fmt.Sprintf(
		"refuse documents of more than `N` bytes (default %d MiB)", store.DefaultMaxSize>>20))
	flags.BoolVar(&f.duplicates, "allow-duplicate-keys", false,
		"accept objects in which a key stands twice; the last one counts")
	flags.BoolVar(&f.guard, "guard", false,
		"keep what a program that takes no lock renames into place meanwhile")
	flags.BoolVar(&f.allowNetwork, "allow-network", false,
		"accept file systems that are not known to be local, at your own risk")
}

// options are the store's.
func (f *commonFlags) options() (*store.Options, error) {
	opts := &store.Options{
		Locking:            f.locking,
		MaxSize:            f.maxSize,
		AllowDuplicateKeys: f.duplicates,
		AllowNetwork:       f.allowNetwork,
		GuardForeign:       f.guard,
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

// choose returns the one of the values that is called so.
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

// sizeLimit is the size of the largest document in bytes, or of what is read in its stead.
func (f *commonFlags) sizeLimit() int64 {
	if f.maxSize > 0 {
		return f.maxSize
	}
	return store.DefaultMaxSize
}
