// How a transaction is committed on files.
//
//	stage    write each new version to a temporary file, and what the intents will say to others;
//	         flush them
//	lock     lock all documents, in one order
//	verify   each still is the version that was read, else conflict
//	place    put the intents in place, the home's saying pending; and then change the time of
//	         the last change of each document, so that no reader believes what it has kept
//	commit   rename the committed intent of the home over the pending one. This is the
//	         linearization point
//	publish  rename each staged file over its document, or remove that
//	clear    remove the intents, the home's last
//	unlock
//
// Whoever dies before the commit leaves intents that mean nothing; after it, ones that anybody
// finishes. What is flushed when depends on the file system:
//
//   - in the portable order the directories are flushed after place, so that no commit is on the
//     device without its intents; that of the home after commit, so that no version is
//     published of which the commit is not there; and the others after publish, so that no
//     intent is gone whose version is not there;
//   - where one journal has all changes in their order, one flush after commit, of the intent's
//     file, makes all before it durable, and nothing after it needs one.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// commit is that of one try.
type commit struct {
	tx         *Tx
	id         string
	written    []*txDoc // in their order; the first is the home
	read       []*txDoc // the others
	committed  *staged  // the home's intent that says so, until it is in place
	order      FlushOrder
	durability Durability
	began      int64 // the clock, when the flushes began
	dirs       []*commitDir
	unknown    bool // nobody may undo or remove anything
}

// commitDir is a directory that is to be flushed.
type commitDir struct {
	name  string
	dir   fsys.Dir
	home  bool // it has the home document
	write bool // it, or one beneath it, has a document that is written
}

// commitFiles commits on files.
func (tx *Tx) commitFiles() error {
	c := &commit{tx: tx, durability: Volatile}
	for _, e := range tx.docs {
		if !e.loaded { // an earlier try has used it
			continue
		}
		c.durability = min(c.durability, e.a.d.opts.Durability)
		if e.changed() {
			c.written = append(c.written, e)
		} else {
			c.read = append(c.read, e)
		}
	}
	byOrder := func(a, b *txDoc) int { return cmp.Compare(a.order, b.order) }
	slices.SortFunc(c.written, byOrder)
	slices.SortFunc(c.read, byOrder)
	switch {
	case len(c.written)+len(c.read) == 0:
		return nil
	case len(c.written) == 1 && len(c.read) == 0:
		return tx.commitOne(c.written[0])
	}
	c.written = homeFirst(c.written)
	defer c.close()
	return c.run()
}

// commitOne is the compare-and-swap of one document.
func (tx *Tx) commitOne(e *txDoc) error {
	a, ctx := e.a, tx.t.ctx
	err := func() (err error) {
		if e.now.exists {
			if err := a.Stage(ctx, e.now.data); err != nil {
				return err
			}
		}
		if err := a.lockOnce(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		version := Absent
		if e.now.exists {
			version, err = a.Publish(ctx)
		} else {
			err = a.Delete(ctx)
		}
		if err != nil {
			return err
		}
		e.made(version)
		return a.Settle()
	}()
	return e.outcome(err)
}

// outcome gives an error the document's name; a conflict is for another try.
func (e *txDoc) outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrConflict):
		return &txConflict{e.doc.error("verify", err)}
	}
	return e.doc.error("write", err)
}

func (c *commit) run() error {
	ctx := c.tx.t.ctx
	c.began = c.tx.docs[0].a.d.files.Now()
	if err := c.chooseOrder(); err != nil {
		return err
	}
	if err := c.stage(ctx); err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	if err := c.verify(ctx); err != nil {
		return err
	}
	if len(c.written) == 0 {
		return c.confirm()
	}
	if err := c.place(); err != nil {
		c.undo()
		return err
	}
	if err := c.flushBefore(); err != nil {
		c.undo()
		return err
	}
	if ctx.Err() != nil {
		c.undo()
		return context.Cause(ctx)
	}
	if err := c.commitPoint(); err != nil {
		if !c.unknown {
			c.undo()
		}
		return err
	}
	// From here on nothing is taken back.
	err := c.flushCommit()
	c.publish()
	if err == nil {
		err = c.flushPublished()
	}
	c.clear()
	c.note(err)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// chooseOrder chooses the order of flushes, which is that for one journal if all documents are
// in one.
func (c *commit) chooseOrder() error {
	all := slices.Concat(c.written, c.read)
	for _, e := range all {
		if a := e.a; a.current.file == nil {
			if err := a.makeParents(); err != nil {
				return e.doc.error("write", err)
			}
			info, err := a.d.files.Lstat(filepath.Dir(a.path))
			if errors.Is(err, fs.ErrNotExist) {
				err = errNoDirectory(a.path, err)
			}
			if err != nil {
				return e.doc.error("write", err)
			}
			a.dev = info.Dev
		}
	}
	c.order = JournalOrder
	for _, e := range all {
		if a := e.a; a.dev != all[0].a.dev || a.d.flushOrder(a.path, a.dev) == PortableOrder {
			c.order = PortableOrder
		}
	}
	return nil
}

// lock takes the locks that are not held.
func (c *commit) lock() error {
	tx := c.tx
	var missing []*txDoc
	last := ""
	for _, e := range slices.Concat(c.written, c.read) {
		if e.a.held == nil {
			missing = append(missing, e)
		}
	}
	for _, e := range tx.docs {
		if e.a.held != nil {
			last = max(last, e.order)
		}
	}
	if last == "" {
		return tx.lock(missing)
	}
	slices.SortFunc(missing, func(a, b *txDoc) int { return cmp.Compare(a.order, b.order) })
	for _, e := range missing {
		if err := tx.lockMore(e, last); err != nil {
			return err
		}
		last = max(last, e.order)
	}
	return nil
}

// verify looks whether each document is the version that was read: the same file, too, since
// the intents name it.
func (c *commit) verify(ctx context.Context) error {
	for _, e := range slices.Concat(c.written, c.read) {
		now, err := e.verify(ctx)
		if err == nil && e.staged != nil {
			if e.a.current.file != nil {
				err = e.a.keepUp(e.staged, now)
			}
			if err == nil {
				err = e.isStaged()
			}
		}
		if err != nil {
			return e.outcome(err)
		}
	}
	return nil
}

// isStaged is a conflict if a program has taken away what is staged.
func (e *txDoc) isStaged() error {
	named, err := e.staged.isNamed()
	if err != nil {
		return fmt.Errorf("look at the temporary file: %w", err)
	}
	if !named {
		return e.a.conflict(e.a.current.version)
	}
	return nil
}

func (e *txDoc) verify(ctx context.Context) (fsys.Info, error) {
	a := e.a
	now, err := a.d.files.Lstat(a.path)
	read := a.current
	if err == nil && read.file != nil && now.SameFile(read.info) && now.Mtime == read.info.Mtime &&
		now.Size == read.info.Size {
		same, err := a.unchanged(now)
		if err == nil && !same {
			err = a.conflict(read.version)
		}
		return now, err
	}
	if errors.Is(err, fs.ErrNotExist) && read.file == nil {
		return now, nil
	}
	if now, err = a.verify(ctx); err == nil {
		err = a.conflict(read.version) // the same content in another file
	}
	return now, err
}

// close closes what is open. What was not committed goes with its documents (txDoc.close).
func (c *commit) close() {
	for _, e := range c.written {
		for _, s := range []*staged{e.staged, e.intent} {
			if s != nil && (c.unknown || e.left) {
				s.keep = true
			}
		}
	}
	if c.committed != nil {
		c.committed.keep = c.unknown
		c.committed.discard()
	}
	for _, d := range c.dirs {
		_ = d.dir.Close() // nothing was written by it
	}
}
