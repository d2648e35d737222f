// The history of a document: the versions that writers have kept (historykeep.go), to list,
// read, and bring back.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// A HistoryEntry is a version of a document.
type HistoryEntry struct {
	// N counts back: 0 is the current version, 1 the one before. If the document is absent,
	// 1 is the one that was deleted.
	N       int
	Version Version // by content
	Size    int64   // bytes
	// Written is the file's modification time. Replaced is when the next version took its
	// place, or it was deleted; zero for the current one. Both may be later than the clock
	// said where versions came too quickly for it.
	Written, Replaced time.Time
	// Transaction is the one that has made this version, its first 16 digits: equal for all
	// documents that it has changed. It is empty if it was none, or if the document was
	// absent before.
	Transaction string
	// ReplacedBy is the transaction that has replaced or deleted this version, likewise.
	ReplacedBy string
	// Deleted: it was not replaced, but deleted.
	Deleted bool
	Path    string // of the file, absolute
}

// History iterates over the versions of the document: the current one, if it exists, and
// those before it that its history has, the newest first. They are those that were there
// when it began: later versions are not among them, and some of the oldest may be removed
// meanwhile. Of a history that is on those are listed that are within its limits. What
// another user may have made in a sticky directory is left out. An error ends the loop. It
// is ErrUnsupported where documents are not files.
//
// It lists the document's directory once, and reads no version.
func (d *Doc) History(ctx context.Context) iter.Seq2[HistoryEntry, error] {
	return func(yield func(HistoryEntry, error) bool) {
		files, err := d.onFiles()
		var h *pastList
		if err == nil {
			err = files.following(d.key, func(path string) error {
				h, err = files.list(ctx, path)
				return err
			})
		}
		if err != nil {
			yield(HistoryEntry{}, d.error("history", err))
			return
		}
		for e, err := range h.all(ctx) {
			if err != nil {
				yield(HistoryEntry{}, d.error("history", err))
				return
			}
			e.Path = d.absolute(e.Path)
			if !yield(e, nil) {
				return
			}
		}
	}
}

// pastList is a document with the names of its kept versions.
type pastList struct {
	d       *fileDriver
	path    string
	current *loaded // closed
	entries []entry // the newest first
	keep    int     // how many count; 0: all
}

// maxLists is how often a directory is listed again because the document changes meanwhile.
const maxLists = 100

// list reads the document at path, and lists its history.
//
// A name that is made while a directory is listed may be in the list or not, and a later one
// may be in it when an earlier one is not. So if the document changes meanwhile, no version
// counts that was displaced after it was read. The last one before that has the document's
// time in its name; if another program has set that, the list begins again.
func (d *fileDriver) list(ctx context.Context, path string) (*pastList, error) {
	for tries := 1; ; tries++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		current, _, err := d.see(ctx, path, VersionHash)
		if err != nil {
			return nil, err
		}
		h, err := d.listFor(path, current)
		if err != nil {
			current.close()
			return nil, err
		}
		now, err := d.files.Lstat(path)
		same := current.isAt(now, err == nil)
		current.close()
		last := slices.IndexFunc(h.entries, func(e entry) bool {
			return int64(e.Key) == current.info.Mtime && !e.Deleted
		})
		switch {
		case same, tries == maxLists:
			return h, nil
		case last >= 0 && !current.version.IsAbsent():
			h.entries = h.entries[last:]
			return h, nil
		}
	}
}

// listFor is list for a document that was read. Current is open.
func (d *fileDriver) listFor(path string, current *loaded) (*pastList, error) {
	entries, err := d.entries(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slices.Reverse(entries)
	h := &pastList{d: d, path: path, current: current, entries: entries}
	opts, err := d.history(path)
	if err != nil {
		return nil, err
	}
	if opts != nil {
		h.keep = opts.Keep
	}
	if opts != nil && opts.Age > 0 {
		oldest := d.files.Now() - int64(opts.Age)
		h.entries = slices.DeleteFunc(entries, func(e entry) bool { return int64(e.Key) <= oldest })
	}
	return h, nil
}

// all iterates over the versions. A file that is gone was too old. One that has two names is
// one version: a dead writer, or a power cut, has left the other name.
func (h *pastList) all(ctx context.Context) iter.Seq2[HistoryEntry, error] {
	return func(yield func(HistoryEntry, error) bool) {
		n := 1
		last := HistoryEntry{Path: h.path}
		lastInfo, exists := h.current.info, !h.current.version.IsAbsent()
		if exists {
			last.Version, last.Size = hashVersion(h.current.data), int64(len(h.current.data))
			last.Written = time.Unix(0, lastInfo.Mtime)
		}
		for _, e := range h.entries {
			if err := ctx.Err(); err != nil {
				yield(last, err)
				return
			}
			info, err := h.d.files.Lstat(e.path)
			switch {
			case errors.Is(err, fs.ErrNotExist), err == nil && info.SameFile(lastInfo),
				err == nil && !h.current.version.IsAbsent() && info.SameFile(h.current.info):
				continue
			case err != nil:
				yield(last, err)
				return
			}
			// Who has made a version is in the name of the one before.
			if !e.Deleted {
				last.Transaction = e.Transaction
			}
			if exists && !yield(last, nil) {
				return
			}
			exists = h.keep == 0 || n <= h.keep
			if !exists {
				return
			}
			version, err := ParseVersion("h:" + e.Hash + "-" + strconv.FormatInt(info.Size, 10))
			last = HistoryEntry{N: n, Version: version, Size: info.Size,
				Written: time.Unix(0, info.Mtime), Replaced: time.Unix(0, int64(e.Key)),
				ReplacedBy: e.Transaction, Deleted: e.Deleted, Path: e.path}
			lastInfo = info
			n++
			if err != nil {
				yield(last, err)
				return
			}
		}
		if exists {
			yield(last, nil)
		}
	}
}

// at returns a version.
func (h *pastList) at(ctx context.Context, n int) (HistoryEntry, error) {
	most := 0
	for e, err := range h.all(ctx) {
		if err != nil || e.N == n {
			return e, err
		}
		most = e.N
	}
	if n == 0 {
		return HistoryEntry{}, ErrNotExist
	}
	return HistoryEntry{}, fmt.Errorf("%w: there is no version @%d; the oldest is @%d", ErrNotExist,
		n, most)
}

// read reads a version. The error says why it cannot be used.
func (h *pastList) read(e HistoryEntry) (data []byte, from rights, err error) {
	if e.N == 0 {
		return h.current.data, rights{info: h.current.info}, nil
	}
	return h.d.readEntry(e.Path, h.path, e.Version, true)
}

// readEntry reads the kept version at name of the document at path, and its attributes if they
// are wanted.
func (d *fileDriver) readEntry(name, path string, version Version, attributes bool) (
	data []byte, from rights, err error,
) {
	file, err := d.files.Open(name, fsys.OpenExisting, 0)
	if err != nil {
		return nil, from, err
	}
	defer file.Close()
	if from.info, err = file.Stat(); err != nil {
		return nil, from, err
	}
	if err := checkRegular(from.info); err != nil {
		return nil, from, err
	}
	if from.info.Links != 1 || !isOurs(from.info.UID) { // else no look at the directory is needed
		if ok, err := d.believes(path, from.info, 0); err != nil || !ok {
			return nil, from, cmp.Or(err, errPlanted)
		}
	}
	if data, err = d.readAll(file, from.info.Size); err != nil {
		return nil, from, err
	}
	if hashVersion(data) != version {
		return nil, from, errRewritten
	}
	if attributes {
		from.attributes, err = file.Attributes()
	}
	return data, from, err
}

// ReadHistory returns the content of a version that History has listed. If another program
// has written into its file since it was kept, the error is ErrInvalid; if it was removed
// since, ErrNotExist. The current version is read again, and is ErrConflict if it is not
// the current one any longer. The entry must be of this document.
func (d *Doc) ReadHistory(ctx context.Context, e HistoryEntry) ([]byte, error) {
	data, err := d.readHistory(ctx, e)
	if err != nil {
		return nil, d.error("read history", err)
	}
	return data, nil
}

func (d *Doc) readHistory(ctx context.Context, e HistoryEntry) (data []byte, err error) {
	files, err := d.onFiles()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if e.N == 0 {
		s, err := files.latest(ctx, d.key)
		if err != nil {
			return nil, err
		}
		if version := hashVersion(s.data); version != e.Version {
			return nil, &driver.ConflictError{Key: d.key, Want: e.Version, Have: version}
		}
		return s.data, nil
	}
	err = files.following(d.key, func(path string) error {
		name := filepath.Join(filepath.Dir(path), filepath.Base(e.Path))
		data, _, err = files.readEntry(name, path, e.Version, false)
		return err
	})
	return data, err
}
