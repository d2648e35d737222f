// The live file, to which records are appended: what a handle knows of it, and how it
// finds out.
//
// All of it happens under the lock. A handle counts lines from where it counted last.
// Others append in between, and may have rotated the file.

package journal

import (
	"bytes"
	"errors"
	"io"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

// liveFile is what a handle knows of the live file. Only the goroutine with the turn uses
// it.
type liveFile struct {
	file  fsys.File // open for appending; nil if none is
	info  fsys.Info // which file it is
	first uint64    // the number of its first record
	lines uint64    // whole lines so far
	size  int64     // their length in bytes
	born  int64     // when the file was made: the time of the lock file
	named bool      // its name is on the device
}

// next is the number of the next record.
func (l *liveFile) next() uint64 { return l.first + l.lines }

// forgetLive closes the live file.
func (j *Journal) forgetLive() {
	if j.live.file != nil {
		j.live.file.Close()
	}
	j.live = liveFile{born: j.live.born}
}

// refresh finds the live file, repairs its end, and counts its lines. If there is no live
// file, it only finds the number of the next record.
func (j *Journal) refresh() error {
	info, err := j.files.Lstat(j.path)
	switch {
	case isGone(err):
		if j.live.file != nil || j.live.first == 0 {
			j.forgetLive()
		}
		return j.number()
	case err != nil:
		return err
	case j.live.file != nil && info.SameFile(j.live.info) && info.Size >= j.live.size:
	default:
		if err := j.openLive(); err != nil {
			return err
		}
	}
	if info.Size == j.live.size {
		return nil
	}
	return j.count(info.Size)
}

// number finds the number of the live file's first record.
func (j *Journal) number() error {
	segments, err := j.list()
	if err == nil {
		j.live.first = next(segments)
	}
	return err
}

// openLive opens the live file, or makes it.
func (j *Journal) openLive() error {
	j.forgetLive()
	if err := j.number(); err != nil {
		return err
	}
	perm := j.opts.Perm
	if j.live.first > 1 {
		perm &= 0o600 // likeLast gives it more
	}
	file, err := j.files.Open(j.path, fsys.OpenAppend, perm)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode.IsRegular() {
		err = errors.New("is no plain file")
	}
	if err != nil {
		file.Close()
		return err
	}
	j.live.file, j.live.info = file, info
	return nil
}

// create makes the live file. The renaming of the one before must be on the device first:
// a power cut could else keep the new name and lose the old file.
func (j *Journal) create() error {
	if j.opts.Durability != store.Volatile {
		if err := j.syncDir(); err != nil {
			return err
		}
	}
	j.touchLock()
	if err := j.openLive(); err != nil {
		return err
	}
	j.likeLast()
	return nil
}

// likeLast gives a new live file the access of the newest segment.
func (j *Journal) likeLast() {
	segments, err := j.list()
	if err != nil || len(segments) == 0 {
		return
	}
	if like, err := j.files.Lstat(segments[len(segments)-1].Path); err == nil {
		giveAccess(j.live.file, j.live.info, like)
	}
}

// giveAccess gives a file the owner, group and mode of another. What cannot be given
// narrows access.
func giveAccess(file fsys.File, is, like fsys.Info) {
	mode := like.Mode.Perm()
	if (is.UID != like.UID || is.GID != like.GID) && file.Chown(like.UID, like.GID) != nil {
		mode &= 0o700
	}
	_ = file.Chmod(mode) // after the owner: chown clears bits
}

// count counts the lines that were added since the last time, and moves what is no whole
// line aside. The file has the given size.
func (j *Journal) count(size int64) error {
	l := &j.live
	buf := make([]byte, min(size-l.size+1, chunk)) // one more, to see the end
	whole, lines := l.size, l.lines                // up to the last line end
	at, torn := l.size, false
	for !torn {
		n, err := l.file.ReadAt(buf, at)
		chunk := buf[:n]
		// No value has a zero byte. It is a block that was not on the device when the power
		// was cut: no flush has ended since that line was written.
		if zero := bytes.IndexByte(chunk, 0); zero >= 0 {
			chunk, torn = chunk[:zero], true
		}
		if end := bytes.LastIndexByte(chunk, '\n'); end >= 0 {
			lines += uint64(bytes.Count(chunk[:end+1], []byte{'\n'}))
			whole = at + int64(end) + 1
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			break
		}
		if err != nil {
			return err
		}
	}
	l.size, l.lines = whole, lines
	if !torn && at == whole {
		return nil
	}
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	return j.repair(info.Size)
}
