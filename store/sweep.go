// The sweep removes temporary files that dead processes left beside a document, and
// cleans up after dead guards.
//
// No update reads the directory to find them. A writer stages in one of a few places,
// so a later writer checks these: at its first update of a document, and now and then
// again. An intent names the file of a guard, and every writer meets it under the lock.
// Files with any other name, made while the row was full, are found by the calls that
// read the directory: Sweep, check and doctor.

package store

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	// sweepEvery is the number of updates of a document from one sweep to the next.
	sweepEvery = 64
	// maxRows is how many documents are counted so.
	maxRows = 4096
)

// rows say when this handle sweeps a document's row again.
type rows struct {
	mu   sync.Mutex
	wait map[string]int // updates until then, by the document's path
}

// due reports whether the row is to be swept. The caller then does so at once.
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

// sweep is fileDriver.sweep, unless the document is broken.
func (a *attempt) sweep() {
	if a.current.version.IsAbsent() || a.isWhole() {
		a.d.sweep(a.path)
	}
}

// sweep removes the temporary files of dead processes in the document's row. A file
// that cannot be removed is left for the next sweep: it does no harm.
func (d *fileDriver) sweep(path string) { d.sweepRow(path, math.MaxInt64) }

// sweepRow is sweep for files of at most so many bytes.
func (d *fileDriver) sweepRow(path string, size int64) {
	o := orphanage{d: d, remove: true, valid: true}
	for place := range names.Places {
		name := names.Place(path, place)
		if info, err := d.files.Lstat(name); err == nil && info.Mode.IsRegular() &&
			info.Size <= size {
			_, _ = o.take(name, path, "")
		}
	}
}

// orphanage finds temporary files whose owner is dead.
type orphanage struct {
	d      *fileDriver
	remove bool
	locked string // the path of the document whose lock the caller holds, else empty
	valid  bool   // the document was read or written, and is valid

	orphans []string // the names of the files found, and removed if remove is set
	left    []string // of files left alone: not readable, removable or believed
	aside   []string // of former versions of the document that were moved aside
	entries int      // number of versions in its history
}

// find looks for files that dead processes left of the document base in a directory,
// under any name.
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
	// The intent first, which keeps what it may name.
	if at := slices.IndexFunc(entries,
		func(e fsys.Entry) bool { return e.Name == intent }); at > 0 {
		entries[0], entries[at] = entries[at], entries[0]
	}
	for _, entry := range entries {
		path, kind := filepath.Join(dir, entry.Name), entry.Type.Type()
		digits, temporary := names.TemporaryOf(base, entry.Name)
		lent := names.IsHeld(o.d.shared.locks.pathOf(base), entry.Name)
		_, isEntry := names.HistoryOf(base, entry.Name)
		isSwitch := names.IsHistorySwitch(entry.Name)
		orphaned, err := false, errNotBelieved
		switch {
		case entry.Name == filepath.Base(names.Kept(base)):
			err = o.believesKept(filepath.Join(dir, base))
		case names.IsAsideOf(base, entry.Name):
			o.aside = append(o.aside, entry.Name)
			continue
		case isEntry:
			if err = o.believesEntry(path, filepath.Join(dir, base)); err == nil {
				o.entries++
			}
		case isSwitch:
			err = o.believesEntry(path, filepath.Join(dir, base))
		case !temporary && !lent && entry.Name != intent:
			continue
		case lent && kind == 0:
			orphaned, err = o.takeLent(path, filepath.Join(dir, base))
		case lent:
		case temporary && kind == 0:
			orphaned, err = o.take(path, filepath.Join(dir, base), digits)
		case !temporary && (kind == fs.ModeSymlink || kind == 0):
			orphaned, err = o.takeIntent(filepath.Join(dir, base))
		}
		o.note(entry.Name, orphaned, err)
	}
	return nil
}

// note records the result for a file.
func (o *orphanage) note(name string, orphaned bool, err error) {
	switch {
	case err != nil:
		o.left = append(o.left, name)
	case orphaned:
		o.orphans = append(o.orphans, name)
	}
}

// findKnown is find for a directory that this user may not list. It checks the known
// names: those of the row and of the intent.
func (o *orphanage) findKnown(document string) {
	for place := range names.Places {
		o.takeKnown(names.Place(document, place), func(kind fs.FileMode) (bool, error) {
			if kind != 0 {
				return false, nil
			}
			return o.take(names.Place(document, place), document, "")
		})
	}
	o.takeKnown(names.Kept(document), func(fs.FileMode) (bool, error) {
		return false, o.believesKept(document)
	})
	o.takeKnown(names.Intent(document), func(kind fs.FileMode) (bool, error) {
		if kind == fs.ModeSymlink || kind == 0 {
			return o.takeIntent(document)
		}
		return false, errNotBelieved
	})
}

// takeKnown calls take with the kind of the file at a known name, if it exists.
func (o *orphanage) takeKnown(path string, take func(kind fs.FileMode) (bool, error)) {
	info, err := o.d.files.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	orphaned := false
	if err == nil {
		orphaned, err = take(info.Mode.Type())
	}
	o.note(filepath.Base(path), orphaned, err)
}

// take reports whether the owner of a temporary file of the document is dead, and then
// removes the file if remove is set. A staging writer holds the lock of its file, a
// guard that of the document.
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
	// The owner may have published the file before this lock: then the name is gone.
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
	// Not before the file is locked: its owner may have been about to make the intent.
	if len(digits) == names.TransactionDigits && o.isIntent(document) {
		return false, nil // which may name it
	}
	if !guarded && o.d.isBroken(document, o.valid) {
		return false, errNotBelieved // it may have the document's content
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

// takeLent reports whether a process that has lent the document's lock to a command has left
// its file behind. Such a file is made with the lock held, and is of no use when the lock was
// free once since.
func (o *orphanage) takeLent(path, document string) (bool, error) {
	held, err := o.d.shared.locks.held(document)
	if err != nil || held || !o.remove {
		return !held && err == nil, err
	}
	return true, ignoreNotExist(o.d.files.Remove(path))
}

// lock takes the lock of the document, unless the caller already holds it.
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
	if err == nil && held.blocked && o.isIntent(document) {
		// What belongs to a transaction is put right first.
		held.unlock()
		err = errLockBusy
	}
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

// errNotBelieved: a file that has a name of the store's own is left alone.
var errNotBelieved = errors.New("is not believed")

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweepDocument removes the orphans of one document and returns their names, and those
// of the files left alone.
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
		if err == nil && o.entries > 0 {
			var old []string
			old, err = d.removeOld(path)
			removed = append(removed, old...)
		}
		if !d.mendLockFile(path) {
			left = append(left, filepath.Base(names.Lock(path)))
		}
		return err
	})
	return removed, left, err
}

// lockFits reports whether every user who may change the document at path may lock its
// lock file, if both files exist.
func (d *fileDriver) lockFits(path string) bool {
	if d.shared.locks.joins(path) {
		return true // other programs set its access
	}
	document, err := d.files.Lstat(path)
	locked, lockErr := d.files.Lstat(names.Lock(path))
	// A system without users has no owners and modes.
	return os.Geteuid() < 0 || err != nil || lockErr != nil || locked.LocksFor(document)
}

// mendLockFile is lockFits, and mends the lock file if this user may.
func (d *fileDriver) mendLockFile(path string) bool {
	if d.lockFits(path) {
		return true
	}
	o := orphanage{d: d}
	unlock, err := o.lock(path) // this mends it
	if err != nil {
		return errors.Is(err, ErrLocked) // the lock holder has mended it, if it may
	}
	unlock()
	return d.lockFits(path)
}

// Sweep removes the temporary files that dead processes left beside the document, and
// returns their names. Left has the names of files that it leaves alone: files that it
// may not read or remove, that are too large, or that another user may have made, whom
// a sticky directory keeps from the document. Beside a document that is empty or not valid
// it leaves all of them, for Recover. Writers sweep by themselves when they
// first write. The error is ErrUnsupported where documents are not files.
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
