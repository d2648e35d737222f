// The temporary file that holds a new version until it is published.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// staged is a temporary file beside its document. Its lock shows that its owner is
// alive.
type staged struct {
	files fsys.FS
	file  fsys.File
	path  string
	info  fsys.Info  // as it was stamped
	fine  bool       // its time is exact and later than that of the version it replaces
	order FlushOrder // in which it is flushed: PortableOrder or JournalOrder
	keep  bool       // the file at path is not ours to remove
	// attributes are those of the version that it replaces, once it has its access.
	attributes map[string][]byte
}

// createStaged makes an empty temporary file beside path, in a free place of the
// document's row. If concurrent writers fill the row, its name is random.
func (d *fileDriver) createStaged(path string, perm fs.FileMode) (*staged, error) {
	first := int(d.shared.place.Load())
	for tried := 0; ; {
		place := (first + tried) % names.Places
		name := names.Place(path, place)
		if tried >= names.Places {
			name = names.Random(path, d.files.Random())
		}
		file, err := d.files.Open(name, fsys.OpenNew, perm)
		// Windows denies a name whose file is being removed.
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission) && tried < names.Places {
			tried++
			continue
		}
		if err != nil {
			return nil, err
		}
		s := &staged{files: d.files, file: file, path: name}
		locked, err := file.TryLock()
		if err == nil && locked {
			// A sweep that locked the file first has removed it. If a backup by links
			// gave it another name, that shows before the publish.
			if s.info, err = file.Stat(); err == nil && s.info.Links > 0 {
				if tried > 0 {
					d.shared.place.Store(int32(place)) // other writers use the places before
				}
				return s, nil
			}
		}
		if err != nil {
			s.discard()
			return nil, err
		}
		// A sweep has locked the file, and removes it. The owner of the name is then
		// unknown.
		file.Close()
	}
}

// discard removes the file, while its lock keeps a sweep from doing so.
func (s *staged) discard() {
	if !s.keep {
		s.remove()
	}
	s.file.Close()
}

func (s *staged) remove() {
	if s.info.Ino == 0 { // no stat has succeeded yet
		s.info, _ = s.file.Stat()
	}
	if named, err := s.isNamed(); named && err == nil {
		_ = s.files.Remove(s.path)
	}
}

// isNamed reports whether the file still has its name. A program may have removed the
// name, and another writer may have taken it. A race of some microseconds remains
// between this check and its use.
func (s *staged) isNamed() (bool, error) {
	now, err := s.files.Lstat(s.path)
	return err == nil && now.SameFile(s.info), ignoreNotExist(err)
}

// isReady is a conflict if the staged file has lost its name: nothing was changed, and
// the update can be tried again. It stamps the file again if the time that the file
// system kept is not fine, and later files are then looked at when they are stamped.
func (a *attempt) isReady(s *staged) error {
	now, err := s.files.Lstat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !now.SameFile(s.info):
		return a.conflict(a.current.version)
	case err != nil:
		return fmt.Errorf("look at the temporary file: %w", err)
	case now.Mtime == s.info.Mtime:
		return nil
	case isFine(now.Mtime, s.info.Mtime, a.current.info.Mtime):
		s.info.Mtime = now.Mtime
		return nil
	}
	a.d.shared.coarse.Store(true)
	if err := s.stamp(a.current.info.Mtime); err != nil {
		return err
	}
	return a.flushAccess(s)
}

// stage writes data to a temporary file that is ready to take the place of the
// version in current: same mode and owner, later time.
func (d *fileDriver) stage(
	path string, data []byte, current *loaded, mode VersionMode,
) (s *staged, err error) {
	perm := d.opts.Perm
	if !current.version.IsAbsent() {
		perm = 0o600 // until it gets the mode of the current version
	}
	s, err = d.createStaged(path, perm)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoDirectory(path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("make a temporary file beside the document, which is how it is "+
			"replaced: %w", err)
	}
	if err := d.fill(s, data, current, mode); err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

// fill makes a temporary file with nothing in it ready.
func (d *fileDriver) fill(s *staged, data []byte, current *loaded, mode VersionMode) error {
	if err := d.checkDevice(s.path, s.info.Dev); err != nil {
		return err
	}
	if _, err := s.file.Write(data); err != nil {
		return err
	}
	if d.shared.locks.remote.Load() && d.opts.Durability == Volatile { // no flush reports errors
		if err := s.file.WriteBack(); err != nil {
			return err
		}
	}
	if err := s.takeAccess(current.info, current.file); err != nil {
		return err
	}
	if mode == VersionMtime || d.opts.GuardForeign || d.shared.coarse.Load() {
		return s.stamp(current.info.Mtime) // versions and guards use the time before isReady
	}
	return s.stampUnseen(current.info.Mtime)
}

func errNoDirectory(path string, err error) error {
	return fmt.Errorf("the directory %s is not there; make it first: %w", filepath.Dir(path), err)
}
