// The sweep: temporary files that dead processes left beside a document are removed, and what
// a dead guard left is put right.
//
// No update reads the directory to find them. A writer stages in one of a few places, so a
// later one looks at these: at its first update of a document, and now and then again. What
// a guard leaves is named by an intent, which every writer meets under the lock. What
// has any other name, after the row was full, is found by those who read the
// directory: Sweep, check and doctor.

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	// sweepEvery is after how many updates of a document its row is looked at again.
	sweepEvery = 64
	// maxRows is of how many documents that is known.
	maxRows = 4096
)

// rows say when this handle looks along a document's row again.
type rows struct {
	mu   sync.Mutex
	wait map[string]int // updates until then, by the document's path
}

// due reports whether it is to be looked at, by one who does so at once.
func (r *rows) due(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := r.wait[path]
	if wait > 0 {
		r.wait[path] = wait - 1
		return false
	}
	if r.wait == nil || len(r.wait) >= maxRows {
		r.wait = map[string]int{}
	}
	r.wait[path] = sweepEvery - 1
	return true
}

// sweep removes the temporary files of dead processes in the document's row. A file that
// cannot be removed is left for the next sweep: it harms nobody.
func (d *fileDriver) sweep(path string) {
	o := orphanage{d: d, remove: true}
	for place := range names.Places {
		name := names.Place(path, place)
		if info, err := d.files.Lstat(name); err == nil && info.Mode.IsRegular() {
			_, _ = o.take(name, path, "")
		}
	}
}

// orphanage finds temporary files whose owner is dead.
type orphanage struct {
	d      *fileDriver
	remove bool
	locked string // the path of the document whose lock the caller holds, else empty

	orphans []string // the names of those that were found, and removed if that is wanted
	left    []string // of what is left alone: not to be looked at, to be removed, or believed
}

// find looks for what dead processes have left of the document base in a directory, under
// whatever name.
func (o *orphanage) find(dir, base string) error {
	entries, err := o.d.files.ReadDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		o.findKnown(filepath.Join(dir, base))
		return nil
	}
	if err != nil {
		return err
	}
	intent := filepath.Base(names.Intent(base))
	for _, entry := range entries {
		path, kind := filepath.Join(dir, entry.Name), entry.Type.Type()
		digits, temporary := names.TemporaryOf(base, entry.Name)
		orphaned, err := false, errNotBelieved
		switch {
		case !temporary && entry.Name != intent:
			continue
		case temporary && kind == 0:
			orphaned, err = o.take(path, filepath.Join(dir, base), digits)
		case !temporary && kind == fs.ModeSymlink:
			orphaned, err = o.takeIntent(filepath.Join(dir, base))
		}
		o.note(entry.Name, orphaned, err)
	}
	return nil
}

// note notes what was found out of a file.
func (o *orphanage) note(name string, orphaned bool, err error) {
	switch {
	case err != nil:
		o.left = append(o.left, name)
	case orphaned:
		o.orphans = append(o.orphans, name)
	}
}

// findKnown is find where this user may not list the directory: it looks at the names that
// are known, of the row and of the intent.
func (o *orphanage) findKnown(document string) {
	for place := range names.Places {
		path := names.Place(document, place)
		if info, err := o.d.files.Lstat(path); err == nil && info.Mode.IsRegular() {
			orphaned, err := o.take(path, document, "")
			o.note(filepath.Base(path), orphaned, err)
		}
	}
	intent := names.Intent(document)
	if info, err := o.d.files.Lstat(intent); err == nil && info.Mode&fs.ModeSymlink != 0 {
		orphaned, err := o.takeIntent(document)
		o.note(filepath.Base(intent), orphaned, err)
	}
}

// take reports whether a temporary file of the document has lost its owner, and removes it
// then if that is wanted. Who stages has its file locked, and a guard the document.
func (o *orphanage) take(path, document, digits string) (bool, error) {
	file, err := o.d.files.Open(path, fsys.OpenExisting, 0)
	if err != nil {
		return false, ignoreNotExist(err)
	}
	defer file.Close()
	guarded := len(digits) == names.GuardedDigits
	if !guarded {
		if locked, err := file.TryLock(); err != nil || !locked {
			return false, err
		}
	}
	if guarded {
		// It may be what a guard has displaced, which is not locked: but its document is.
		unlock, err := o.lock(document)
		if err != nil {
			return false, ignoreLocked(err)
		}
		defer unlock()
	}
	// Its owner may have published it before we had the lock: then the name is gone.
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	named, err := o.d.files.Lstat(path)
	if err != nil || !named.SameFile(opened) {
		return false, ignoreNotExist(err)
	}
	if guarded {
		if ok, err := o.d.believes(document, opened, 0); err != nil || !ok {
			return false, errors.Join(err, errNotBelieved)
		}
	}
	if !guarded && o.isEmpty(document) {
		return false, errNotBelieved // but it may have what was in the document
	}
	switch {
	case !o.remove:
		return true, nil
	case guarded:
		return o.d.settleGuarded(context.Background(), path, document, parseGuarded(digits))
	}
	if err := o.d.files.Remove(path); err != nil {
		return false, ignoreNotExist(err)
	}
	return true, nil
}

// isEmpty reports whether the document is a file without content. A power cut may have left
// that, and its content in a temporary file.
func (o *orphanage) isEmpty(document string) bool {
	info, err := o.d.files.Lstat(document)
	return err == nil && info.Mode.IsRegular() && info.Size == 0
}

// lock takes the lock of the document, unless the caller of all this has it.
func (o *orphanage) lock(document string) (unlock func(), err error) {
	if document == o.locked {
		return func() {}, nil
	}
	like, err := o.d.lockLike(document)
	if err != nil {
		return nil, err
	}
	how := locking{perm: o.d.opts.Perm, like: like, wait: -1}
	held, err := o.d.shared.locks.acquire(context.Background(), document, how)
	if err != nil {
		return nil, err
	}
	return held.unlock, nil
}

func ignoreLocked(err error) error {
	if errors.Is(err, ErrLocked) {
		return nil
	}
	return err
}

// takeIntent reports whether the guard is dead that has left an intent beside the document,
// and puts right what it left if that is wanted. It looks whatever the lock file's mark is:
// a copy of a directory may have an intent beside a new lock file.
func (o *orphanage) takeIntent(document string) (bool, error) {
	unlock, err := o.lock(document)
	if err != nil {
		return false, ignoreLocked(err)
	}
	defer unlock()
	intent, err := o.d.files.Readlink(names.Intent(document))
	switch {
	case err != nil: // what is no link is not of ours
		return false, nil
	case o.remove:
		return true, o.d.finish(document, intent)
	}
	return true, o.d.believesIntent(document, intent)
}

// errNotBelieved: a file that has a name of the store's own is left alone.
var errNotBelieved = errors.New("is not believed")

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweepDocument removes the orphans of one document and returns their names, and those
// of what is left alone.
func (d *fileDriver) sweepDocument(
	_ context.Context, key string,
) (removed, left []string, err error) {
	err = d.following(key, func(path string) error {
		info, err := d.files.Lstat(path)
		if err == nil && info.Mode&fs.ModeSymlink != 0 {
			return fsys.ErrSymlink
		}
		o := orphanage{d: d, remove: true}
		err = o.find(filepath.Dir(path), filepath.Base(path))
		removed, left = o.orphans, o.left
		if !d.mendLockFile(path) {
			left = append(left, filepath.Base(names.Lock(path)))
		}
		return err
	})
	return removed, left, err
}

// lockFits reports whether the lock file of the document at path, if both are there, lets those
// lock it who may change the document.
func (d *fileDriver) lockFits(path string) bool {
	if d.shared.locks.joins(path) {
		return true // its access is for others to say
	}
	document, err := d.files.Lstat(path)
	locked, lockErr := d.files.Lstat(names.Lock(path))
	// Where there are no users, there are no owners and modes.
	return os.Geteuid() < 0 || err != nil || lockErr != nil || locked.LocksFor(document)
}

// mendLockFile does that too, and mends the lock file if this user may.
func (d *fileDriver) mendLockFile(path string) bool {
	if d.lockFits(path) {
		return true
	}
	o := orphanage{d: d}
	unlock, err := o.lock(path) // which mends it
	if err != nil {
		return errors.Is(err, ErrLocked) // who holds it has mended it, if that one may
	}
	unlock()
	return d.lockFits(path)
}

// Sweep removes the temporary files that dead processes left beside the document, and returns
// their names, and those of temporary files that it has left alone: that it may not read or
// remove, that are too large, or that another user may have made, whom a sticky directory
// keeps from the document. Writers sweep by themselves when they first write. It is
// ErrUnsupported where documents are not files.
func (d *Doc) Sweep(ctx context.Context) (removed, left []string, err error) {
	files, err := d.onFiles()
	if err == nil {
		removed, left, err = files.sweepDocument(ctx, d.key)
	}
	if err != nil {
		return removed, left, d.error("sweep", err)
	}
	return removed, left, nil
}
