// The consistent read of all documents of a directory, for a snapshot.
//
// Each document is read, as a reader without its lock does. Then the directory is listed
// again, and each document is looked at again. If nothing has changed, all were so at one
// moment, as in a view (still.go). What has changed is read again, and the looks go on.
//
//	without locks       the documents are read, and looked at twice
//	some of the locks   of the documents that have changed meanwhile, if they are few
//	all of the locks    until nothing was created or deleted from one look to the next
//
// A document that was looked at under its lock stays as it is until the locks are released.
// Documents without a lock file have no writer of the store, and get none.
//
// A view keeps the files of its documents open. Of a directory that would be too many. A
// file that was old enough when it was read is closed: a later file with its inode number
// has another ctime.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	optimisticLooks = 3 // the first reads the documents
	someLocksLooks  = 2
	// allLocksLooks is larger than 2 because documents can be created beside locked ones.
	allLocksLooks = 10
	// manyMoves is how many documents change from one look to the next where to look again,
	// or to lock these, would be in vain.
	manyMoves = 64
)

// collector reads all documents of a directory.
type collector struct {
	ctx  context.Context
	db   *DB
	d    *fileDriver
	tx   *Tx                                                   // lists the keys
	keep func(e *collected, data []byte) (at int64, err error) // stores a content

	docs   map[string]*collected // by key
	looks  int                   // so far
	moved  int                   // documents that had changed in the last look
	locked []*wantedLock
	held   map[string]bool // the paths of documents whose locks are held
}

// collected is a document as a collector has read it last. It may be absent, if there is an
// intent that says so, or a link that leads nowhere.
type collected struct {
	key, path string
	s         *loaded // without its content
	exists    bool
	at        int64 // where keep has stored the content
	listed    int   // the look that listed it last
	moves     bool  // it has changed once when it was looked at
	pinned    bool  // its lock was held when it was read or looked at, and is still
}

// collect reads the documents. If the caller is done with them, it calls close.
func (c *collector) collect() error {
	c.tx = &Tx{t: &transaction{ctx: c.ctx, db: c.db, opts: c.db.opts, view: true}}
	c.docs = map[string]*collected{}
	defer c.unlock()
	start := time.Now()
	all := false
	for try := 1; ; try++ {
		looks := optimisticLooks
		switch {
		case all:
			looks = allLocksLooks
		case try > 1:
			looks = someLocksLooks
		}
		if try > 1 {
			c.db.stats.conflicts.Add(1)
			c.db.stats.escalations.Add(1)
			if err := c.lock(all); err != nil {
				return err
			}
		}
		for range looks {
			same, err := c.look()
			if same || err != nil {
				return err
			}
			if c.moved > manyMoves && !all {
				break
			}
		}
		all = try > 1 || c.moved > manyMoves
		c.unlock()
		retry := c.db.opts.Retry
		if retry.MaxTries > 0 && try >= retry.MaxTries ||
			retry.MaxElapsed > 0 && time.Since(start) >= retry.MaxElapsed {
			return &retryError{try, time.Since(start), fmt.Errorf("%w: documents change, or are "+
				"created and deleted, faster than they can be read", ErrConflict)}
		}
	}
}

// close closes the files that are open.
func (c *collector) close() {
	for _, e := range c.docs {
		e.s.close()
	}
}

// sorted returns the documents that were read, in the order of their keys.
func (c *collector) sorted() []*collected {
	return slices.SortedFunc(maps.Values(c.docs), func(a, b *collected) int {
		return cmp.Compare(a.key, b.key)
	})
}

// look lists the directory, and then looks at each document that was read before. It reads
// what is new and what has changed. Same reports that there was nothing of that.
func (c *collector) look() (same bool, err error) {
	if err := c.check(); err != nil {
		return false, err
	}
	c.looks, c.moved = c.looks+1, 0
	before := c.sorted()
	same = true
	know := func(key string) (*collected, error) {
		e := c.docs[key]
		if e != nil {
			return e, nil
		}
		same = false
		return c.read(key, false)
	}
	keys, moving, err := c.tx.list("", func(doc *Doc) (bool, error) {
		e, err := know(doc.key)
		if err != nil {
			return false, err
		}
		return e.exists, nil
	})
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		e, err := know(key)
		if err != nil {
			return false, err
		}
		e.listed = c.looks
	}
	same = same && !moving
	for i, e := range before {
		switch {
		case e.pinned:
			continue
		case e.isLoose() && e.listed != c.looks:
			delete(c.docs, e.key) // it is neither listed nor has an intent
			continue
		case i%64 == 0:
			if err := c.check(); err != nil {
				return false, err
			}
		}
		still, err := c.isStill(e)
		if err != nil {
			return false, c.db.Doc(e.key).error("verify", err)
		}
		if still {
			e.pinned = c.held[e.path]
			continue
		}
		same = false
		c.moved++
		if _, err := c.read(e.key, true); err != nil {
			return false, err
		}
	}
	return same, nil
}

// check is the error that ends a collection.
func (c *collector) check() error {
	switch {
	case c.db.closed.Load():
		return ErrClosed
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	}
	return nil
}

// isStill reports whether a document is as it was read.
func (c *collector) isStill(e *collected) (bool, error) {
	if e.exists && e.listed != c.looks {
		return false, nil
	}
	if e.path != c.d.path(e.key) { // through links, which may lead elsewhere by now
		path, err := c.follow(e.key)
		if err != nil || path != e.path {
			return false, err
		}
	}
	still, err := c.d.isStill(e.path, e.s)
	if still && err == nil && e.isLoose() && !c.held[e.path] {
		return c.d.wasNeverThere(e.path) // else it may have come and gone
	}
	return still, err
}

// isLoose is as for the documents of a view.
func (e *collected) isLoose() bool { return !e.exists && e.s.seen == nil }

// follow returns the path of a document's file.
func (c *collector) follow(key string) (at string, err error) {
	err = c.d.following(key, func(path string) error {
		at = path
		info, err := c.d.files.Lstat(path)
		if err == nil && info.Mode&fs.ModeSymlink != 0 {
			return fsys.ErrSymlink
		}
		return ignoreNotExist(err)
	})
	return at, err
}

// read reads a document.
func (c *collector) read(key string, moves bool) (*collected, error) {
	if before := c.docs[key]; before != nil {
		before.s.close()
	}
	e := &collected{key: key, moves: moves, listed: c.looks}
	now := c.d.files.Now()
	err := c.d.following(key, func(path string) (err error) {
		e.path = path
		e.s, _, err = c.d.see(c.ctx, path, VersionHash)
		return err
	})
	if err == nil {
		c.db.stats.reads.Add(1)
		if e.exists = !e.s.version.IsAbsent(); e.exists {
			e.at, err = c.keep(e, e.s.data)
		}
		e.s.data = nil
		switch {
		case err != nil:
			e.s.close()
		case e.s.seen == nil && isOfAge(e.s.info, now) &&
			c.d.changesShow(e.path, e.s.info.Dev, now):
			e.s.close()
			e.s.aged = true
		}
	}
	if errors.Is(err, syscall.EMFILE) {
		err = fmt.Errorf("%w; raise the limit of open files (ulimit -n)", err)
	}
	if err != nil {
		return nil, c.db.Doc(key).error("read", err)
	}
	e.pinned = c.held[e.path]
	c.docs[key] = e
	return e, nil
}

// lock takes the locks of the documents that have changed, or of all. While it holds one, it
// waits for the next only for a bounded time, as a transaction does (txlock.go).
func (c *collector) lock(all bool) error {
	var wanted []*wantedLock
	for _, e := range c.sorted() {
		if all || e.moves {
			wanted = append(wanted, c.wanted(e))
		}
	}
	slices.SortFunc(wanted, func(a, b *wantedLock) int { return cmp.Compare(a.order, b.order) })
	ctx, wait := c.ctx, c.db.opts.LockWait
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, errLockWait(wait))
		defer cancel()
	}
	for {
		stopped, err := c.lockInOrder(ctx, wanted, wait < 0)
		if err == nil {
			return nil
		}
		c.unlock()
		if errors.Is(err, errBounded) {
			if err = stopped.lock(ctx); err == nil {
				stopped.held.unlock()
				continue
			}
		}
		if errors.Is(err, syscall.EMFILE) {
			err = fmt.Errorf("%w; raise the limit of open files (ulimit -n): each lock is one",
				err)
		}
		return stopped.error(err)
	}
}

// wanted returns the lock of a document.
func (c *collector) wanted(e *collected) *wantedLock {
	order := e.path
	if !filepath.IsAbs(order) {
		order = filepath.Join(c.db.where, order)
	}
	how := locking{perm: c.d.opts.Perm, spin: c.d.spin(), guards: true}
	if e.exists {
		how.like = &e.s.info
	}
	return &wantedLock{d: c.d, table: &c.d.shared.locks, path: e.path, order: order, how: how,
		doc: c.db.Doc(e.key)}
}

// lockInOrder takes locks, and returns the first that it cannot take. Two documents may have
// one lock file, at two paths.
func (c *collector) lockInOrder(
	ctx context.Context, wanted []*wantedLock, atOnce bool,
) (stopped *wantedLock, err error) {
	type file struct{ dev, ino uint64 }
	taken := map[file]bool{}
	c.held = map[string]bool{}
	for _, w := range wanted {
		if c.held[w.path] {
			continue // two links lead to one document
		}
		info, err := c.d.files.Lstat(names.Lock(w.path))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no writer of the store, so far
		}
		if err == nil && taken[file{info.Dev, info.Ino}] {
			c.held[w.path] = true
			continue
		}
		switch {
		case atOnce:
			err = w.lockAtOnce(ctx)
		case len(c.locked) == 0:
			err = w.lock(ctx)
		default:
			err = w.lockBounded(ctx)
		}
		if err != nil {
			return w, err
		}
		c.locked = append(c.locked, w)
		c.held[w.path] = true
		taken[file{w.held.Named.Dev, w.held.Named.Ino}] = true
	}
	return nil, nil
}

// unlock releases the locks.
func (c *collector) unlock() {
	unlockAll(c.locked)
	c.locked, c.held = nil, nil
	for _, e := range c.docs {
		e.pinned = false
	}
}
