// Recovery: whoever finds the intent of a transaction beside a document whose lock it has
// knows that the process of that transaction is dead, since a living one has the locks of all
// its documents to the end. So it is finished, if it was committed, or undone.
//
// That needs the locks of other documents too. They are taken when all locks were given back,
// in the global order; and since all may be different then, the intents are looked at again.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// acquire takes the lock of the document at path, beside which there is no intent of a
// transaction then.
func (d *fileDriver) acquire(ctx context.Context, path string, how locking) (*heldLock, error) {
	for {
		held, err := d.shared.locks.acquire(ctx, path, how)
		if err != nil || !held.blocked {
			return held, err
		}
		found, err := d.intentAt(path)
		if err == nil && !found.there {
			return held, nil // it is not believed, and hinders nobody
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

// recover finishes or undoes the transaction whose intent is beside the document at path. The
// caller has no lock. Wait is for how long it waits for locks, as in locking.
func (d *fileDriver) recover(ctx context.Context, path string, wait time.Duration) error {
	for {
		r := &recovery{d: d, path: path}
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

// recovery is that of one transaction.
type recovery struct {
	d    *fileDriver
	path string // of the document where it was met
	mine foundIntent

	home      string // of the home document; empty if there is no such transaction
	homes     foundIntent
	committed bool
	members   []string // with intents of this transaction; path and home too
	wanted    []*wantedLock
}

// look finds out what is to be locked; it reports false if there is no intent any longer.
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
	if in.Home != "" {
		if home, err = d.beside(r.path, in.Home); err != nil {
			return false, err
		}
	}
	if r.homes, err = d.intentAt(home); err != nil {
		return false, err
	}
	if !r.homes.isHomeOf(in.ID) {
		return true, nil
	}
	r.home, r.committed = home, r.homes.in.Committed
	r.want(home)
	for _, relative := range r.homes.in.Members {
		member, err := d.beside(home, relative)
		if err != nil {
			return false, err
		}
		// What has no intent of the transaction is done with: it gets no lock file either.
		found, err := d.intentAt(member)
		if err != nil {
			return false, err
		}
		if found.isOf(in.ID) {
			r.want(member)
		}
	}
	return true, nil
}

// want adds a document to those that are to be locked.
func (r *recovery) want(path string) {
	if slices.Contains(r.members, path) {
		return
	}
	r.members = append(r.members, path)
	d := r.d
	r.wanted = append(r.wanted, &wantedLock{d: d, table: d.sidecars(), path: path, order: path,
		how: locking{perm: d.opts.Perm, like: d.lockedInfo(path), guards: true}})
}

// isSame reports whether the intents are as they were when what to lock was found out.
func (r *recovery) isSame() (bool, error) {
	mine, err := r.d.intentAt(r.path)
	if err != nil || mine.raw != r.mine.raw || !mine.there {
		return false, err
	}
	if r.mine.in == nil || r.mine.in.Home == "" {
		return true, nil
	}
	home, err := r.d.beside(r.path, r.mine.in.Home)
	if err != nil {
		return false, err
	}
	homes, err := r.d.intentAt(home)
	return homes.there == r.homes.there && homes.raw == r.homes.raw, err
}

// settle finishes or undoes the transaction, under the locks.
func (r *recovery) settle() error {
	switch {
	case r.home == "":
		return r.undo(r.path, r.mine.in)
	case !r.committed:
		// The home last: without it nobody knows the rest.
		if r.path != r.home {
			if err := r.undo(r.path, r.mine.in); err != nil {
				return err
			}
		}
		return r.undo(r.home, r.homes.in)
	}
	return r.finish()
}

// undo removes what a transaction that was not committed has left beside a document. The
// staged file first: its name is in the intent.
func (r *recovery) undo(path string, in *intent) error {
	if in != nil {
		for _, digits := range []string{in.Staged, in.Commit} {
			if digits == "" {
				continue
			}
			if err := ignoreNotExist(r.d.files.Remove(names.Transaction(path,
				digits))); err != nil {
				return err
			}
		}
	}
	return ignoreNotExist(r.d.files.Remove(names.Intent(path)))
}

// finish publishes what is not yet published of a committed transaction.
func (r *recovery) finish() error {
	d := r.d
	dirs := map[string]bool{}
	for _, path := range r.members {
		dirs[filepath.Dir(path)] = true
	}
	portable, err := r.isPortable()
	if err != nil {
		return err
	}
	if portable {
		// The process may have died between its commit and the flush of that.
		if err := fsys.SyncDir(d.files, filepath.Dir(r.home)); err != nil {
			return fmt.Errorf("flush the directory: %w", err)
		}
	}
	for _, path := range r.members {
		found, err := d.intentAt(path)
		if err == nil && found.isOf(r.mine.in.ID) {
			err = d.publishStaged(path, found.in)
		}
		if err != nil {
			return err
		}
	}
	if portable {
		for dir := range dirs {
			if err := fsys.SyncDir(d.files, dir); err != nil {
				return fmt.Errorf("flush the directory: %w", err)
			}
		}
	}
	for _, path := range r.members {
		if path == r.home {
			continue
		}
		if found, err := d.intentAt(path); err != nil {
			return err
		} else if found.isOf(r.mine.in.ID) {
			if err := ignoreNotExist(d.files.Remove(names.Intent(path))); err != nil {
				return err
			}
		}
	}
	return ignoreNotExist(d.files.Remove(names.Intent(r.home)))
}

// isPortable reports whether the documents are not all on one file system with one journal.
func (r *recovery) isPortable() (bool, error) {
	d := r.d
	var dev uint64
	for i, path := range r.members {
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

// publishStaged does with a document what its intent says, if it still is the version that was
// to be replaced. What another program has put in its place stays.
func (d *fileDriver) publishStaged(path string, in *intent) error {
	ctx := context.Background()
	now, err := d.load(ctx, path, VersionHash)
	atOld := err == nil && now.identity() == in.Old
	if err == nil {
		defer now.close()
	} else if !errors.Is(err, fsys.ErrSymlink) { // which is not ours either
		return err
	}
	if in.Staged == "" {
		if !atOld {
			return nil
		}
		return ignoreNotExist(d.files.Remove(path))
	}
	staged, err := d.loadStaged(ctx, path, VersionHash, in)
	if err != nil || staged == nil {
		return err
	}
	defer staged.close()
	from := names.Transaction(path, in.Staged)
	if !atOld {
		return ignoreNotExist(d.files.Remove(from))
	}
	how := fsys.Replace
	if now.file == nil {
		how = fsys.NoReplace
	}
	err = d.files.Rename(from, path, how)
	if errors.Is(err, fs.ErrExist) { // another program has just made it
		err = d.files.Remove(from)
	}
	return err
}
