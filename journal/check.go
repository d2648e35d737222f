// Checking: what a journal's files have, and what is wrong with them.

package journal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// Report is what Check finds. Nothing is wrong with the journal if Corrupt is empty.
type Report struct {
	// Segments are in the order of their numbers. The last one is the live file, if it
	// exists.
	Segments []FileReport
	Corrupt  []*CorruptError
	// TornBytes is the length of an unfinished line at the end of the live file, which a
	// process that was killed has left. The next Append moves it aside.
	TornBytes int64
	// Torn are files with torn tails that were moved aside. They have nothing that was
	// acknowledged, and can be removed.
	Torn []string
}

// FileReport is a file of a journal.
type FileReport struct {
	Segment // Last of the live file is First-1 if it is empty
	Live    bool
	Bytes   int64
	ModTime time.Time
}

// Records is the number of its records.
func (f FileReport) Records() uint64 { return f.Last + 1 - f.First }

// Check reads all files of the journal. It changes nothing, and takes the lock only to
// look at the end of the live file. The error is fs.ErrNotExist if there is no journal; a
// corrupt one is no error.
func (j *Journal) Check(ctx context.Context) (Report, error) {
	report, err := j.check(ctx)
	return report, j.wrap("check", err)
}

func (j *Journal) check(ctx context.Context) (r Report, err error) {
	found, err := j.snapshot()
	if err != nil {
		return r, err
	}
	if found.live == nil && len(found.segments) == 0 {
		return r, fs.ErrNotExist
	}
	after := uint64(0) // the last number so far
	for _, s := range found.segments {
		if len(r.Segments) > 0 && after > 0 && s.First > after+1 {
			r.bad("", after+1, s.First-1, corrupt("no segment has them"))
		}
		if err := r.segment(ctx, j, s); err != nil && !isGone(err) {
			return r, err
		}
		after = max(after, s.Last)
	}
	if found.live != nil {
		s := Segment{Path: j.path, First: after + 1}
		if err := r.file(ctx, j, found.live, s); err != nil {
			return r, err
		}
		err := j.exclusively(ctx, j.ending, func() (err error) {
			r.TornBytes, err = j.tornBytes()
			return err
		})
		if err != nil && !errors.Is(err, store.ErrLocked) {
			return r, err
		}
	}
	r.Torn, err = j.tornFiles()
	return r, err
}

func (r *Report) bad(path string, first, last uint64, err error) {
	r.Corrupt = append(r.Corrupt, &CorruptError{path, first, last, err})
}

func (r *Report) segment(ctx context.Context, j *Journal, s Segment) error {
	file, err := j.files.Open(s.Path, fsys.OpenExisting, 0)
	if err != nil {
		return err
	}
	return r.file(ctx, j, file, s)
}

// file checks all lines of a file, and closes it.
func (r *Report) file(ctx context.Context, j *Journal, file fsys.File, s Segment) error {
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	about := FileReport{Segment: s, Live: s.Last == 0, Bytes: info.Size,
		ModTime: time.Unix(0, info.Mtime)}
	src, err := newSource(file, s, j.opts.MaxSize)
	for err == nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var line []byte
		var seq uint64
		if line, seq, err = src.line(); err == nil {
			if wrong := splice.Check(line, anyKeys); wrong != nil {
				r.bad(s.Path, seq, seq, corrupt("%w", wrong))
			}
		} else if errors.Is(err, errLong) {
			r.bad(s.Path, seq, seq, corrupt("%w", err))
			err = nil
		}
	}
	next := s.First
	if src != nil {
		next = src.seq
	}
	switch {
	case err != io.EOF && !errors.Is(err, ErrCorrupt):
		return err
	case about.Live:
		about.Last = next - 1
	case err != io.EOF:
		r.bad(s.Path, min(next, s.Last), s.Last, err)
	case next <= s.Last:
		r.bad(s.Path, next, s.Last, corrupt("the file ends after record %d", next-1))
	case next > s.Last+1:
		r.bad(s.Path, s.Last+1, next-1, corrupt("the file has more lines than its name says"))
	}
	r.Segments = append(r.Segments, about)
	return nil
}

// tornBytes is the length of the end of the live file behind its last line end. The
// caller has the lock, so that no line is being written.
func (j *Journal) tornBytes() (int64, error) {
	file, err := j.files.Open(j.path, fsys.OpenExisting, 0)
	if err != nil {
		return 0, ignoreNotExist(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, min(info.Size, chunk))
	for end := info.Size; end > 0; {
		from := max(0, end-int64(len(buf)))
		n, err := file.ReadAt(buf[:end-from], from)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if at := bytes.LastIndexByte(buf[:n], '\n'); at >= 0 {
			return info.Size - (from + int64(at) + 1), nil
		}
		end = from
	}
	return info.Size, nil
}

// tornFiles lists the torn tails that were moved aside.
func (j *Journal) tornFiles() (paths []string, err error) {
	dir, base := filepath.Dir(j.path), filepath.Base(j.path)
	entries, err := j.files.ReadDir(dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name, "."+base+".") &&
			strings.HasSuffix(entry.Name, tornSuffix) {
			paths = append(paths, filepath.Join(dir, entry.Name))
		}
	}
	slices.Sort(paths)
	return paths, err
}

// Last returns the number of the last record, or 0 if there is none. It is fs.ErrNotExist
// if there is no journal. It reads the live file.
func (j *Journal) Last(ctx context.Context) (uint64, error) {
	last, err := j.lastNumber(ctx)
	return last, j.wrap("read", err)
}

func (j *Journal) lastNumber(ctx context.Context) (uint64, error) {
	found, err := j.snapshot()
	if err != nil {
		return 0, err
	}
	first := next(found.segments)
	if found.live == nil {
		if first == 1 {
			return 0, fs.ErrNotExist
		}
		return first - 1, nil
	}
	defer found.live.Close()
	src, err := newSource(found.live, Segment{Path: j.path, First: first}, j.opts.MaxSize)
	for err == nil || errors.Is(err, errLong) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		_, _, err = src.line()
	}
	if err != io.EOF {
		return 0, err
	}
	return src.seq - 1, nil
}
