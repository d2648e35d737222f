// The order of flushes, which makes an update durable.
//
// The portable order flushes the staged file before the rename and the directory after
// it: two commits of the file system's journal. Where one journal has all changes in
// their order (ext4) one commit is enough:
//
//   - before the rename the content goes to the device, and the journal is left alone.
//     The file's extents enter the journal before the rename, since they change first;
//   - after the rename the file is flushed, not the directory. That commits the last
//     change of the file, which is the rename, with everything before it.
//
// Neither step may be left out. Otherwise another program's flush can commit the rename
// before the content is on the device, and a power cut leaves a file of zeros.

package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// flushOrder returns the order in which the document at path is flushed, with its file
// on device dev: PortableOrder or JournalOrder.
func (d *fileDriver) flushOrder(path string, dev uint64) FlushOrder {
	if d.opts.FlushOrder != AutoOrder {
		return d.opts.FlushOrder
	}
	if d.shared.journals.known(dev, d.files.Now(), func() (bool, error) {
		return d.files.OneJournal(filepath.Dir(path)), nil
	}) {
		return JournalOrder
	}
	return PortableOrder
}

// isExt4 reports whether the file system on device dev, with the document, is ext4.
func (d *fileDriver) isExt4(path string, dev uint64) bool {
	return d.shared.ext4.known(dev, d.files.Now(), func() (bool, error) {
		kind, err := d.files.Type(filepath.Dir(path))
		return kind == "ext4", err
	})
}

// knownFor is how long a finding about a file system holds: it may be mounted again
// with other options.
const knownFor = int64(time.Second)

// findings are facts about file systems, by device. A directory is no key for them:
// another file system may be mounted there.
type findings struct {
	mu    sync.Mutex
	byDev map[uint64]finding
}

type finding struct {
	is bool
	at int64 // nanoseconds since 1970
}

// known returns a recent finding about the file system on a device, or calls find.
func (f *findings) known(dev uint64, now int64, find func() (bool, error)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found, ok := f.byDev[dev]; ok && now-found.at < knownFor && now >= found.at {
		return found.is
	}
	if f.byDev == nil {
		f.byDev = map[uint64]finding{}
	}
	is, err := find()
	if err != nil {
		return false // and the next call asks again
	}
	f.byDev[dev] = finding{is, now}
	return is
}

// flush writes the staged file to the device before it is published.
func (a *attempt) flush(s *staged) error {
	s.order = a.d.flushOrder(a.path, s.info.Dev)
	if s.order == JournalOrder {
		err := s.file.SyncData()
		if err == nil || !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return s.file.Sync()
}

// openDirs opens the directories to be flushed after the publish, so that no open can
// fail then: the document's own, and its parents up to the root of the handle. The
// parents are opened the first time, and if all says that the document is new. Another
// process may have made a directory, and have died before it flushed the name.
func (a *attempt) openDirs(all bool) error {
	own := filepath.Dir(a.path)
	for name := own; ; name = filepath.Dir(name) {
		dir, err := a.d.files.OpenDir(name)
		if err != nil {
			return fmt.Errorf("open the directory, to flush it: %w", err)
		}
		a.dirs = append(a.dirs, dir)
		if name == "." || a.d.single != "" || !all && a.d.shared.flushed.knowsDir(own) {
			return nil
		}
	}
}

// flushDirs flushes the directories that are open.
func (a *attempt) flushDirs() error {
	for _, dir := range a.dirs {
		if err := dir.Sync(); err != nil {
			return fmt.Errorf("flush the directory: %w", err)
		}
	}
	a.d.shared.flushed.addDir(filepath.Dir(a.path))
	return nil
}

func (a *attempt) closeDirs() {
	for _, dir := range a.dirs {
		_ = dir.Close() // nothing was written through it
	}
	a.dirs = nil
}
