// The flags that every verb has, and the document that they open.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
}

func (f *commonFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.mode, "mode", "hash", "what versions stand for: hash, mtime or auto; a `KIND`")
	flags.BoolVar(&f.locking, "locking", false, "hold the lock for the whole update, instead of only for the swap")
	flags.StringVar(&f.sync, "sync", "durable", "what to wait for: durable, ordered or volatile; a `LEVEL`")
	flags.StringVar(&f.flush, "flush", "auto", "by which flushes a write becomes durable: auto, portable or journal; an `ORDER`")
	flags.DurationVar(&f.timeout, "timeout", 0, "give up on a file after this `TIME`, as in 500ms or 10s")
	flags.IntVar(&f.tries, "tries", 0, "give up after `N` tries that ended in a conflict")
	flags.DurationVar(&f.wait, "wait", 0, "wait for the lock for this `TIME` at the most")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait for the lock")
	flags.BoolVar(&f.json, "json", false, "print results and errors as JSON, one object a line")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no messages")
	flags.Int64Var(&f.maxSize, "max-size", 0, "refuse documents of more than `N` bytes (default 64 MiB)")
	flags.BoolVar(&f.duplicates, "allow-duplicate-keys", false, "accept objects in which a key stands twice; the last one counts")
	flags.BoolVar(&f.guard, "guard", false, "keep what a program that takes no lock renames into place meanwhile")
	flags.BoolVar(&f.allowNetwork, "allow-network", false, "accept file systems that are not known to be local, at your own risk")
}

func (f *commonFlags) options() (*store.Options, error) {
	opts := &store.Options{
		Locking:            f.locking,
		MaxSize:            f.maxSize,
		AllowDuplicateKeys: f.duplicates,
		AllowNetwork:       f.allowNetwork,
		GuardForeign:       f.guard,
		LockWait:           f.wait,
		Retry:              store.Retry{MaxTries: f.tries},
		Logger:             slog.New(slog.DiscardHandler),
	}
	switch f.mode {
	case "hash":
	case "mtime":
		opts.Versions = store.VersionMtime
	case "auto":
		opts.Versions = store.VersionAuto
	default:
		return nil, usage("--mode %s: want hash, mtime or auto", f.mode)
	}
	switch f.sync {
	case "durable":
	case "ordered":
		opts.Durability = store.Ordered
	case "volatile":
		opts.Durability = store.Volatile
	default:
		return nil, usage("--sync %s: want durable, ordered or volatile", f.sync)
	}
	switch f.flush {
	case "auto":
	case "portable":
		opts.FlushOrder = store.PortableOrder
	case "journal":
		opts.FlushOrder = store.JournalOrder
	default:
		return nil, usage("--flush %s: want auto, portable or journal", f.flush)
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
	return opts, nil
}

// context ends when --timeout says so.
func (a *app) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.flags.timeout > 0 {
		return context.WithTimeout(ctx, a.flags.timeout)
	}
	return context.WithCancel(ctx)
}

// sizeLimit is the size of the largest document in bytes, or of what is read in its stead.
func (f *commonFlags) sizeLimit() int64 {
	if f.maxSize > 0 {
		return f.maxSize
	}
	return 64 << 20 // the default of store.Options
}

// with opens the document in a file and does something with it. What goes wrong is told and makes the
// exit code.
func (a *app) with(ctx context.Context, file string, do func(ctx context.Context, doc *store.Doc) error) error {
	file = unshield(file)
	opts, err := a.flags.options()
	if err != nil {
		return err
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	doc, err := store.OpenFile(file, opts)
	if err == nil {
		err = do(ctx, doc)
		var output *outputError
		if errors.As(err, &output) {
			output.published = doc.Stats().Writes > 0
		}
		doc.Close()
	}
	if err != nil {
		a.fail(file, err)
	}
	return nil
}

// each is with for one file, or for several if --each says that they are no transaction.
func (a *app) each(ctx context.Context, files []string, each bool, do func(ctx context.Context, doc *store.Doc) error) error {
	if len(files) > 1 && !each {
		return usage("several files are changed one by one, not all or none: say --each if that is meant")
	}
	for _, file := range files {
		if err := a.with(ctx, file, do); err != nil {
			return err
		}
		if ctx.Err() != nil || a.unheard {
			break // who stopped us, or stopped listening, does not want the others changed
		}
	}
	return nil
}

// value is the JSON value of an argument; - reads it from standard input.
func (a *app) value(ctx context.Context, arg string, asString bool) ([]byte, error) {
	arg = unshield(arg)
	data := []byte(arg)
	if arg == "-" {
		var err error
		if data, err = a.input(ctx); err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		if asString {
			data = []byte(strings.TrimSuffix(string(data), "\n"))
		}
	}
	if asString {
		return quote(string(data)), nil
	}
	return data, nil
}

// input reads standard input to its end. Nothing can interrupt the read itself, so that it is left
// behind when the context ends first.
func (a *app) input(ctx context.Context) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	limit := a.flags.sizeLimit()
	read := make(chan content, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(a.stdin, limit+1))
		read <- content{data, err}
	}()
	select {
	case got := <-read:
		if got.err == nil && int64(len(got.data)) > limit {
			return nil, fmt.Errorf("%w: more than %d bytes; allow more by --max-size", store.ErrTooLarge, limit)
		}
		return got.data, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
