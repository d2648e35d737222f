// A handle on a journal: opening and closing it.

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/store"
)

// Journal is a handle on a journal, for several goroutines at once. Concurrent appends
// through one handle share a write and a flush: share the handle.
type Journal struct {
	files fsys.FS
	path  string // of the live file
	name  string // as it was opened
	opts  Options
	ext4  bool

	// turn holds a token while a goroutine may use the lock and the fields below it.
	turn   chan struct{}
	locks  filelock.Table[struct{}]
	lock   filelock.Held[struct{}] // valid while it is held
	live   liveFile
	last   int      // requests in the last batch
	mended []Repair // not reported yet
	// unflushed is the error of a failed flush of the directory.
	unflushed error

	mu     sync.Mutex
	queue  []*request
	closed bool // Close was called
	ended  bool // and has the turn, or has given it back
	tidies bool // a goroutine tidies

	// background runs a function on another goroutine; simulations run it at once.
	background func(func())
	simulated  bool // blocks in the kernel without a goroutine
	tidying    sync.WaitGroup
	ending     context.Context // ends when Close is called
	end        context.CancelFunc
}

// DirName is the name of the live file of a journal that is opened by its directory.
const DirName = "journal.jsonl"

// Open opens a journal by the path of its live file, or of its directory, which then has
// the live file DirName. The directory must exist; the journal need not. A symbolic link is
// followed once, now. Close the handle.
func Open(path string, opts *Options) (*Journal, error) {
	j, err := open(path, opts)
	if err != nil {
		return nil, &store.Error{Op: "open", Name: path, Err: err}
	}
	return j, nil
}

func open(path string, opts *Options) (*Journal, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, statErr := os.Stat(abs)
	if strings.HasSuffix(path, string(filepath.Separator)) || strings.HasSuffix(path, "/") ||
		statErr == nil && info.IsDir() {
		abs = filepath.Join(abs, DirName)
	}
	// The directory first: the live file need not exist.
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return nil, fmt.Errorf("no such directory; make it first: %w", err)
	}
	abs = filepath.Join(dir, filepath.Base(abs))
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		abs = target
	}
	base := filepath.Base(abs)
	if _, own := names.Own(base); own || len(base) > MaxName || strings.HasPrefix(base, ".") {
		return nil, fmt.Errorf("%w: a journal's name has at most %d bytes and begins with no dot",
			store.ErrKey, MaxName)
	}
	j, err := openFiles(fsys.New(), abs, opts)
	if err != nil {
		return nil, err
	}
	j.name = path
	return j, nil
}

// openFiles opens the journal with this live file.
func openFiles(files fsys.FS, path string, opts *Options) (*Journal, error) {
	full, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	network, err := files.Network(dir)
	if err == nil && network != "" && !full.AllowNetwork {
		return nil, fmt.Errorf("%w: it is on a network file system, or one that is not known "+
			"to be local (%s), where locks have not been proved; allow it with AllowNetwork at "+
			"your own risk, or use a local directory", store.ErrUnsupported, network)
	}
	kind, err := files.Type(dir)
	j := &Journal{files: files, path: path, name: path, opts: full,
		ext4: err == nil && kind == "ext4", turn: make(chan struct{}, 1)}
	j.ending, j.end = context.WithCancel(context.Background())
	j.background = func(f func()) { go f() }
	j.locks.Files, j.locks.Inherited = files, filelock.OfProcess()
	j.locks.Make = func(path string) (string, struct{}) { return path, struct{}{} }
	return j, nil
}

// Name returns the path as it was given to Open.
func (j *Journal) Name() string { return j.name }

// Path returns the path of the live file, absolute and without symbolic links.
func (j *Journal) Path() string { return j.path }

// Close closes the handle. Appends that are being written are finished first; those that
// wait, and later ones, fail with store.ErrClosed. If a segment is being compressed, it
// waits for that. A goroutine that waits in the kernel for the lock ends when the lock is
// free.
func (j *Journal) Close() error {
	j.mu.Lock()
	again := j.closed
	j.closed = true
	j.mu.Unlock()
	if again {
		return j.wrap("close", store.ErrClosed)
	}
	j.end()
	j.tidying.Wait()
	j.turn <- struct{}{}
	j.mu.Lock()
	j.ended = true
	j.mu.Unlock()
	j.dropQueue()
	j.forgetLive()
	j.locks.Close()
	<-j.turn
	return nil
}

// isClosed reports whether Close was called.
func (j *Journal) isClosed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

// take waits for the turn. It is given back by release.
func (j *Journal) take(ctx context.Context) error {
	select {
	case j.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	j.mu.Lock()
	ended := j.ended
	j.mu.Unlock()
	if ended {
		j.release()
		return store.ErrClosed
	}
	return nil
}

// release gives the turn to the next goroutine, and reports repairs.
func (j *Journal) release() {
	mended := j.mended
	j.mended = nil
	<-j.turn
	for _, r := range mended {
		j.opts.OnRepair(r)
	}
}

// exclusively calls do while no other goroutine or process appends or rotates. The end of
// either context ends the wait.
func (j *Journal) exclusively(ctx, ending context.Context, do func() error) error {
	if err := j.take(ctx); err != nil {
		return err
	}
	defer j.release()
	if err := j.acquire(ctx, ending); err != nil {
		return err
	}
	defer j.lock.Release()
	return do()
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
