// Tidying: compression and removal of segments. No append waits for it, except for the
// steps under the lock:
//
//	compress  .NAME.gz.tmp gets the compressed segment, and is flushed. Its writer holds a
//	          lock on it, so that two do not write it at once
//	lock      the journal's
//	flush     the directory, so that the rotation is on the device
//	name      the file is renamed to the segment's name and .gz, and the directory is flushed
//	remove    the uncompressed segment
//	unlock
//
// A death leaves the temporary file, which the next one uses, or both segments, which have
// the same records.

package journal

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// tidyWait bounds the wait for the lock, so that Close does not wait for a program that
// holds it.
const tidyWait = 10 * time.Second

// startTidying tidies on another goroutine, which Close waits for.
func (j *Journal) startTidying() {
	j.mu.Lock()
	start := !j.closed && !j.tidies
	if start {
		j.tidies = true
		j.tidying.Add(1)
	}
	j.mu.Unlock()
	if !start {
		return
	}
	j.background(func() {
		defer j.tidying.Done()
		err := j.tidy(context.Background())
		j.mu.Lock()
		j.tidies = false
		j.mu.Unlock()
		if err != nil {
			j.opts.OnTidy(j.wrap("tidy", err))
		}
	})
}

// tidy compresses and removes segments.
func (j *Journal) tidy(ctx context.Context) error {
	segments, err := j.list()
	if err != nil {
		return err
	}
	for _, s := range segments {
		if s.Compressed || j.opts.Plain {
			continue
		}
		if err := j.compress(ctx, s); err != nil {
			return err
		}
	}
	if j.opts.Retention == (Retention{}) {
		return nil
	}
	return j.exclusivelySoon(ctx, j.retain)
}

func (j *Journal) exclusivelySoon(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, tidyWait)
	defer cancel()
	return j.exclusively(ctx, ctx, do)
}

// compress replaces a segment by a compressed one.
func (j *Journal) compress(ctx context.Context, s Segment) error {
	plain, err := j.files.Open(s.Path, fsys.OpenExisting, 0)
	if err != nil {
		return ignoreNotExist(err) // removed meanwhile
	}
	defer plain.Close()
	info, err := plain.Stat()
	if err != nil {
		return err
	}
	temp, err := j.openTemp()
	if temp == nil {
		return err
	}
	defer temp.Close()
	if err = zip(ctx, temp, plain); err == nil {
		err = likeSegment(temp, info)
	}
	if err == nil {
		err = j.replaceSegment(ctx, s)
	}
	if err != nil {
		// On a full disk the space is needed. Its lock is held, and it has not been
		// renamed.
		return errors.Join(err, ignoreNotExist(j.files.Remove(j.gzTemp())))
	}
	return nil
}

// likeSegment gives a compressed segment the access and the time of the segment, and
// flushes it.
func likeSegment(temp fsys.File, segment fsys.Info) error {
	is, err := temp.Stat()
	if err != nil {
		return err
	}
	giveAccess(temp, is, segment)
	if err := temp.SetMtime(segment.Mtime); err != nil { // the age is that of the last record
		return err
	}
	return temp.Sync()
}

// replaceSegment publishes the temporary file in the place of a segment.
func (j *Journal) replaceSegment(ctx context.Context, s Segment) error {
	return j.exclusivelySoon(ctx, func() error {
		if _, err := j.files.Lstat(s.Path); err != nil {
			// Retention has removed the segment: it must not come back.
			return errors.Join(ignoreNotExist(err), ignoreNotExist(j.files.Remove(j.gzTemp())))
		}
		// A power cut must not keep the compressed segment and lose the rotation: the
		// records would be in the live file too.
		if err := j.syncDir(); err != nil {
			return err
		}
		if err := j.files.Rename(j.gzTemp(), s.Path+gzSuffix, fsys.Replace); err != nil {
			return err
		}
		if err := j.syncDir(); err != nil {
			return err
		}
		return ignoreNotExist(j.files.Remove(s.Path))
	})
}

// openTemp opens and locks the temporary file. It returns nil if another process has it.
func (j *Journal) openTemp() (fsys.File, error) {
	for {
		file, err := j.files.Open(j.gzTemp(), fsys.OpenLock, 0o600)
		if err != nil {
			return nil, err
		}
		locked, err := file.TryLock()
		if err != nil || !locked {
			file.Close()
			return nil, err
		}
		is, err := file.Stat()
		if err == nil {
			var named fsys.Info
			named, err = j.files.Lstat(j.gzTemp())
			if err == nil && named.SameFile(is) {
				if err = j.isOwn(is); err == nil {
					err = file.Truncate(0)
				}
				if err == nil {
					return file, nil
				}
			}
		}
		file.Close() // it has become a segment
		if ignoreNotExist(err) != nil {
			return nil, err
		}
	}
}

// isOwn is an error if another user may have made the temporary file: that user could read
// the segment, or have linked the name to another file.
func (j *Journal) isOwn(temp fsys.Info) error {
	ours := j.simulated || os.Geteuid() < 0 || temp.UID == uint32(os.Geteuid())
	if temp.Mode.IsRegular() && temp.Links == 1 && ours {
		return nil
	}
	return fmt.Errorf("%s belongs to another user, or has another name; remove it", j.gzTemp())
}

// zip writes compressed data.
func zip(ctx context.Context, to io.Writer, from io.Reader) error {
	zipped := gzip.NewWriter(plainWriter{to})
	buf := make([]byte, 256<<10)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := from.Read(buf)
		if _, err := zipped.Write(buf[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return zipped.Close()
		}
		if err != nil {
			return err
		}
	}
}

// retain removes the segments that Retention does not keep. The caller has the lock.
// Rotations and each removal are flushed before the next one, so that a power cut leaves
// no gap between segments.
func (j *Journal) retain() error {
	segments, err := j.list()
	if err != nil {
		return err
	}
	keep := j.opts.Retention
	var groups []group
	total := int64(0)
	for _, s := range segments {
		info, err := j.files.Lstat(s.Path)
		if err != nil {
			return err
		}
		if len(groups) == 0 || groups[len(groups)-1].last != s.Last {
			groups = append(groups, group{last: s.Last})
		}
		g := &groups[len(groups)-1]
		g.paths, g.bytes, g.mtime = append(g.paths, s.Path), g.bytes+info.Size, info.Mtime
		total += info.Size
	}
	for len(groups) > 1 { // the newest has the numbers on which the live file goes on
		g := groups[0]
		old := keep.Age > 0 && time.Duration(j.files.Now()-g.mtime) >= keep.Age
		if !old && (keep.Segments == 0 || len(groups) <= keep.Segments) &&
			(keep.Bytes == 0 || total <= keep.Bytes) {
			break
		}
		if err := j.syncDir(); err != nil {
			return err
		}
		for _, path := range g.paths {
			if err := ignoreNotExist(j.files.Remove(path)); err != nil {
				return err
			}
		}
		groups, total = groups[1:], total-g.bytes
	}
	return nil
}

// group is a segment with its compressed copy.
type group struct {
	paths []string
	last  uint64
	bytes int64
	mtime int64
}
