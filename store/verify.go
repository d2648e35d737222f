// The check that the document still has the version that was read.

package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// isReplaced reports whether the document seems replaced or changed since the read.
func (a *attempt) isReplaced() bool {
	now, err := a.d.files.Lstat(a.path)
	if err != nil {
		return !a.current.version.IsAbsent()
	}
	read := a.current.info
	return !now.SameFile(read) || now.Mtime != read.Mtime || now.Size != read.Size
}

// verify checks that the document still has the version that was read, and returns the
// current info of its file.
func (a *attempt) verify(ctx context.Context) (fsys.Info, error) {
	moved, err := a.moved()
	if err != nil {
		return fsys.Info{}, err
	}
	if moved == "" {
		now, err := a.verifyAt(ctx, a.path)
		if err == nil {
			err = a.stillLocked()
		}
		return now, err
	}
	s, err := a.d.load(ctx, moved, a.mode)
	if err != nil {
		return fsys.Info{}, err
	}
	defer s.close()
	return s.info, a.conflict(s.version)
}

// stillLocked returns a conflict if the lock held is no longer the file at the lock's
// path, since a program has replaced the directory. If the lock was taken last, the
// staged file shows that. A volatile update is too short for this check to pay.
func (a *attempt) stillLocked() error {
	if a.held == nil || !a.lockedFirst || a.d.opts.Durability == Volatile {
		return nil
	}
	now, err := a.d.files.Lstat(a.held.Entry.Path)
	if ignoreNotExist(err) != nil {
		return err
	}
	if err != nil || !now.SameFile(a.held.Entry.Info) {
		return a.conflict(a.current.version)
	}
	return nil
}

// verifyAt is verify for the file at path instead of the document.
func (a *attempt) verifyAt(ctx context.Context, path string) (fsys.Info, error) {
	now, err := a.d.files.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if a.current.version.IsAbsent() {
			return now, nil
		}
		return now, a.conflict(driver.Absent)
	}
	if err != nil {
		return now, err
	}
	// The version read is open: the inode is the same if and only if its number is.
	if a.current.file != nil && now.SameFile(a.current.info) {
		if same, err := a.unchanged(now); same || err != nil {
			return now, err
		}
	}
	s, err := a.d.load(ctx, path, a.mode)
	if err != nil {
		return now, err
	}
	defer s.close()
	exactly := a.mode == VersionHash || a.current.young ||
		!a.current.version.IsAbsent() && now.SameFile(a.current.info)
	if s.version != a.current.version || exactly && !bytes.Equal(s.data, a.current.data) {
		return now, a.conflict(s.version)
	}
	return s.info, nil
}

// unchanged reports whether the file that was read still has the version that it had.
// Now is the current info of the file.
func (a *attempt) unchanged(now fsys.Info) (bool, error) {
	read := a.current
	if a.mode == VersionMtime {
		same := now.Mtime == read.info.Mtime && now.Size == read.info.Size
		if !same || !read.young && now.Ctime == read.info.Ctime {
			return same, nil
		}
	}
	if now.Size != int64(len(read.data)) {
		return false, nil
	}
	chunk := make([]byte, min(len(read.data), 64<<10))
	for at := 0; at < len(read.data); {
		n, err := read.file.ReadAt(chunk[:min(len(chunk), len(read.data)-at)], int64(at))
		if !bytes.Equal(chunk[:n], read.data[at:at+n]) {
			return false, nil
		}
		if at += n; err != nil && at < len(read.data) {
			return false, ignoreEnd(err) // another program truncates it
		}
	}
	return true, nil
}

func ignoreEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// verifyFor verifies. If a program has changed metadata that a version does not cover,
// such as the mode of the file, s gets that too.
func (a *attempt) verifyFor(ctx context.Context, s *staged) error {
	now, err := a.verify(ctx)
	if err != nil || a.current.version.IsAbsent() {
		return err
	}
	a.past.file = now
	return a.keepUp(s, now)
}

// keepUp gives s the access that the document has by now.
func (a *attempt) keepUp(s *staged, now fsys.Info) (err error) {
	read := a.current.info
	same := now.SameFile(read) && now.Ctime == read.Ctime && now.Mode == read.Mode &&
		now.UID == read.UID && now.GID == read.GID
	if same && (now.Mtime < s.info.Mtime || !s.fine) {
		return nil
	}
	from := a.current.file
	if !now.SameFile(read) {
		if from, err = a.d.files.Open(a.path, fsys.OpenExisting, 0); err != nil {
			return err
		}
		defer from.Close()
	}
	if err := s.takeAccess(now, from); err != nil {
		return err
	}
	if err := s.stamp(now.Mtime); err != nil {
		return err
	}
	return a.flushAccess(s)
}

// flushAccess flushes a change of access or time of a file that was flushed before.
func (a *attempt) flushAccess(s *staged) error {
	if a.d.opts.Durability == Volatile || s.order == JournalOrder {
		return nil // the journal has this change before the rename too
	}
	return s.file.Sync()
}
