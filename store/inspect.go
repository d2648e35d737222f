// The properties of a document's file, for Inspect and LockFile.

package store

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// FileInfo describes the file of a document.
type FileInfo struct {
	Path    string // of the file, with symbolic links resolved
	Size    int64  // bytes
	Mode    fs.FileMode
	ModTime time.Time
	Hash    Version // its version by content
	Mtime   Version // its version by modification time; Absent where that is unavailable
	// LockPath is the file that is locked for the document, as Doc.LockFile returns it.
	LockPath string
	// Locked is true if the document's lock was held, by a writer of the store or by a
	// program that locks that file. LockedBy is the holder, where it is known.
	Locked   bool
	LockedBy LockOwner
	// Kept is the version before, if Options.KeepLast has kept it; else nil.
	Kept *Candidate
	// History is the number of versions in the document's history, whether that is on or not.
	History int
	// Aside are the names of former versions that Recover has moved aside.
	Aside []string
	// Orphans are temporary files beside the document whose owner is dead.
	Orphans []string
	// Left are files beside it that have names of the store's own and are left alone: a
	// lock file or a temporary file that this user may not read, a lock file with another
	// owner, group or mode than the document, files that a writer would not trust, and
	// beside a broken document all that Recover may use.
	Left []string
}

// Inspect describes the document's file; it need not be valid JSON. An absent document
// is ErrNotExist. It is ErrUnsupported where documents are not files.
func (d *Doc) Inspect(ctx context.Context) (FileInfo, error) {
	info := FileInfo{}
	files, err := d.onFiles()
	if err == nil {
		info, err = files.inspect(ctx, d.key)
	}
	if err != nil {
		return info, d.error("inspect", err)
	}
	info.LockPath = d.absolute(info.LockPath)
	if info.Kept != nil {
		info.Kept.Path = d.absolute(info.Kept.Path)
	}
	return info, nil
}

func (d *fileDriver) inspect(ctx context.Context, key string) (info FileInfo, err error) {
	err = d.following(key, func(path string) error {
		s, _, err := d.see(ctx, path, VersionHash)
		if err != nil {
			return err
		}
		defer s.close()
		if s.version.IsAbsent() {
			return ErrNotExist
		}
		info = FileInfo{
			Path: path, Size: s.info.Size, Mode: s.info.Mode,
			ModTime: time.Unix(0, s.info.Mtime), Hash: s.version,
		}
		if d.timesTrusted() {
			info.Mtime = mtimeVersion(s.info, s.file)
		}
		info.LockPath = d.shared.locks.pathOf(path)
		if info.Locked, err = d.shared.locks.held(path); err != nil || !d.lockFits(path) {
			info.Left = append(info.Left, filepath.Base(names.Lock(path)))
		}
		if info.Locked {
			info.LockedBy, _ = d.lockOwner(key)
		}
		o := orphanage{d: d}
		if err := o.find(filepath.Dir(path), filepath.Base(path)); err != nil {
			return err
		}
		info.Orphans, info.Left = o.orphans, append(info.Left, o.left...)
		info.Aside, info.History = o.aside, o.entries
		kept, err := d.candidate(names.Kept(path), path, s)
		if errors.Is(err, fs.ErrNotExist) ||
			slices.Contains(info.Left, filepath.Base(names.Kept(path))) {
			return nil
		}
		kept.Problem = err
		info.Kept = &kept
		return nil
	})
	return info, err
}

// LockFile returns the path of the file that is locked for changes of the document: it
// is beside the document that symbolic links lead to, or is Options.LockPath. Neither
// file need exist. A program that does not use the store excludes writers by holding a
// lock on that file (flock on Unix). It is ErrUnsupported where documents are not
// files.
func (d *Doc) LockFile() (string, error) {
	lock := ""
	files, err := d.onFiles()
	if err == nil {
		lock, err = files.lockPath(d.key)
	}
	if err != nil {
		return "", d.error("lock file", err)
	}
	return d.absolute(lock), nil
}

func (d *fileDriver) lockPath(key string) (lock string, err error) {
	err = d.following(key, func(path string) error {
		info, err := d.files.Lstat(path)
		switch {
		case err == nil:
			err = checkRegular(info) // ErrSymlink for a link, so that it is followed
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		}
		lock = d.shared.locks.pathOf(path)
		return err
	})
	return lock, err
}

// absolute returns the absolute path of a file from its path in the driver.
func (d *Doc) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	dir := d.db.where
	if d.db.single { // db.where is the document's own path
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, path)
}

// timesTrusted reports whether the file system keeps times that serve as versions.
func (d *fileDriver) timesTrusted() bool {
	if d.mode == VersionMtime {
		return true
	}
	fine, known := d.timesFine()
	return fine && known
}

// held reports whether a process, or this handle, holds the lock of a document.
func (t *lockTable) held(path string) (bool, error) {
	file, err := t.table.Files.Open(t.pathOf(path), fsys.OpenExisting, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	free, err := file.TryLock()
	return !free, err
}
