// Appending, in the order of its steps. Callers stand in a queue; the one that has the turn
// appends for as many as it finds:
//
//	lock     the kernel's lock of the journal
//	refresh  count what others have appended, repair a torn tail, rotate if it is time
//	write    the lines of all callers, in one write. It puts the records into the journal
//	unlock
//	flush    once for all of them, in store.Durable
//	answer
//
// A caller whose context ends leaves at once, until it is taken from the queue under the
// lock. After that it stays: the rest takes only as long as the device does.

package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// maxBatch bounds the bytes of a batch of several callers.
const maxBatch = 1 << 20

// request is an append of a caller.
type request struct {
	data []byte // its lines
	ends []int  // where each of them ends in data

	done  chan struct{} // closed when the rest is set
	first uint64
	n     int
	err   error
}

// Append adds a record, and returns its sequence number. The value is JSON. White space
// around it is removed, and with line breaks also that between its tokens; its other bytes
// stay as they are. The write of the line puts the record into the journal. Append then
// waits as long as Options.Durability says.
//
// If the error is store.ErrNotDurable, the record is in the journal and has the number, but
// a power cut may remove it. After store.ErrUnknown, it may be in the journal or not. After
// other errors it is not, also if the context has ended.
func (j *Journal) Append(ctx context.Context, value []byte) (seq uint64, err error) {
	seq, _, err = j.AppendAll(ctx, value)
	return seq, err
}

// AppendAll adds several records, one behind the other with no others between, and returns
// the number of the first one and how many were added. These are all, unless there is an
// error: a disk that is full may have room for the first n.
func (j *Journal) AppendAll(ctx context.Context, values ...[]byte) (
	first uint64, n int, err error,
) {
	r, err := j.newRequest(values)
	if err == nil && len(values) > 0 {
		first, n, err = j.append(ctx, r)
	}
	return first, n, j.wrap("append", err)
}

func (j *Journal) newRequest(values [][]byte) (*request, error) {
	r := &request{done: make(chan struct{})}
	for i, value := range values {
		line, err := j.line(value)
		if err != nil {
			if len(values) > 1 {
				err = fmt.Errorf("value %d: %w", i+1, err)
			}
			return nil, err
		}
		r.data = append(append(r.data, line...), '\n')
		r.ends = append(r.ends, len(r.data))
	}
	return r, nil
}

// anyKeys are the limits of records. Duplicate keys are left to readers.
var anyKeys = splice.Limits{AllowDuplicateKeys: true}

// line is the line of a value.
func (j *Journal) line(value []byte) ([]byte, error) {
	if int64(len(value)) > j.opts.MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, and the limit is %d; raise MaxSize if that is meant",
			store.ErrTooLarge, len(value), j.opts.MaxSize)
	}
	if err := splice.Check(value, anyKeys); err != nil {
		return nil, fmt.Errorf("%w JSON: %w", store.ErrInvalid, err)
	}
	value = bytes.TrimSpace(value)
	if bytes.ContainsAny(value, "\n\r") {
		var line bytes.Buffer
		if err := json.Compact(&line, value); err != nil {
			return nil, fmt.Errorf("%w JSON: %w", store.ErrInvalid, err)
		}
		return line.Bytes(), nil
	}
	return value, nil
}

func (j *Journal) append(ctx context.Context, r *request) (uint64, int, error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, context.Cause(ctx)
	}
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return 0, 0, store.ErrClosed
	}
	j.queue = append(j.queue, r)
	j.mu.Unlock()
	for {
		select {
		case <-r.done:
			return r.first, r.n, r.err
		case j.turn <- struct{}{}:
			rotated, err := j.lead(ctx, r)
			if rotated {
				j.startTidying()
			}
			if err != nil && j.withdraw(r) {
				return 0, 0, err
			}
		case <-ctx.Done():
			if j.withdraw(r) {
				return 0, 0, context.Cause(ctx)
			}
			<-r.done
		}
	}
}

// withdraw removes a request from the queue. It reports false if the request was taken.
func (j *Journal) withdraw(r *request) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := slices.Index(j.queue, r)
	if at >= 0 {
		j.queue = slices.Delete(j.queue, at, at+1)
	}
	return at >= 0
}

// dropQueue answers the requests of a handle that was closed.
func (j *Journal) dropQueue() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.queue {
		r.err = store.ErrClosed
		close(r.done)
	}
	j.queue = nil
}

// lead appends a batch, and gives the turn back. An error is that of the caller: it
// concerns no other request, since each of them will lead or be in a later batch.
func (j *Journal) lead(ctx context.Context, r *request) (rotated bool, err error) {
	defer j.release()
	select {
	case <-r.done:
		return false, nil // in the batch of the caller before
	default:
	}
	if j.isClosed() {
		return false, store.ErrClosed
	}
	if j.opts.Durability == store.Durable {
		j.gather()
	}
	if err := j.acquire(ctx, j.ending); err != nil {
		return false, err
	}
	batch, rotated, err := j.appendBatch()
	j.lock.Release()
	j.last = len(batch)
	if j.opts.Durability == store.Durable && slices.ContainsFunc(batch, (*request).isIn) {
		if err := j.flush(); err != nil {
			j.seal(ctx)
			for _, r := range batch {
				if r.isIn() {
					r.err = fmt.Errorf("%w: %w", store.ErrNotDurable, err)
				}
			}
		}
	}
	for _, r := range batch {
		close(r.done)
	}
	return rotated, err
}

// gatherFor is less than a flush takes.
const gatherFor = 100 * time.Microsecond

// gather waits until as many callers are in the queue as the last batch had. They were
// just answered, and many append again at once. Without this, one caller that came too
// late for a batch would have the next flush to itself, while all others wait for the one
// after it.
func (j *Journal) gather() {
	for start := time.Now(); j.waiting() < j.last && time.Since(start) < gatherFor; {
		runtime.Gosched()
	}
}

// waiting is the length of the queue.
func (j *Journal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.queue)
}

// isIn reports whether a record of the request is in the journal.
func (r *request) isIn() bool { return r.n > 0 }

// appendBatch takes a batch from the queue and writes it. The caller has the lock.
func (j *Journal) appendBatch() (batch []*request, rotated bool, err error) {
	if err := j.refresh(); err != nil {
		return nil, false, err
	}
	if j.isDue() {
		if _, err := j.rotate(); err != nil {
			return nil, false, fmt.Errorf("rotate: %w", err)
		}
		rotated = true
	}
	if j.live.file == nil {
		if err := j.create(); err != nil {
			return nil, rotated, err
		}
	}
	batch = j.takeBatch()
	j.write(batch)
	return batch, rotated, nil
}

// takeBatch takes the first requests from the queue: at least one, and no more than fit
// into the live file.
func (j *Journal) takeBatch() (batch []*request) {
	room := int64(maxBatch)
	if j.opts.MaxBytes > 0 {
		room = min(room, j.opts.MaxBytes-j.live.size)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.queue {
		if room -= int64(len(r.data)); room < 0 && len(batch) > 0 {
			break
		}
		batch = append(batch, r)
	}
	j.queue = slices.Delete(j.queue, 0, len(batch))
	return batch
}

// write writes the lines of a batch, and sets its numbers.
func (j *Journal) write(batch []*request) {
	if len(batch) == 0 {
		return // all have left
	}
	l := &j.live
	data := batch[0].data
	if len(batch) > 1 {
		data = nil
		for _, r := range batch {
			data = append(data, r.data...)
		}
	}
	start := l.size
	n, err := l.file.Write(data)
	in, err := j.landed(data, start, n, err)
	first := l.next() // after landed, which counts foreign lines before ours
	for _, r := range batch {
		r.first, r.err = first, err
		for r.n < len(r.ends) && r.ends[r.n] <= in {
			r.n++
		}
		if r.n == len(r.ends) {
			r.err = nil // all of it is in the journal, whatever the write said
		}
		in -= len(r.data)
		first += uint64(r.n)
		l.lines += uint64(r.n)
	}
}

// landed finds out how much of the data a write at start has put into the file, and cuts
// off what is no whole line. It returns the length of the whole lines, by which it moves
// the size. A line that a program has added without the lock, before ours, is counted.
func (j *Journal) landed(data []byte, start int64, n int, err error) (in int, _ error) {
	l := &j.live
	info, statErr := l.file.Stat()
	if statErr != nil {
		if err != nil || n < len(data) {
			err = fmt.Errorf("%w: %w", store.ErrUnknown, err)
		}
		in = bytes.LastIndexByte(data[:n], '\n') + 1
		l.size += int64(in)
		return in, err
	}
	got := info.Size - start
	if err == nil && got != int64(len(data)) {
		return len(data), j.amongForeign(data, got)
	}
	in = bytes.LastIndexByte(data[:max(0, min(got, int64(len(data))))], '\n') + 1
	l.size += int64(in)
	if info.Size > l.size {
		// If this fails, the next append moves the rest aside.
		_ = l.file.Truncate(l.size)
	}
	return in, err
}

// amongForeign counts the lines that a program without the lock has put before ours. got
// is the length of all of them.
func (j *Journal) amongForeign(data []byte, got int64) error {
	l := &j.live
	all := make([]byte, max(0, got))
	if _, err := l.file.ReadAt(all, l.size); err != nil {
		return fmt.Errorf("%w: the number, since another program writes without the lock: %w",
			store.ErrUnknown, err)
	}
	before := bytes.Index(all, data)
	if before < 0 {
		return fmt.Errorf("%w: the number, since another program writes without the lock",
			store.ErrUnknown)
	}
	l.lines += uint64(bytes.Count(all[:before], []byte{'\n'}))
	l.size += int64(before + len(data))
	return nil
}

// flush makes what was written durable, and the name of the live file.
func (j *Journal) flush() error {
	l := &j.live
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("flush the journal: %w", err)
	}
	if !l.named {
		// The process that made the file may have died before it flushed the name.
		if err := j.syncDir(); err != nil {
			return err
		}
		l.named = true
	}
	if !j.ext4 {
		return nil
	}
	if err := l.file.StillWrites(); err != nil {
		return fmt.Errorf("a flush that went well does not count, since the file system's "+
			"journal has failed: %w", err)
	}
	return nil
}
