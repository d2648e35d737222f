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
)

// journalOrder reports whether the document at path is flushed in the order for one journal. It is found out once for
// each directory and handle.
func (d *fileDriver) journalOrder(path string) bool {
	switch d.opts.FlushOrder {
	case PortableOrder:
		return false
	case JournalOrder:
		return true
	}
	return known(&d.shared.journals, filepath.Dir(path), d.files.OneJournal)
}

// exchanges reports whether a version that need not survive a power cut is published by exchange: ext4 writes a file out when
// it is renamed over another, which takes longer than all else; one that changes names with the other, it does not.
func (d *fileDriver) exchanges(path string) bool {
	return d.opts.Durability == Volatile && known(&d.shared.ext4, filepath.Dir(path), func(dir string) bool {
		kind, err := d.files.Type(dir)
		return err == nil && kind == "ext4"
	})
}

// known is what is found out of a directory, once.
func known(all *sync.Map, dir string, find func(dir string) bool) bool {
	found, ok := all.Load(dir)
	if !ok {
		found = find(dir)
		all.Store(dir, found)
	}
	return found.(bool)
}

// flush puts what is staged on the device, before it is published.
func (a *attempt) flush(s *staged) error {
	if a.d.journalOrder(a.path) {
		err := s.file.SyncData()
		if err == nil || !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return s.file.Sync()
}
