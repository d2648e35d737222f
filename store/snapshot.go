// Snapshots of a directory: all of its documents at one moment, in one file.
//
//	stage    a temporary file that is locked, as for a document
//	collect  the documents, into that file (collect.go)
//	index    of what the documents were at one moment, and checksums (archive.go)
//	flush
//	publish  a rename that replaces nothing. This is the linearization point for those who list
//	         snapshots. What is in it was so at an earlier moment of the call
//	settle   flush the directory
//
// A process that dies before the publish leaves the temporary file. Who makes or deletes
// the next snapshot removes it. A file that is published is never written to again, and is no
// other file's second name: a program that writes into a document changes no snapshot.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// SnapshotInfo describes a snapshot.
type SnapshotInfo struct {
	Name      string
	Path      string    // of its file, absolute
	Created   time.Time // when its documents had been read
	Documents int
	Bytes     int64 // of its documents
	Size      int64 // of its file, in bytes
	// Problem says why it cannot be used: its file is torn or was changed, may not be read, or
	// may be another user's in a sticky directory. It is nil if it can.
	Problem error
}

// CreateSnapshot makes a snapshot of all documents of the directory, with their content, as
// they were together at one moment during the call: of each transaction it has all or
// nothing, and with an update everything that was acknowledged before that update began.
// Documents that are not valid JSON are in it as they are.
//
// The name may be used as a key without slashes, and must be new: else the error is ErrExist.
// If name is empty, the snapshot is named for the time, as 20060102T150405.000000000Z.
//
// Writers are not waited for as long as their documents can be read between their writes. If
// documents keep changing, their locks are taken for a moment, and as a last resort those of
// all: each takes a file descriptor, as does each document that has changed within 100 ms.
// Where documents are created and deleted faster than the directory can be listed,
// CreateSnapshot tries until its context ends, or as Options.Retry says; then the error is
// ErrConflict.
//
// The snapshot is one file in the directory, .NAME.snapshot. It is as durable as
// Options.Durability says. Those may read it who may read every document in it: if one is
// private, only its owner may. The error is ErrUnsupported where documents are not files.
func (db *DB) CreateSnapshot(ctx context.Context, name string) (SnapshotInfo, error) {
	info := SnapshotInfo{}
	files, err := db.onSnapshot(name)
	if err == nil {
		if name == "" {
			name = time.Unix(0, files.files.Now()).UTC().Format("20060102T150405.000000000Z")
		}
		info, err = files.createSnapshot(ctx, db, name)
	}
	if err != nil {
		err = &Error{"create snapshot", db.snapshotName(name), err}
	}
	if info.Name != "" {
		info.Path = filepath.Join(db.where, names.Snapshot(name))
	}
	return info, err
}

// Snapshots returns the snapshots of the directory, the oldest first. A snapshot that cannot be
// used is among them, with its Problem. In a sticky directory files of users who may not
// replace its documents are no snapshots; Problem is set for them too.
func (db *DB) Snapshots(ctx context.Context) ([]SnapshotInfo, error) {
	files, err := db.onSnapshot("")
	var found []*SnapshotInfo
	if err == nil {
		found, err = files.listSnapshots(ctx)
	}
	if err != nil {
		return nil, &Error{"list snapshots", db.where, err}
	}
	var all []SnapshotInfo
	for _, info := range found {
		info.Path = filepath.Join(db.where, names.Snapshot(info.Name))
		all = append(all, *info)
	}
	return all, nil
}

// DeleteSnapshot removes a snapshot. One that is open can still be read, but not on Windows.
// If there is none with that name, the error is ErrNotExist. It also removes what dead makers
// of snapshots have left.
func (db *DB) DeleteSnapshot(ctx context.Context, name string) error {
	files, err := db.onSnapshot(name)
	if err == nil && name == "" {
		err = fmt.Errorf("%w: the name of the snapshot is empty", ErrKey)
	}
	if err == nil {
		err = files.deleteSnapshot(ctx, name)
	}
	if err != nil {
		return &Error{"delete snapshot", db.snapshotName(name), err}
	}
	return nil
}

// onSnapshot returns the driver of a directory, if name can be that of a snapshot or is empty.
func (db *DB) onSnapshot(name string) (*fileDriver, error) {
	files := db.drv.files
	switch {
	case files == nil || db.single:
		return nil, fmt.Errorf("%w: snapshots are of a directory of documents in files",
			ErrUnsupported)
	case db.closed.Load():
		return nil, ErrClosed
	case strings.Contains(name, "/"):
		return nil, fmt.Errorf("%w: the name of a snapshot has no slash", ErrKey)
	case name != "":
		return files, checkKey(name)
	}
	return files, nil
}

// snapshotName is what a snapshot is called in messages.
func (db *DB) snapshotName(name string) string {
	if _, err := db.onSnapshot(name); err != nil || name == "" || db.where == "" {
		return cmp.Or(name, db.where)
	}
	return filepath.Join(db.where, names.Snapshot(name))
}

func (d *fileDriver) createSnapshot(
	ctx context.Context, db *DB, name string,
) (info SnapshotInfo, err error) {
	d.sweepSnapshots()
	path := names.Snapshot(name)
	if _, err := d.files.Lstat(path); err == nil {
		return info, errSnapshotExists
	}
	s, err := d.createStaged(path, 0o600)
	if err != nil {
		return info, fmt.Errorf("make the file of the snapshot: %w", err)
	}
	defer s.discard()
	if err := d.checkDevice(s.path, s.info.Dev); err != nil {
		return info, err
	}
	out, err := newArchive(s.file)
	if err != nil {
		return info, err
	}
	access := snapshotAccess{d: d, own: s.info, bits: 0o044}
	c := &collector{ctx: ctx, db: db, d: d}
	c.keep = func(e *collected, data []byte) (int64, error) {
		if err := access.document(e); err != nil {
			return 0, err
		}
		return out.add(data)
	}
	defer c.close()
	if err := c.collect(); err != nil {
		return info, err
	}
	created := time.Unix(0, d.files.Now()).UTC()
	var entries []archived
	for _, e := range c.sorted() {
		if e.exists {
			entries = append(entries, archived{e.key, e.at, e.s.version,
				time.Unix(0, e.s.info.Mtime).UTC()})
		}
	}
	tail, err := out.end(entries, created)
	if err == nil {
		err = access.set(s.file)
	}
	if err != nil {
		return info, err
	}
	info = SnapshotInfo{Name: name, Created: created, Documents: tail.Documents,
		Bytes: tail.Bytes, Size: out.at}
	return info, d.publishSnapshot(s, path)
}

var errSnapshotExists = fmt.Errorf("%w: there is a snapshot with this name (%w)", ErrConflict,
	ErrExist)

// publishSnapshot gives the staged file its name, and makes that durable.
func (d *fileDriver) publishSnapshot(s *staged, path string) error {
	if d.opts.Durability != Volatile {
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("flush the snapshot: %w", err)
		}
	}
	dir, err := d.files.OpenDir(".") // no open can fail after the publish
	if err != nil {
		return fmt.Errorf("open the directory, to flush it: %w", err)
	}
	defer dir.Close()
	named, err := s.isNamed()
	if err == nil && !named {
		err = errors.New("the temporary file of the snapshot has lost its name: another program " +
			"has removed it")
	}
	if err != nil {
		return err
	}
	err = d.files.Rename(s.path, path, fsys.NoReplace)
	if err != nil {
		now, lstatErr := d.files.Lstat(path)
		switch {
		case lstatErr == nil && now.SameFile(s.info): // it has happened all the same
		case lstatErr == nil && errors.Is(err, fs.ErrExist):
			return errSnapshotExists
		case lstatErr != nil && !errors.Is(lstatErr, fs.ErrNotExist):
			s.keep = true
			return fmt.Errorf("%w: name the snapshot: %w", ErrUnknown, errors.Join(err, lstatErr))
		default:
			return fmt.Errorf("name the snapshot: %w", err)
		}
	}
	s.keep = true
	return d.settleSnapshot(dir)
}

// settleSnapshot makes the names in the directory durable.
func (d *fileDriver) settleSnapshot(dir fsys.Dir) error {
	if d.opts.Durability != Durable {
		return nil
	}
	err := dir.Sync()
	if err == nil {
		// As in Attempt.Settle: of several flushes that wait for one commit that fails, one
		// reports success.
		if err = dir.StillWrites(); errors.Is(err, fs.ErrPermission) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("%w: flush the directory: %w", ErrNotDurable, err)
	}
	return nil
}

// openArchive opens the file of a snapshot that is believed, and reads its end.
func (d *fileDriver) openArchive(name string) (
	file fsys.File, info fsys.Info, tail archiveTail, err error,
) {
	path := names.Snapshot(name)
	if file, err = d.files.Open(path, fsys.OpenExisting, 0); err != nil {
		return nil, info, tail, missingSnapshot(err)
	}
	if info, err = file.Stat(); err == nil {
		err = checkRegular(info)
	}
	if err == nil {
		err = d.believesSnapshot(info)
	}
	if err == nil {
		tail, err = readTail(file, info.Size)
	}
	if err != nil {
		file.Close()
		return nil, info, tail, err
	}
	return file, info, tail, nil
}

// missingSnapshot is the error for a snapshot that cannot be found.
func missingSnapshot(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no snapshot with this name (%w)", ErrNotExist)
	}
	return err
}

// believesSnapshot is an error if another user may have made a snapshot, whom a sticky
// directory keeps from the documents.
func (d *fileDriver) believesSnapshot(found fsys.Info) error {
	dir, err := d.files.Lstat(".")
	if err != nil || dir.Mode&fs.ModeSticky == 0 {
		return err
	}
	if !isTrusted(found, dir) || found.Links != 1 {
		return fmt.Errorf("the file of the snapshot is of user %d, in a sticky directory, where "+
			"it is not believed; copy it to a file of yours: %w", found.UID, fs.ErrPermission)
	}
	return nil
}

func (d *fileDriver) listSnapshots(ctx context.Context) (all []*SnapshotInfo, err error) {
	entries, err := d.files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name, ok := names.IsSnapshot(entry.Name, false)
		if !ok || checkKey(name) != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		info := &SnapshotInfo{Name: name}
		file, found, tail, err := d.openArchive(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // deleted meanwhile
		case err == nil:
			file.Close()
			info.Created, info.Documents, info.Bytes = tail.Created, tail.Documents, tail.Bytes
		default:
			info.Problem = err
			info.Created = time.Unix(0, found.Mtime).UTC()
		}
		info.Size = found.Size
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b *SnapshotInfo) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

func (d *fileDriver) deleteSnapshot(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.sweepSnapshots()
	path := names.Snapshot(name)
	info, err := d.files.Lstat(path)
	if err != nil {
		return missingSnapshot(err)
	}
	if err := checkRegular(info); err != nil {
		return err
	}
	dir, err := d.files.OpenDir(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := d.removeDocument(path); err != nil {
		return err
	}
	return d.settleSnapshot(dir)
}

// sweepSnapshots removes the temporary files of dead processes that were making snapshots.
func (d *fileDriver) sweepSnapshots() {
	entries, err := d.files.ReadDir(".")
	if err != nil {
		return // the next one does it
	}
	o := orphanage{d: d, remove: true, valid: true}
	for _, entry := range entries {
		name, ok := names.IsSnapshot(entry.Name, true)
		if ok && checkKey(name) == nil && entry.Type.IsRegular() {
			_, _ = o.take(entry.Name, names.Snapshot(name), "")
		}
	}
}
