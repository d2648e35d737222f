// The repair of a torn tail: the end of a live file that is no whole line, or that has zero
// bytes. A process that was killed in a write leaves the first, a power cut both.
//
//	copy      .NAME.torn.tmp gets the tail, and is flushed
//	name      it is renamed to .NAME.<number>.torn, and the directory is flushed
//	cut off   the live file is truncated; it is removed if it has no whole line
//
// The truncation needs no flush: that of the next record covers it, and if the tail comes
// back before, it is moved aside again. A repair that dies is begun again. If the tail has
// its name already, no second copy is made.

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// repair moves the end of the live file, from the last whole line up to a size, aside.
func (j *Journal) repair(size int64) error {
	l := &j.live
	tail := io.NewSectionReader(l.file, l.size, size-l.size)
	path, err := j.setAside(tail)
	if err != nil {
		return fmt.Errorf("move the torn tail aside: %w", err)
	}
	j.mended = append(j.mended, Repair{Journal: j.path, Path: path, Bytes: size - l.size,
		Seq: l.next()})
	if l.lines == 0 {
		err := j.files.Remove(j.path)
		j.forgetLive()
		return errors.Join(err, j.number())
	}
	if err := l.file.Truncate(l.size); err != nil {
		return fmt.Errorf("cut the torn tail off: %w", err)
	}
	return nil
}

// setAside copies a torn tail to a file of its own, and makes it durable.
func (j *Journal) setAside(tail *io.SectionReader) (path string, err error) {
	temp := j.tornTemp()
	if err := ignoreNotExist(j.files.Remove(temp)); err != nil {
		return "", err
	}
	file, err := j.files.Open(temp, fsys.OpenNew, j.live.info.Mode.Perm()&0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(plainWriter{file}, tail)
	if err == nil {
		err = file.Sync()
	}
	file.Close()
	for n := 0; err == nil; n++ {
		path = j.tornName(j.live.next(), n)
		err = j.files.Rename(temp, path, fsys.NoReplace)
		if err == nil {
			return path, j.syncDir()
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		var same bool
		if same, err = j.hasContent(path, tail); err == nil && same {
			// A repair died before it cut the tail off. The name may not be on the device.
			return path, errors.Join(j.files.Remove(temp), j.syncDir())
		}
	}
	return "", errors.Join(err, ignoreNotExist(j.files.Remove(temp)))
}

// plainWriter hides all methods of a file but Write from io.Copy.
type plainWriter struct{ io.Writer }

// hasContent reports whether a file has this content.
func (j *Journal) hasContent(path string, want *io.SectionReader) (bool, error) {
	file, err := j.files.Open(path, fsys.OpenExisting, 0)
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size != want.Size() {
		return false, err
	}
	var a, b [32 << 10]byte
	for at := int64(0); at < info.Size; {
		n := min(int64(len(a)), info.Size-at)
		_, errA := want.ReadAt(a[:n], at)
		_, errB := file.ReadAt(b[:n], at)
		if errA != nil && !errors.Is(errA, io.EOF) || errB != nil && !errors.Is(errB, io.EOF) {
			return false, errors.Join(errA, errB)
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return false, nil
		}
		at += n
	}
	return true, nil
}
