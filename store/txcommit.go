// The commit of a transaction on files.
//
//	stage    write each new version to a temporary file
//	lock     lock all documents, in one order
//	verify   each document still has the version that was read, else conflict
//	probe    what would make publish fail is an error here
//	place    put the intents in place, the home's is pending; then change the ctime of
//	         each document, so that no reader relies on a version that it has kept
//	flush    the new versions, the home's intent, and what was read
//	look     each document still is the file that is to be replaced, else conflict
//	commit   the home's intent grows by a byte. This is the linearization point
//	publish  rename each staged file over its document, or remove the document
//	clear    remove the intents, the home's last
//	unlock
//	flush    the commit
//
// This is the order for one journal. In the portable order the new versions are flushed
// before lock, the commit before publish, and the documents' names before clear.
//
// An error before commit undoes the transaction: the intents are removed. A process that
// dies there leaves intents that mean nothing. After commit nothing is undone. A process
// that dies there, or cannot flush or publish, leaves the intents, and the next writer
// of a document finishes the transaction (recover.go). Until then readers read through
// the intents (see.go). txflush.go says why each flush is needed.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// commit is the commit of one try.
type commit struct {
	tx         *Tx
	id         string   // of the transaction: TransactionDigits random digits
	written    []*txDoc // in the order of locks; the first is the home
	read       []*txDoc // the others
	text       []byte   // of the home's intent, while it is pending
	home       *staged  // the file of the home's intent, once it is made
	placed     bool     // intents may be in place
	order      FlushOrder
	durability Durability
	began      int64        // nanoseconds since 1970, before the first flush
	dirs       []*commitDir // to be flushed; open until the end
	flushed    []*txDoc     // of read: those whose file or name this commit flushes
	unknown    bool         // the outcome is unknown: no file may be removed
}

// commitDir is a directory to be flushed.
type commitDir struct {
	name  string // its absolute path
	dir   fsys.Dir
	write bool // it has a written document, in it or beneath it
}

// commitFiles commits the transaction on files.
func (tx *Tx) commitFiles() error {
	c := &commit{tx: tx, durability: Volatile}
	for _, e := range tx.docs {
		if !e.loaded { // only an earlier try has used it
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
	case runtime.GOOS == "windows" && len(c.written) > 0:
		return fmt.Errorf("%w: a transaction that writes and has several documents, on Windows: "+
			"an intent that is open cannot be replaced there", ErrUnsupported)
	}
	c.written = homeFirst(c.written)
	for _, e := range c.written {
		if opts := *e.a.d.opts; opts.Durability != c.durability {
			opts.Durability = c.durability
			e.a.d = e.a.d.with(&opts)
		}
	}
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

// outcome gives an error the document's name. A conflict becomes a *txConflict.
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
	if err := c.probe(); err != nil {
		return err
	}
	if err := c.prepare(ctx); err != nil {
		c.undo()
		return err
	}
	if err := c.commitPoint(); err != nil {
		if !c.unknown {
			c.undo()
		}
		return err
	}
	return c.finish()
}

// prepare does the steps from place to commit.
func (c *commit) prepare(ctx context.Context) error {
	if err := c.place(); err != nil {
		return err
	}
	if err := c.flushBefore(); err != nil {
		c.noteRead(err)
		return err
	}
	for _, e := range c.written {
		if err := e.isUnmoved(); err != nil {
			return e.outcome(err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// isUnmoved is a conflict if the document is not the file any more that the intents name: it
// would not be published. A program may have replaced it since verify, which was before the
// flushes. A file of the lower layer of an overlay may have got another inode number when its
// ctime was changed, which copies it.
func (e *txDoc) isUnmoved() error {
	now, err := e.a.d.files.Lstat(e.a.path)
	if ignoreNotExist(err) != nil {
		return err
	}
	if !e.a.current.isAt(now, err == nil) {
		return e.a.conflict(e.a.current.version)
	}
	return nil
}

// finish does the steps after commit. After a flush that failed before clear nothing more
// may change: a version could outlive a power cut that undoes the commit, or an intent
// could be gone whose version is lost. The intents stay, for the next writer.
func (c *commit) finish() error {
	c.setVersions()
	err := c.flushCommit()
	if err == nil {
		c.publish()
		err = c.flushPublished()
	}
	if err == nil {
		c.clear()
		c.release()
		err = c.flushAll()
	} else {
		c.leave()
	}
	c.noteRead(err)
	c.noteWritten(err)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// release releases the locks of the documents, and of what was staged for them.
func (c *commit) release() {
	for _, e := range slices.Concat(c.written, c.read) {
		e.a.release()
		if e.staged != nil && e.staged.keep {
			e.discard()
		}
	}
}

// chooseOrder describes the directories of the documents, and chooses the order of
// flushes: JournalOrder only if all documents are in one journal.
func (c *commit) chooseOrder() error {
	all := slices.Concat(c.written, c.read)
	for _, e := range all {
		if err := c.findDir(e); err != nil {
			return e.doc.error("write", err)
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

// findDir describes the directory of a document. If the transaction writes, it makes the
// directory: an absent document that was read is locked, so that it stays absent.
func (c *commit) findDir(e *txDoc) (err error) {
	a, absent := e.a, e.a.current.version.IsAbsent()
	if absent && len(c.written) > 0 {
		if err := a.makeParents(); err != nil {
			return err
		}
	}
	if !absent && !e.changed() {
		return nil // it is not needed
	}
	if e.dir, err = c.lstatDir(e); err == nil && absent {
		a.dev = e.dir.Dev
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(c.written) == 0:
		a.unlocked = true // as is the document
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return errNoDirectory(a.path, err)
	case err != nil:
		return err
	}
	if e.changed() && a.d.losesInodes(a.path, a.dev) {
		return fmt.Errorf("%w: a transaction that writes to a FAT file system: it does not keep "+
			"inode numbers, by which a transaction of a dead process is finished; change the "+
			"documents one by one, or move them", ErrUnsupported)
	}
	return nil
}

// lstatDir describes the directory of a document, each directory once.
func (c *commit) lstatDir(e *txDoc) (fsys.Info, error) {
	dir := filepath.Dir(e.where)
	for _, other := range c.written {
		if other.dir.Ino != 0 && filepath.Dir(other.where) == dir {
			return other.dir, nil
		}
	}
	return e.a.d.files.Lstat(filepath.Dir(e.a.path))
}

// verify checks that each document still is the version that was read. The file must be
// the same too, since the intents have its inode number.
func (c *commit) verify(ctx context.Context) error {
	for _, e := range slices.Concat(c.written, c.read) {
		now, err := e.verify(ctx)
		if err == nil && e.staged != nil {
			if !e.a.current.version.IsAbsent() {
				err = e.a.keepUp(e.staged, now)
			}
			if err == nil {
				err = e.a.isReady(e.staged)
			}
		}
		if err == nil && e.changed() {
			e.a.past.file = now
			err = e.a.look(c.id)
		}
		if err != nil {
			return e.outcome(err)
		}
	}
	return nil
}

// verify checks one document, and returns the current info of its file.
func (e *txDoc) verify(ctx context.Context) (fsys.Info, error) {
	a := e.a
	if a.unlocked {
		return fsys.Info{}, e.stillWithout()
	}
	now, mounted, err := a.d.files.LstatMount(a.path)
	e.mounted = mounted
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.current.version.IsAbsent():
		return now, nil
	case err == nil && a.current.isAt(now, true) && a.current.file != nil:
		same, err := a.unchanged(now)
		if err == nil && !same {
			err = a.conflict(a.current.version)
		}
		return now, err
	case err == nil && a.current.isAt(now, true): // and closed
		return a.verify(ctx)
	}
	if now, err = a.verify(ctx); err == nil {
		err = a.conflict(a.current.version) // the same content in another file
	}
	return now, err
}

// stillWithout checks that the directory of an absent document does not exist. The
// locks of the other documents are held: so all of what was read holds at this moment.
func (e *txDoc) stillWithout() error {
	_, err := e.a.d.files.Lstat(filepath.Dir(e.a.path))
	if err == nil {
		return e.a.conflict(Absent) // the document may exist too
	}
	return ignoreNotExist(err)
}

// close closes the files of the commit. The temporary files are removed with their
// documents (txDoc.close), unless they have to stay.
func (c *commit) close() {
	for _, e := range c.written {
		if e.staged != nil && (c.unknown || e.left) {
			e.staged.keep = true
		}
	}
	if c.home != nil {
		c.home.discard()
	}
	for _, d := range c.dirs {
		_ = d.dir.Close() // nothing was written through it
	}
}
