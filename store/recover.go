// Recovery: a writer that finds the intent of a dead transaction finishes or undoes it.
//
// A process holds the locks of all documents of its transaction until it has removed
// the intents, or left them for good. So a writer that holds the lock of a document and
// finds an intent beside it knows that the process is dead, or has given up.
//
// Recovery needs the locks of the other documents too. To take them in the global order
// the writer first releases its own. So others may recover meanwhile, and new
// transactions may begin: under the locks the intents are read again.
//
//	look     find the documents to lock, without a lock
//	lock     them
//	look     whether the intents are the same, else begin again
//	finish   if the home's intent is committed: publish, and remove the intents
//	undo     otherwise: remove what is staged, and the intents
//	unlock

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// acquire takes the lock of the document at path, and recovers a dead transaction
// first. The caller holds no other lock.
func (d *fileDriver) acquire(ctx context.Context, path string, how locking) (*heldLock, error) {
	for {
		held, err := d.shared.locks.acquire(ctx, path, how)
		if err != nil || !held.blocked {
			return held, err
		}
		found, err := d.intentAt(path)
		if err == nil && !found.there {
			return held, nil // a file that is not believed hinders nobody
		}
		held.unlock()
		if err != nil {
			return nil, err
		}
		if err := d.recover(ctx, path, how.wait); err != nil {
			return nil, err
		}
	}
}

// recover finishes or undoes the transaction whose intent is beside the document at
// path. The caller holds no lock. Wait limits the wait for locks, as in locking.
func (d *fileDriver) recover(ctx context.Context, path string, wait time.Duration) error {
	dir, err := d.resolve(filepath.Dir(path))
	if err != nil {
		return err
	}
	path = filepath.Join(dir, filepath.Base(path)) // as the others name it
	opts := *d.opts
	opts.MaxSize = math.MaxInt64 - 1 // the limit is for documents that the caller reads
	for {
		r := &recovery{d: d.with(&opts), path: path}
		found, err := r.look()
		if err != nil || !found {
			return err
		}
		if err := lockAll(ctx, r.wanted, wait); err != nil {
			return fmt.Errorf("finish a transaction that died: %w", err)
		}
		same, err := r.isSame()
		if same && err == nil {
			err = r.settle()
		}
		unlockAll(r.wanted)
		if err != nil {
			return fmt.Errorf("finish a transaction that died: %w", err)
		}
		if same {
			return nil
		}
	}
}

// recovery is the recovery of one transaction.
type recovery struct {
	d    *fileDriver
	path string // of the document where the intent was found
	mine foundIntent

	home      string // the path of the home document; empty if there is no such transaction
	homes     foundIntent
	committed bool
	documents []string // to be locked: path, home, and members with an intent of it
	wanted    []*wantedLock
}

// look finds the documents to be locked. It reports false if the intent is gone.
func (r *recovery) look() (found bool, err error) {
	d := r.d
	if r.mine, err = d.intentAt(r.path); err != nil || !r.mine.there {
		return false, err
	}
	r.want(r.path)
	in := r.mine.in
	if in == nil {
		return true, nil
	}
	home := r.path
	r.homes = r.mine
	if in.home != "" {
		if home, r.homes, err = d.homeOf(r.path, in); err != nil {
			return false, err
		}
	}
	if _, of := in.changeIn(r.homes.in); !of || !r.homes.isHomeOf(in.id) {
		return true, nil
	}
	r.home, r.committed = home, r.homes.in.committed
	r.want(home)
	for i := range r.homes.in.changes {
		if i == 0 || !r.committed {
			continue // who meets another member of a pending one undoes that
		}
		member, has, err := d.memberOf(home, r.homes.in, i)
		if err != nil {
			return false, err
		}
		if has {
			r.want(member)
		}
	}
	return true, nil
}

// want adds a document to those to be locked.
func (r *recovery) want(path string) {
	if slices.Contains(r.documents, path) {
		return
	}
	r.documents = append(r.documents, path)
	d := r.d
	r.wanted = append(r.wanted, &wantedLock{d: d, table: d.sidecars(), path: path, order: path,
		how: locking{perm: d.opts.Perm, like: d.lockedInfo(path), guards: true}})
}

// isSame reports whether the intents are still the ones that look has found.
func (r *recovery) isSame() (bool, error) {
	mine, err := r.d.intentAt(r.path)
	if err != nil || mine.raw != r.mine.raw || !mine.there {
		return false, err
	}
	if r.mine.in == nil || r.mine.in.home == "" {
		return true, nil
	}
	_, homes, err := r.d.homeOf(r.path, r.mine.in)
	return homes.there == r.homes.there && homes.raw == r.homes.raw, err
}

// settle finishes or undoes the transaction. The caller holds the locks.
func (r *recovery) settle() error {
	switch {
	case r.home == "":
		return r.undo(r.path, r.mine.in)
	case !r.committed:
		// The writers of the other documents find no home, and undo those.
		if r.path != r.home {
			if err := r.undo(r.path, r.mine.in); err != nil {
				return err
			}
		}
		return r.undo(r.home, r.homes.in)
	}
	return r.finish()
}

// undo removes the files of a transaction that was not committed. The intent is last,
// since it says how the other is named. In is nil if the intent is torn.
func (r *recovery) undo(path string, in *intent) error {
	if in != nil {
		if err := r.d.removeNamed(path, names.Transaction(path, in.id)); err != nil {
			return err
		}
	}
	return ignoreNotExist(r.d.files.Remove(names.Intent(path)))
}

// finish publishes the documents of a committed transaction that are not yet published,
// and removes the intents, the home's last. The flushes are those of a commit in the
// portable order (txflush.go), without that of the directories where one journal has all.
func (r *recovery) finish() error {
	d := r.d
	portable, err := r.isPortable()
	if err != nil {
		return err
	}
	// The process may have died before it flushed the commit. It may have been in the
	// portable order where this one is not, and then the content is not flushed either.
	if err := d.flushFile(names.Intent(r.home)); err != nil {
		return fmt.Errorf("flush the intent of a transaction: %w", err)
	}
	dirs := map[string]bool{}
	err = r.each(func(path string, c change) error {
		dirs[filepath.Dir(path)] = true
		return d.finishDocument(path, r.mine.in.id, c)
	})
	if err != nil {
		return err
	}
	if portable {
		for dir := range dirs {
			if err := fsys.SyncDir(d.files, dir); err != nil {
				return fmt.Errorf("flush the directory: %w", err)
			}
		}
	}
	err = r.each(func(path string, c change) error {
		if err := d.removeStaged(path, r.mine.in.id, c); err != nil || path == r.home {
			return err
		}
		return ignoreNotExist(d.files.Remove(names.Intent(path)))
	})
	if err != nil {
		return err
	}
	return ignoreNotExist(d.files.Remove(names.Intent(r.home)))
}

// each calls do with the documents that have an intent of the transaction.
func (r *recovery) each(do func(path string, c change) error) error {
	for _, path := range r.documents {
		found, err := r.d.intentAt(path)
		if err == nil && found.in != nil {
			if c, of := found.in.changeIn(r.homes.in); of {
				err = do(path, c)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isPortable reports whether the documents are not all in one journal.
func (r *recovery) isPortable() (bool, error) {
	d := r.d
	var dev uint64
	for i, path := range r.documents {
		info, err := d.files.Lstat(filepath.Dir(path))
		if err != nil {
			return false, err
		}
		if i > 0 && info.Dev != dev || d.flushOrder(path, info.Dev) == PortableOrder {
			return true, nil
		}
		dev = info.Dev
	}
	return false, nil
}

// finishDocument does what a committed transaction says, if the document still has the old
// version. A version that another program has put in place stays. The caller holds the
// lock.
func (d *fileDriver) finishDocument(path, id string, c change) error {
	now := identity{}
	info, err := d.files.Lstat(path)
	switch {
	case ignoreNotExist(err) != nil:
		return err
	case err == nil && !info.Mode.IsRegular():
		return nil // another program has made it
	case err == nil:
		now = identityOf(info)
	}
	if now != c.Old {
		return nil
	}
	if err := d.keepFinished(path, id, c); err != nil {
		return err
	}
	if !c.deletes() {
		return d.publishStaged(path, id, c)
	}
	if c.Guarded != "" {
		return d.files.Rename(path, names.Guarded(path, c.Guarded), fsys.Replace)
	}
	return ignoreNotExist(d.removeDocument(path))
}

// publishStaged renames the staged file of a committed transaction over the document,
// which has the old version. If the file is gone, another program has put the old version
// back.
func (d *fileDriver) publishStaged(path, id string, c change) error {
	name := names.Transaction(path, id)
	staged, err := d.files.Lstat(name)
	if err != nil {
		return ignoreNotExist(err)
	}
	if ok, err := d.believes(path, staged, 0); err != nil || !ok || identityOf(staged) != c.New {
		return err
	}
	how := fsys.Replace
	switch {
	case c.Old == identity{}:
		how = fsys.NoReplace
	case c.Guarded != "":
		how = fsys.Exchange
	}
	err = d.files.Rename(name, path, how)
	if errors.Is(err, fs.ErrExist) { // another program has just created it
		return nil
	}
	return err
}

// removeStaged removes the staged file and the version that a guard has displaced, after
// the document was published and flushed. The order matters: a power cut could undo the
// publish, and not the removal.
//
// A displaced version that is not the old one is another program's. It is put back if
// the new version is still in place. Otherwise it keeps the guarded name, which no sweep
// removes.
func (d *fileDriver) removeStaged(path, id string, c change) error {
	staged := names.Transaction(path, id)
	if c.Guarded == "" {
		if c.deletes() {
			return nil
		}
		return d.removeNamed(path, staged)
	}
	guarded := names.Guarded(path, c.Guarded)
	if !c.deletes() {
		// After an exchange the displaced version has the name of the staged one.
		ok, err := d.believesNamed(path, staged)
		if ok {
			err = ignoreNotExist(d.files.Rename(staged, guarded, fsys.NoReplace))
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	o := orphanage{d: d, remove: true, locked: path}
	_, err := o.take(guarded, path, c.Guarded)
	if errors.Is(err, errNotBelieved) {
		return nil
	}
	return err
}

// flushFile flushes a file.
func (d *fileDriver) flushFile(name string) error {
	file, err := d.files.Open(name, fsys.OpenExisting, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

// removeNamed removes a file that the intent beside the document at path names. A file
// that is not believed stays: another user may have made it since.
func (d *fileDriver) removeNamed(path, name string) error {
	if ok, err := d.believesNamed(path, name); err != nil || !ok {
		return err
	}
	return ignoreNotExist(d.files.Remove(name))
}

// believesNamed reports whether the file exists, and is believed.
func (d *fileDriver) believesNamed(path, name string) (bool, error) {
	info, err := d.files.Lstat(name)
	if err != nil {
		return false, ignoreNotExist(err)
	}
	return d.believes(path, info, 0)
}
