// Reads, and the version that a handle keeps: an unchanged document is not read,
// checked and decoded again.
//
// One look at the name is enough: the same inode with the same size and times has the
// same content. Every write changes the file's ctime, the time of its last change,
// which no program can set, and the clock advances between the read and the write. The
// clock has ticks of some milliseconds, though: a write in the tick of the read can
// leave the times as they were. So a read is not kept if the file was younger than
// ofAge (git treats its index in this way, and calls such a file "racily clean"). A
// document that was just written is read again each time until it is old enough. The
// version that this handle has published is not kept either: to look at its times after
// the rename costs each write a system call, and the version is too young anyway.
//
// While a transaction is committed, a document changes before its file does. So a read is
// not kept if an intent was found, and a transaction changes the ctime of its documents
// when its intents are in place: a read that was kept before is not used any more.
//
// The check misses three writes: a write through a memory mapping to a page that the
// mapping has written before, since the system notices only the first write until it
// has written the page out (other readers do see it); a write in place by one call that
// takes longer than that age; and a write after which the clock is set back to the very
// nanosecond of the file's time. After a conflict a handle drops its kept read, so that
// no update retries for ever on an old version.

package store

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/splice"
)

const (
	// ofAge is a file's least age when it is read, so that a later change shows in its
	// times. A clock's longest tick is 10 ms. But a write sets the time first, then the
	// content: on a busy machine the gap was 38 ms.
	ofAge = int64(100 * time.Millisecond)
	// ofCoarseAge is the age where the file system seems to keep only milliseconds or
	// even seconds; FAT has steps of two seconds.
	ofCoarseAge = int64(2*time.Second) + ofAge
	// A handle on a directory keeps at most this many reads, and bytes in all.
	maxKept      = 1024
	maxKeptBytes = 64 << 20
)

// keptRead is a document as it was read. Only the derived fields change.
type keptRead struct {
	info    fsys.Info // of the file, if it may be kept
	data    []byte
	version driver.Version

	valid   atomic.Pointer[splice.Limits] // the limits under which the content is valid
	decoded atomic.Value                  // a decodedValue
}

// keptReads are the reads that a handle keeps, by key.
type keptReads struct {
	single atomic.Pointer[keptRead] // of a handle on one file

	mu    sync.RWMutex
	byKey map[string]*keptRead
	bytes int
}

// latest returns the current document, from the kept read if that is up to date.
func (d *fileDriver) latest(ctx context.Context, key string) (*keptRead, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.shared.closed.Load() {
		return nil, ErrClosed
	}
	if s := d.shared.kept.get(d, key); s != nil && int64(len(s.data)) <= d.opts.MaxSize {
		path, err := d.locate(key)
		if err != nil {
			return nil, err
		}
		if now, err := d.files.Lstat(path); err == nil && s.isAt(now) {
			return s, nil
		}
	}
	before := d.files.Now()
	var s *keptRead
	var at string
	var keep bool
	err := d.following(key, func(path string) error {
		found, plain, err := d.see(ctx, path, d.mode)
		if err != nil {
			return err
		}
		found.close()
		at, keep = path, plain
		s = &keptRead{info: found.info, data: found.data, version: found.version}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The target of a symbolic link is kept too, but never found unchanged: the name is
	// that of the link. Beside an intent, the version can change while the file stays.
	if keep && isOfAge(s.info, before) && d.changesShow(at, s.info.Dev, before) {
		d.shared.kept.put(d, key, s)
	}
	return s, nil
}

// isOfAge reports whether every write to the file from now on changes its times.
func isOfAge(info fsys.Info, now int64) bool {
	if info.Ctime == 0 {
		return false // the system has no ctime, or the file is absent
	}
	age := ofAge
	const coarse = int64(time.Millisecond)
	if info.Ctime%coarse == 0 || info.Mtime%coarse == 0 {
		age = ofCoarseAge
	}
	return now-max(info.Mtime, info.Ctime) >= age
}

// changesShow reports whether each change of a file shows in a time that no program can
// set. Some file systems show the time of the last write instead (FAT), and others are
// unknown.
func (d *fileDriver) changesShow(path string, dev uint64, now int64) bool {
	return d.shared.changes.known(dev, now, func() (bool, error) {
		kind, err := d.files.Type(filepath.Dir(path))
		return slices.Contains(changeTimes, kind), err
	})
}

// changeTimes are the file systems with a POSIX ctime. The last stands for simulated
// file systems.
var changeTimes = []string{"apfs", "bcachefs", "btrfs", "ext4", "f2fs", "jfs", "nilfs", "overlay",
	"ramfs", "reiserfs", "tmpfs", "ubifs", "ufs", "xfs", "zfs", "simfs"}

// isAt reports whether a file that Lstat describes as now has the content of the kept
// read.
func (s *keptRead) isAt(now fsys.Info) bool {
	then := s.info
	return now.SameFile(then) && now.Size == then.Size && now.Mtime == then.Mtime &&
		now.Ctime == then.Ctime && now.Mode == then.Mode
}

func (t *keptReads) get(d *fileDriver, key string) *keptRead {
	if d.single != "" {
		return t.single.Load()
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byKey[key]
}

func (t *keptReads) put(d *fileDriver, key string, s *keptRead) {
	if d.single != "" {
		t.single.Store(s)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey == nil {
		t.byKey = map[string]*keptRead{}
	}
	t.forget(key)
	// Arbitrary reads are evicted: to track their use would cost each read a lock.
	for other := range t.byKey {
		if len(t.byKey) < maxKept && t.bytes+len(s.data) <= maxKeptBytes {
			break
		}
		t.forget(other)
	}
	if len(s.data) <= maxKeptBytes {
		t.byKey[key] = s
		t.bytes += len(s.data)
	}
}

// drop drops the kept read of a document.
func (t *keptReads) drop(d *fileDriver, key string) {
	if d.single != "" {
		t.single.Store(nil)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(key)
}

// forget drops the kept read of a key. The caller holds mu.
func (t *keptReads) forget(key string) {
	if s := t.byKey[key]; s != nil {
		t.bytes -= len(s.data)
		delete(t.byKey, key)
	}
}

// close drops all kept reads.
func (t *keptReads) close() {
	t.single.Store(nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byKey, t.bytes = nil, 0
}

// Read returns the document and its version. It takes no lock and never waits for a
// writer: it sees one whole version, the newest when the file was opened. An absent
// document is ErrNotExist and has the version Absent. A document that is not valid JSON
// is ErrInvalid; its bytes and version are returned all the same, for repair by
// CompareAndSwap.
//
// A handle keeps the documents that it has read. One system call checks the file's
// inode, size, mode and times; while they stay, Read returns the kept document. A file
// younger than 100 milliseconds when read is not kept: a change might not show in its
// times. The age is 2 seconds where times are coarse. On file systems where not each
// change shows, such as FAT, nothing is kept. A write through a memory mapping that has
// written to the page before does not show in the times, not even after msync: the
// program has to set the file's time afterwards, as touch does, or to replace the file.
// The bytes are shared with other callers and must not be changed.
func (d *Doc) Read(ctx context.Context) ([]byte, Version, error) {
	s, err := d.read(ctx)
	if err != nil {
		return s.data, s.version, d.error("read", err)
	}
	return s.data, s.version, nil
}

// read returns the document, which is valid under the limits of d unless there is an
// error. The result is never nil.
func (d *Doc) read(ctx context.Context) (s *keptRead, err error) {
	if d.keyErr != nil {
		return &keptRead{}, d.keyErr
	}
	if files := d.drv.files; files != nil {
		s, err = files.latest(ctx, d.key)
	} else {
		s = &keptRead{}
		s.data, s.version, err = d.drv.Read(ctx, d.key)
	}
	if err != nil {
		return &keptRead{}, err
	}
	d.db.stats.reads.Add(1)
	if s.version.IsAbsent() {
		return s, ErrNotExist
	}
	limits := d.opts.limits()
	if valid := s.valid.Load(); valid != nil && *valid == limits {
		return s, nil
	}
	if err := d.checkContent(s.data); err != nil {
		return s, err
	}
	checked := limits // a variable of its own, or each read would allocate one
	s.valid.Store(&checked)
	return s, nil
}
