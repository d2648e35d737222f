// The order of flushes, which makes an update durable.
//
// The portable order flushes the staged file before the rename and the directory after it: two commits of the file
// system's journal. Where one journal has all changes in their order (ext4) one commit is enough:
//
//   - before the rename the content goes to the device, and the journal is left alone. When the rename
//     gets into the journal, so has what says where on the device the content is, since that was changed before;
//   - after the rename the file is flushed, not the directory. That commits the last change of the file,
//     which is the rename, with everything before it.
//
// Nothing may be left out of it: if the content is not on the device when the rename is, another program's flush can
// commit the rename first, and a power cut leaves a file of zeros.

package store

import (
	"errors"
	"path/filepath"
	"sync"
	"time"
)

// journalOrder reports whether a document at path, with its file on a device, is flushed
// in the order for one journal.
func (d *fileDriver) journalOrder(path string, dev uint64) bool {
	switch d.opts.FlushOrder {
	case PortableOrder:
		return false
	case JournalOrder:
		return true
	}
	return d.shared.journals.known(dev, d.files.Now(), func() bool {
		return d.files.OneJournal(filepath.Dir(path))
	})
}

// exchanges reports whether a version that need not survive a power cut is published by exchange: ext4 writes a file out when
// it is renamed over another, which takes longer than all else; one that changes names with the other, it does not.
func (d *fileDriver) exchanges(path string, dev uint64) bool {
	return d.opts.Durability == Volatile && d.shared.ext4.known(dev, d.files.Now(), func() bool {
		kind, err := d.files.Type(filepath.Dir(path))
		return err == nil && kind == "ext4"
	})
}

// knownFor is how long is believed what was found out of a file system: it may be mounted
// again with other options.
const knownFor = int64(time.Second)

// findings are what was found out of file systems, by device. Not by directory: another
// file system may be mounted there.
type findings struct {
	mu    sync.Mutex
	byDev map[uint64]finding
}

type finding struct {
	is bool
	at int64 // nanoseconds since 1970
}

// known is what was found out of the file system on a device not long ago.
func (f *findings) known(dev uint64, now int64, find func() bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found, ok := f.byDev[dev]; ok && now-found.at < knownFor && now >= found.at {
		return found.is
	}
	if f.byDev == nil {
		f.byDev = map[uint64]finding{}
	}
	found := finding{find(), now}
	f.byDev[dev] = found
	return found.is
}

// flush puts what is staged on the device, before it is published.
func (a *attempt) flush(s *staged) error {
	if a.d.journalOrder(a.path, s.info.Dev) {
		err := s.file.SyncData()
		if err == nil || !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return s.file.Sync()
}
