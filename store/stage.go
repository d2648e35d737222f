// The temporary file in which a new version is made ready, and the sweep of those that
// a dead process left behind.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

const (
	stagedSuffix = ".tmp"
	stagedDigits = 16
	// longestName is what a name may have, so that its temporary file still fits in the 255
	// bytes that file systems allow.
	longestName = 255 - len(".") - len(".") - guardedDigits - len(stagedSuffix)
)

func stagedPath(path string, random uint64) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%0*x%s", filepath.Base(path), stagedDigits, random, stagedSuffix))
}

// stagedFor returns the name of the document that a temporary file is for, and the
// digits by which it differs from others.
func stagedFor(name string) (base, digits string, ok bool) {
	rest, dotted := strings.CutPrefix(name, ".")
	rest, suffixed := strings.CutSuffix(rest, stagedSuffix)
	dot := strings.LastIndexByte(rest, '.')
	if !dotted || !suffixed || dot <= 0 {
		return "", "", false
	}
	base, digits = rest[:dot], rest[dot+1:]
	ok = (len(digits) == stagedDigits || len(digits) == guardedDigits) && strings.Trim(digits, "0123456789abcdef") == ""
	return base, digits, ok
}

// staged is a temporary file beside its document. Its lock says that its owner is alive.
type staged struct {
	files fsys.FS
	file  fsys.File
	path  string
	info  fsys.Info // as it was stamped
	fine  bool      // its time is exact and later than that of the version it replaces
	keep  bool      // what has its name is not ours to remove
}

// createStaged makes an empty temporary file beside path.
func (d *fileDriver) createStaged(path string, perm fs.FileMode) (*staged, error) {
	for {
		name := stagedPath(path, d.files.Random())
		file, err := d.files.Open(name, fsys.OpenNew, perm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s := &staged{files: d.files, file: file, path: name}
		locked, err := file.TryLock()
		if err == nil && locked {
			// A sweep that had it locked before has removed it.
			if s.info, err = file.Stat(); err == nil && s.info.Links > 0 {
				return s, nil
			}
		}
		s.discard()
		if err != nil {
			return nil, err
		}
	}
}

// discard removes the file, while its lock keeps a sweep from doing so.
func (s *staged) discard() {
	if !s.keep {
		_ = s.files.Remove(s.path)
	}
	s.file.Close()
}

// stage writes data to a temporary file that is ready to take the place of the
// version in current: same mode and owner, later time.
func (d *fileDriver) stage(path string, data []byte, current *state) (s *staged, err error) {
	perm := d.opts.Perm
	if current.file != nil {
		perm = 0o600 // until it has the very mode of the current version
	}
	s, err = d.createStaged(path, perm)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoDirectory(path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("make a temporary file beside the document, which is how it is replaced: %w", err)
	}
	defer func() {
		if err != nil {
			s.discard()
			s = nil
		}
	}()
	if _, err := s.file.Write(data); err != nil {
		return s, err
	}
	return s, s.resemble(current.info, current.file)
}

func errNoDirectory(path string, err error) error {
	return fmt.Errorf("the directory %s is not there; make it first: %w", filepath.Dir(path), err)
}

// sweep removes the temporary files of dead processes beside the document at path: once
// for a handle on one document; once for each directory with all its documents. A file that
// cannot be removed is left for the next sweep: it harms nobody.
func (d *fileDriver) sweep(path string, locked bool) {
	once, base := filepath.Dir(path), ""
	if d.single != "" {
		once, base = path, filepath.Base(path)
	}
	if _, done := d.shared.swept.LoadOrStore(once, true); done {
		return
	}
	o := orphanage{d: d, remove: true}
	if locked {
		o.locked = path
	}
	_ = o.find(filepath.Dir(path), base)
}

// orphanage finds temporary files whose owner is dead.
type orphanage struct {
	d      *fileDriver
	remove bool
	locked string // the path of the document whose lock the caller holds, else empty

	orphans []string // the names of those that were found, and removed if that is wanted
	left    []string // of what is left alone: not to be looked at, to be removed, or believed
}

// find looks for the orphaned temporary files in a directory, those for the document
// base, or for all that the store could have if base is empty.
func (o *orphanage) find(dir, base string) error {
	entries, err := o.d.files.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		document, digits, ok := stagedFor(entry.Name)
		if !ok || base != "" && document != base || base == "" && !o.d.couldBeDocument(document) {
			continue
		}
		if !entry.Type.IsRegular() {
			o.left = append(o.left, entry.Name)
			continue
		}
		orphaned, err := o.take(filepath.Join(dir, entry.Name), filepath.Join(dir, document), digits)
		switch {
		case err != nil:
			o.left = append(o.left, entry.Name)
		case orphaned:
			o.orphans = append(o.orphans, entry.Name)
		}
	}
	return nil
}

// take reports whether a temporary file of the document has lost its owner, who would
// have it locked, and removes it then if that is wanted.
func (o *orphanage) take(path, document, digits string) (bool, error) {
	file, err := o.d.files.Open(path, fsys.OpenExisting, 0)
	if err != nil {
		return false, ignoreNotExist(err)
	}
	defer file.Close()
	locked, err := file.TryLock()
	if err != nil || !locked {
		return false, err
	}
	guarded := len(digits) == guardedDigits
	if guarded && document != o.locked {
		// It may be what a guard has displaced, which is not locked: but its document is.
		unlock, err := o.d.tryLock(document)
		if err != nil {
			if errors.Is(err, ErrLocked) {
				err = nil
			}
			return false, err
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
		if ok, err := o.d.believes(document, opened); err != nil || !ok {
			return false, errors.Join(err, errNotBelieved)
		}
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
func (d *fileDriver) sweepDocument(_ context.Context, key string) (removed, left []string, err error) {
	err = d.following(key, func(path string) error {
		info, err := d.files.Lstat(path)
		if err == nil && info.Mode&fs.ModeSymlink != 0 {
			return fsys.ErrSymlink
		}
		o := orphanage{d: d, remove: true}
		err = o.find(filepath.Dir(path), filepath.Base(path))
		removed, left = o.orphans, o.left
		return err
	})
	return removed, left, err
}
