// Lines of one file of a journal, for readers.

package journal

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// source is an open file of a journal, whose lines are read in order.
type source struct {
	path  string
	file  fsys.File
	info  fsys.Info
	seq   uint64 // the number of the next line
	last  uint64 // the number of the last line of a segment; 0 for the live file
	limit int    // of a line, in bytes

	lines  []byte // whole lines to be returned
	offset int64  // of the first byte behind them
	buf    []byte

	zipped io.Reader // the decompressed content of a compressed segment, else nil
	rest   []byte    // of it, the beginning of a line
	skips  bool      // that line is too long
}

// isLive reports whether the file may get more lines.
func (s *source) isLive() bool { return s.last == 0 }

func (s *source) close() {
	if s != nil {
		s.file.Close()
	}
}

// newSource reads a file from its beginning.
func newSource(file fsys.File, s Segment, limit int64) (*source, error) {
	src := &source{path: s.Path, file: file, seq: s.First, last: s.Last,
		limit: int(min(limit, maxLimit))}
	var err error
	if src.info, err = file.Stat(); err != nil {
		return nil, err
	}
	if s.Compressed {
		if src.zipped, err = gzip.NewReader(plainReader{file}); err != nil {
			return nil, corrupt("it is not compressed as its name says: %w", err)
		}
	}
	return src, nil
}

// plainReader hides all methods of a file but Read.
type plainReader struct{ io.Reader }

const (
	chunk    = 64 << 10 // what is read at once
	maxLimit = 1 << 30
)

var errLong = errors.New("the line is longer than MaxSize")

// line returns the next whole line without its end, valid until the next call, and its
// number. It returns io.EOF if there is none; in the live file there may be one later.
// After errLong the next line can be read.
func (s *source) line() (line []byte, seq uint64, err error) {
	if len(s.lines) == 0 {
		load := s.load
		if s.zipped != nil {
			load = s.unzip
		}
		err := load()
		if err == errLong {
			s.seq++
			return nil, s.seq - 1, err
		}
		if err != nil {
			return nil, 0, err
		}
	}
	end := bytes.IndexByte(s.lines, '\n')
	line, s.lines = s.lines[:end], s.lines[end+1:]
	s.seq++
	if len(line) > s.limit {
		return nil, s.seq - 1, errLong
	}
	return line, s.seq - 1, nil
}

// load reads whole lines. It keeps nothing of an unfinished one: a repair may replace that.
func (s *source) load() error {
	// One more than what is left of a small file, to see its end.
	for size := int(min(chunk, max(s.info.Size-s.offset, 256)+1)); ; size *= 2 {
		if cap(s.buf) < size {
			s.buf = make([]byte, size)
		}
		n, err := s.file.ReadAt(s.buf[:size], s.offset)
		if err != nil && err != io.EOF {
			return err
		}
		whole := bytes.LastIndexByte(s.buf[:n], '\n') + 1
		switch {
		case whole > 0:
			return s.confirm(whole)
		case n < size:
			return io.EOF
		case n > s.limit:
			return s.pass()
		}
	}
}

// confirm reads whole lines again. The first time, the beginning of a torn tail may have
// been read before a repair, and its end behind that. A line whose end was seen changes
// no more.
func (s *source) confirm(whole int) error {
	if n, err := s.file.ReadAt(s.buf[:whole], s.offset); n < whole {
		if err == nil || err == io.EOF {
			return io.EOF // a program has truncated the file
		}
		return err
	}
	s.lines = s.buf[:whole]
	s.offset += int64(whole)
	return nil
}

// pass looks for the end of a line that is too long. It returns errLong behind that, or
// io.EOF and the same place if there is none yet.
func (s *source) pass() error {
	s.buf = make([]byte, chunk)
	for at := s.offset; ; {
		n, err := s.file.ReadAt(s.buf[:chunk], at)
		if err != nil && err != io.EOF {
			return err
		}
		if end := bytes.IndexByte(s.buf[:n], '\n'); end >= 0 {
			s.offset = at + int64(end) + 1
			return errLong
		}
		if n < chunk {
			return io.EOF
		}
		at += int64(n)
	}
}

// unzip reads whole lines of a compressed segment.
func (s *source) unzip() error {
	for {
		have := len(s.rest)
		if cap(s.buf) < have+chunk {
			s.buf = make([]byte, 2*have+chunk)
		}
		buf := s.buf[:cap(s.buf)]
		copy(buf, s.rest)
		n, err := s.zipped.Read(buf[have : have+chunk])
		if n == 0 {
			s.rest = buf[:have]
			switch {
			case err == io.EOF:
				return io.EOF
			case err == nil:
				return corrupt("decompress it: %w", io.ErrNoProgress)
			}
			return corrupt("decompress it: %w", err)
		}
		data := buf[:have+n]
		whole := bytes.LastIndexByte(data, '\n') + 1
		if whole == 0 {
			s.rest = data
			if len(data) > s.limit {
				s.rest, s.skips = nil, true
			}
			continue
		}
		s.lines, s.rest = data[:whole], bytes.Clone(data[whole:])
		if s.skips {
			s.skips = false
			s.lines = s.lines[bytes.IndexByte(s.lines, '\n')+1:]
			return errLong
		}
		return nil
	}
}
