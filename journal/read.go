// Reading: from any number on, across segments, and on into what is appended. Readers
// take no lock.

package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// Record is a record of a journal.
type Record struct {
	Seq   uint64          // its number
	Value json.RawMessage // as it was appended; the caller's own
}

// Records iterates over the records from a number on, up to the last one at the time that
// it gets there. From 0 it begins with the oldest record. What cannot be read comes as an
// error in its place, a *CorruptError, and the iteration goes on behind it. After other
// errors, such as that of the context, it ends. A journal that does not exist has no
// records.
func (j *Journal) Records(ctx context.Context, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		c := j.cursor(from)
		defer c.close()
		c.all(ctx, yield, func() error { return io.EOF })
	}
}

// Follow is Records, but waits at the end for more, until the context ends: that is its
// last error. It looks for new records up to once a millisecond, and as seldom as
// Options.Poll says while there are none.
func (j *Journal) Follow(ctx context.Context, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		c := j.cursor(from)
		defer c.close()
		pause := firstPoll
		timer := time.NewTimer(pause)
		defer timer.Stop()
		c.all(ctx, func(r Record, err error) bool {
			pause = firstPoll
			return yield(r, err)
		}, func() error {
			timer.Reset(pause)
			pause = min(2*pause, j.opts.Poll)
			select {
			case <-timer.C:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-j.ending.Done():
				return store.ErrClosed
			}
		})
	}
}

// cursor is a place in a journal.
type cursor struct {
	j      *Journal
	next   uint64  // the number of the next record; 0 is the oldest one
	source *source // the file that has it, or nil
	ended  bool    // the live file was read up to its end, and it has its name no longer
}

func (j *Journal) cursor(from uint64) *cursor { return &cursor{j: j, next: from} }

func (c *cursor) close() { c.source.close() }

// leave closes the file.
func (c *cursor) leave() {
	c.source.close()
	c.source, c.ended = nil, false
}

// all passes all records to yield, and calls wait at the end, until it is an error.
func (c *cursor) all(
	ctx context.Context, yield func(Record, error) bool, wait func() error,
) {
	for {
		err := context.Cause(ctx)
		var r Record
		if err == nil {
			r, err = c.read()
		}
		var bad *CorruptError
		switch {
		case err == nil, errors.As(err, &bad):
			if !yield(r, c.j.wrap("read", err)) {
				return
			}
			continue
		case err == io.EOF:
			if err = wait(); err == nil {
				continue
			}
			if err == io.EOF {
				return
			}
		}
		yield(Record{}, c.j.wrap("read", err))
		return
	}
}

// read returns the next record, or io.EOF if there is none yet.
func (c *cursor) read() (Record, error) {
	for {
		if c.source == nil {
			if err := c.find(); err != nil {
				return Record{}, err
			}
		}
		line, seq, err := c.source.line()
		switch {
		case err == nil, errors.Is(err, errLong):
			if seq < c.next {
				continue // before where the reader began
			}
			if !c.source.isLive() && seq > c.source.last {
				c.leave()
				continue // check names a segment with too many lines
			}
			c.next = seq + 1
			return c.record(line, seq, err)
		case err == io.EOF && c.source.isLive():
			if err := c.atEnd(); err != nil {
				return Record{}, err
			}
		case (err == io.EOF || errors.Is(err, ErrCorrupt)) && c.source.seq > c.source.last:
			c.leave() // with all its records; check names a damaged end
		case err == io.EOF:
			return Record{}, c.pass(corrupt("the file ends after record %d", c.source.seq-1))
		case errors.Is(err, ErrCorrupt):
			return Record{}, c.pass(err)
		default:
			return Record{}, err
		}
	}
}

// record checks a line.
func (c *cursor) record(line []byte, seq uint64, err error) (Record, error) {
	if err == nil {
		err = splice.Check(line, anyKeys)
	}
	if err != nil {
		return Record{Seq: seq}, &CorruptError{c.source.path, seq, seq, corrupt("%w", err)}
	}
	return Record{seq, bytes.Clone(line)}, nil
}

// pass leaves a segment whose rest cannot be read.
func (c *cursor) pass(err error) error {
	bad := &CorruptError{c.source.path, max(c.next, c.source.seq), c.source.last, err}
	c.next = bad.Last + 1
	c.leave()
	return bad
}

// atEnd is called at the end of the live file. It returns io.EOF if it is still that. If
// the file was rotated, no line comes to it any more: a writer compares file and name
// under the lock. So it is read to its end once more, and left.
func (c *cursor) atEnd() error {
	if c.ended {
		c.leave()
		return nil
	}
	named, err := c.j.files.Lstat(c.j.path)
	switch {
	case err == nil && named.SameFile(c.source.info):
		return io.EOF
	case ignoreNotExist(err) != nil:
		return err
	}
	c.ended = true
	return nil
}

// find opens the file that has the next record. It returns io.EOF if there is none yet.
func (c *cursor) find() error {
	for {
		found, err := c.j.snapshot()
		if err != nil {
			return err
		}
		err = c.choose(found)
		if found.live != nil && (c.source == nil || c.source.file != found.live) {
			found.live.Close()
		}
		if !isGone(err) {
			return err
		}
		// The segment was compressed or removed meanwhile.
	}
}

// choose opens the file with the next record, of those that were found.
func (c *cursor) choose(found found) error {
	first := next(found.segments)
	oldest := first
	if len(found.segments) > 0 {
		oldest = found.segments[0].First
	}
	if c.next == 0 {
		c.next = oldest
	}
	if c.next >= first {
		if found.live == nil {
			return io.EOF
		}
		source, err := newSource(
			found.live,
			Segment{Path: c.j.path, First: first},
			c.j.opts.MaxSize,
		)
		c.source = source
		return err
	}
	for _, s := range found.segments {
		if s.Last < c.next {
			continue
		}
		if s.First > c.next {
			// Removed by retention or, between segments, by someone else.
			bad := &CorruptError{"", c.next, s.First - 1, ErrRemoved}
			if c.next > oldest {
				bad.Err = corrupt("no segment has them")
			}
			c.next = s.First
			return bad
		}
		return c.open(s)
	}
	return fmt.Errorf("no file has record %d", c.next)
}

// open opens a segment.
func (c *cursor) open(s Segment) error {
	file, err := c.j.files.Open(s.Path, fsys.OpenExisting, 0)
	if err != nil {
		return err
	}
	source, err := newSource(file, s, c.j.opts.MaxSize)
	if err != nil {
		file.Close()
	}
	if errors.Is(err, ErrCorrupt) {
		err = &CorruptError{s.Path, c.next, s.Last, err}
		c.next = s.Last + 1
	}
	c.source = source
	return err
}

// found are the files of a journal at one moment.
type found struct {
	live     fsys.File // open, or nil
	segments []Segment
}

// snapshot finds the files of a journal as they are at one moment: the live file is the
// same before and after the directory was read, so that it was not rotated meanwhile. The
// caller closes the live file.
func (j *Journal) snapshot() (found, error) {
	for {
		live, err := j.files.Open(j.path, fsys.OpenExisting, 0)
		if ignoreNotExist(err) != nil {
			return found{}, err
		}
		if err != nil {
			live = nil
		}
		segments, same, err := j.besides(live)
		if err == nil && same {
			return found{live, segments}, nil
		}
		if live != nil {
			live.Close()
		}
		if err != nil {
			return found{}, err
		}
	}
}

// besides lists the segments, and reports whether the live file still has its name.
func (j *Journal) besides(live fsys.File) (segments []Segment, same bool, err error) {
	segments, err = j.list()
	if err != nil {
		return nil, false, err
	}
	named, err := j.files.Lstat(j.path)
	switch {
	case ignoreNotExist(err) != nil:
		return nil, false, err
	case live == nil || isGone(err):
		return segments, live == nil && isGone(err), nil
	}
	info, err := live.Stat()
	return segments, err == nil && info.SameFile(named), err
}
