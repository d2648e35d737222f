// Rotation: the live file becomes a segment. One rename does it, so that a process that
// dies leaves nothing half done:
//
//	flush   the live file, since a later record may be flushed before this segment is
//	rename  to the numbers of its records
//
// The next append finds no live file. It flushes the directory, so that the rename is on
// the device, and makes the new one.

package journal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

func (j *Journal) dir() string { return filepath.Dir(j.path) }

// syncDir makes names durable. After an error all further calls fail: the kernel would
// report success without having written what the first one could not.
func (j *Journal) syncDir() error {
	if j.unflushed != nil {
		return j.unflushed
	}
	if err := fsys.SyncDir(j.files, j.dir()); err != nil {
		j.unflushed = fmt.Errorf("flush the directory: %w; check the device, and open the "+
			"journal again", err)
	}
	return j.unflushed
}

// Rotate turns the live file into a segment now, compresses segments and removes those that
// Retention no longer keeps. It returns the new segment, with the numbers 0 if the live
// file has no records. The rotation takes place at a rename. After an error it may have
// taken place.
func (j *Journal) Rotate(ctx context.Context) (Segment, error) {
	var made Segment
	if j.isClosed() {
		return made, j.wrap("rotate", store.ErrClosed)
	}
	err := j.exclusively(ctx, j.ending, func() (err error) {
		if err = j.refresh(); err == nil && j.live.lines > 0 {
			made, err = j.rotate()
		}
		if err == nil && j.opts.Durability != store.Volatile {
			err = j.syncDir()
		}
		return err
	})
	if err == nil {
		err = j.tidy(ctx)
	}
	if _, lstatErr := j.files.Lstat(made.Path + gzSuffix); made.First > 0 && lstatErr == nil {
		made.Path, made.Compressed = made.Path+gzSuffix, true
	}
	return made, j.wrap("rotate", err)
}

// isDue reports whether the live file is to be rotated before the next batch.
func (j *Journal) isDue() bool {
	l := &j.live
	if l.lines == 0 {
		return false
	}
	if j.opts.MaxAge > 0 && j.files.Now()-l.born >= int64(j.opts.MaxAge) {
		return true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.opts.MaxBytes > 0 && len(j.queue) > 0 &&
		l.size+int64(len(j.queue[0].data)) > j.opts.MaxBytes
}

// rotate renames the live file. It has records, and the caller has the lock. If the flush
// fails the file is renamed all the same, so that no later record comes behind what may
// not be on the device.
func (j *Journal) rotate() (Segment, error) {
	var syncErr error
	if j.opts.Durability != store.Volatile {
		syncErr = j.live.file.Sync()
	}
	made, err := j.rename()
	if syncErr != nil {
		err = errors.Join(fmt.Errorf("flush the journal: %w", syncErr), err)
	}
	return made, err
}

func (j *Journal) rename() (Segment, error) {
	l := &j.live
	made := Segment{First: l.first, Last: l.next() - 1}
	made.Path = segmentName(j.path, made.First, made.Last)
	if err := j.files.Rename(j.path, made.Path, fsys.NoReplace); err != nil {
		return Segment{}, err // if it has happened all the same, refresh finds that out
	}
	j.forgetLive()
	return made, nil
}

// seal rotates the live file after a failed flush. What was written since the last one
// may not be on the device, and no further flush would say so. Records behind it would be
// lost with it.
func (j *Journal) seal(ctx context.Context) {
	failed := j.live.info
	ctx = context.WithoutCancel(ctx)
	if j.acquire(ctx, ctx) == nil {
		if j.live.file != nil && j.refresh() == nil && j.live.info.SameFile(failed) &&
			j.live.lines > 0 {
			_, _ = j.rename()
		}
		j.lock.Release()
	}
	j.forgetLive()
}
