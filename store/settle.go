// Settling makes a version durable that was published, or confirmed without a change.
//
// A failed flush is not tried again: the second one would succeed without having done
// anything. If the update is made again and changes nothing, it publishes the same
// bytes anew.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Settle implements driver.Attempt.
func (a *attempt) Settle() (err error) {
	defer a.closePublished()
	defer a.closeDirs()
	published := a.published
	read := a.held != nil && a.current != nil // under the lock
	confirmed := a.confirmed || !published && read
	a.published, a.confirmed = false, false
	a.release()
	durable, flushed := a.d.opts.Durability == Durable, &a.d.shared.flushed
	switch {
	case published && durable:
		err = a.settlePublished()
	case confirmed && a.d.opts.Durability != Volatile:
		if flushed.knows(a.path, a.current.info, durable) {
			return nil
		}
		err = a.settleConfirmed(durable)
	default:
		return nil
	}
	if err == nil && durable {
		err = a.stillWrites()
	}
	flushed.note(a.path, err)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// stillWrites checks that the journal has not failed meanwhile. On ext4, if two flushes
// wait for one commit that fails, one of them reports success.
func (a *attempt) stillWrites() error {
	if !a.d.isExt4(a.path, a.dev) {
		return nil
	}
	flushed := interface{ StillWrites() error }(nil)
	switch {
	case a.renamed != nil:
		flushed = a.renamed
	case a.current.file != nil:
		flushed = a.current.file
	case len(a.dirs) > 0:
		flushed = a.dirs[0]
	default:
		return nil
	}
	err := flushed.StillWrites()
	if errors.Is(err, fs.ErrPermission) {
		// A process that may not write the document asks the directory, which it may
		// write.
		dir, openErr := a.d.files.OpenDir(filepath.Dir(a.path))
		if openErr != nil {
			return openErr
		}
		defer dir.Close()
		if err = dir.StillWrites(); errors.Is(err, fs.ErrPermission) {
			return nil // in another user's sticky directory this is unavailable
		}
	}
	if err != nil {
		return fmt.Errorf("a flush that went well does not count, since the journal "+
			"has failed: %w", err)
	}
	return nil
}

func (a *attempt) settlePublished() error {
	if a.renamed != nil {
		if err := a.renamed.Sync(); err != nil {
			return fmt.Errorf("flush the new version: %w", err)
		}
		return nil // with the names of directories made for it
	}
	return a.flushDirs()
}

// settleConfirmed makes a version durable that another writer or a foreign program put
// in place. Without names it flushes only the content, so that it is not torn.
func (a *attempt) settleConfirmed(names bool) error {
	if a.current.version.IsAbsent() {
		if !names {
			return nil
		}
		if a.d.shared.flushed.doubts(a.path) {
			return errors.New("the document is absent, but an earlier flush of that went wrong")
		}
		if a.unlocked {
			return nil // the directory does not exist
		}
		return a.openAndFlushDirs()
	}
	before := a.d.files.Now()
	if err := a.syncCurrent(); err != nil {
		return fmt.Errorf("flush the version that is there: %w", err)
	}
	if names && a.d.flushOrder(a.path, a.current.info.Dev) == PortableOrder {
		if err := a.openAndFlushDirs(); err != nil {
			return err
		}
	}
	if isOfAge(a.current.info, before) && a.d.changesShow(a.path, a.current.info.Dev, before) {
		a.d.shared.flushed.add(a.path, a.current.info, names)
	}
	return nil
}

// syncCurrent flushes the file that was read, which may have been closed since.
func (a *attempt) syncCurrent() error {
	file := a.current.file
	if file == nil {
		var err error
		if file, err = a.d.files.Open(a.path, fsys.OpenExisting, 0); err != nil {
			return err
		}
		defer file.Close()
	}
	return file.Sync()
}

func (a *attempt) openAndFlushDirs() error {
	if err := a.openDirs(false); err != nil {
		return err
	}
	return a.flushDirs()
}

// closePublished closes the published file, which stays open for Settle.
func (a *attempt) closePublished() {
	if a.renamed != nil {
		a.renamed.Close()
		a.renamed = nil
	}
}

// flushed is what a handle knows about flushes, by path.
type flushed struct {
	mu    sync.Mutex
	files map[string]flushedFile // of documents
	// documents whose flush failed, and that were not published since
	wrong map[string]bool
	dirs  map[string]bool // directories whose own names are durable
	// what transactions have put in place: size and time are on the device too
	settled map[string]identity
}

// flushedFile is a file whose content was flushed.
type flushedFile struct {
	info  fsys.Info
	names bool // its name was flushed too
}

// maxFlushed is how many flushed files a handle remembers.
const maxFlushed = 1024

// knows reports whether the file with the info now was flushed, and its name too if
// names is set. A version would not do: the same one may come back, unflushed.
func (f *flushed) knows(path string, now fsys.Info, names bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[path]
	then := file.info
	return ok && (file.names || !names) && now.SameFile(then) &&
		now.Size == then.Size && now.Mtime == then.Mtime && now.Ctime == then.Ctime
}

func (f *flushed) add(path string, info fsys.Info, names bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil || len(f.files) >= maxFlushed {
		f.files = map[string]flushedFile{}
	}
	f.files[path] = flushedFile{info, names}
}

// note records the result of a flush.
func (f *flushed) note(path string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		delete(f.wrong, path)
	case f.wrong == nil:
		f.wrong = map[string]bool{path: true}
	default:
		f.wrong[path] = true
	}
	if err != nil {
		delete(f.files, path)
	}
}

// doubts reports whether a flush of the document at path failed. Its current version
// may then not be on the device, and no further flush would report that.
func (f *flushed) doubts(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wrong[path]
}

// settle records that the file with an identity has it on the device too.
func (f *flushed) settle(path string, is identity) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settled == nil || len(f.settled) >= maxFlushed {
		f.settled = map[string]identity{}
	}
	f.settled[path] = is
}

func (f *flushed) isSettled(path string, is identity) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	settled, ok := f.settled[path]
	return ok && settled == is
}

func (f *flushed) knowsDir(dir string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dirs[dir]
}

func (f *flushed) addDir(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs == nil || len(f.dirs) >= maxFlushed {
		f.dirs = map[string]bool{}
	}
	f.dirs[dir] = true
}
