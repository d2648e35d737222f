// Detection of update functions that would wait for themselves: which goroutine runs
// which function, and which document it waits for.

package store

import (
	"bytes"
	"errors"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"github.com/petermattis/goid"
)

// errNested is the error for a call that could deadlock, even if this one would not.
var errNested = errors.New("called from the function of an update of the same " +
	"document, or of one " +
	"that waits for it, so that it would wait for itself; return the new content from that " +
	"function, or do this after the update")

// A frame is an update function that is running.
type frame struct {
	goroutine int64
	doc       *Doc
	next      *frame

	waits *Doc // the document its goroutine waits for, nil if none; guarded by circles
}

// frames has all frames of the process: a circle may go through several handles. It has
// running functions only.
var (
	frames [256]struct {
		sync.Mutex
		first *frame
	}
	circles sync.Mutex // guards the search for circles, and frame.waits
)

// push records that the function of an update of doc runs on this goroutine, until pop.
func (f *frame) push(doc *Doc) {
	f.goroutine, f.doc = currentGoroutine(), doc
	slot := &frames[uint64(f.goroutine)%uint64(len(frames))]
	slot.Lock()
	defer slot.Unlock()
	f.next, slot.first = slot.first, f
}

func (f *frame) pop() {
	slot := &frames[uint64(f.goroutine)%uint64(len(frames))]
	slot.Lock()
	defer slot.Unlock()
	for at := &slot.first; *at != nil; at = &(*at).next {
		if *at == f {
			*at = f.next
			return
		}
	}
}

// nest is called before a call that may wait for the document. If the goroutine runs an
// update function, it must not wait for itself: the function's own document, and a
// document whose function waits for that one, are errNested. The caller calls done when
// the wait is over.
func (d *Doc) nest() (done func(), err error) {
	self := currentGoroutine()
	slot := &frames[uint64(self)%uint64(len(frames))]
	slot.Lock()
	f := slot.first
	for f != nil && f.goroutine != self {
		f = f.next
	}
	slot.Unlock()
	if f == nil {
		return func() {}, nil
	}
	circles.Lock()
	defer circles.Unlock()
	if leadsTo(self, d, allFrames(), map[int64]bool{}) {
		return nil, errNested
	}
	f.waits = d
	return func() {
		circles.Lock()
		defer circles.Unlock()
		f.waits = nil
	}, nil
}

// inFunction reports whether the calling goroutine runs the function of an update.
func inFunction() bool {
	self := currentGoroutine()
	slot := &frames[uint64(self)%uint64(len(frames))]
	slot.Lock()
	defer slot.Unlock()
	f := slot.first
	for f != nil && f.goroutine != self {
		f = f.next
	}
	return f != nil
}

// leadsTo reports whether a running update function of doc waits, perhaps through
// others, for a function on goroutine self.
func leadsTo(self int64, doc *Doc, all []frame, seen map[int64]bool) bool {
	for _, f := range all {
		if seen[f.goroutine] || !f.doc.same(doc) {
			continue
		}
		if f.goroutine == self {
			return true
		}
		seen[f.goroutine] = true
		for _, waiting := range all {
			if waiting.goroutine == f.goroutine && waiting.waits != nil &&
				leadsTo(self, waiting.waits, all, seen) {
				return true
			}
		}
	}
	return false
}

// allFrames returns copies of all frames: another call may reuse a frame as soon as its
// function has returned. The caller holds circles.
func allFrames() (all []frame) {
	for i := range frames {
		slot := &frames[i]
		slot.Lock()
		for f := slot.first; f != nil; f = f.next {
			all = append(all, *f)
		}
		slot.Unlock()
	}
	return all
}

// same reports whether two handles refer to one document.
func (d *Doc) same(e *Doc) bool {
	if d.db == e.db && d.key == e.key {
		return true
	}
	return d.db.where != "" && e.db.where != "" && d.file() == e.file()
}

// file returns the path of the document's file. Links on the path of an opened
// directory were resolved when it was opened; other links are resolved now, as far as
// they lead.
func (d *Doc) file() string {
	if d.db.single {
		if linked := d.drv.files.linked; linked != "" {
			if path, err := followLinks(linked); err == nil {
				return path
			}
		}
		return d.db.where
	}
	path := filepath.Join(d.db.where, filepath.FromSlash(d.key)+keySuffix)
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		return whole
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// currentGoroutine returns the number of the calling goroutine. The runtime gives it
// only in a stack trace, which takes too long for a small update. Package goid knows
// where the runtime keeps it. Since that may change, goid is used only if it agrees
// with the trace at the first call.
func currentGoroutine() int64 {
	if goidWorks() {
		return goid.Get()
	}
	return goroutineFromTrace()
}

var goidWorks = sync.OnceValue(func() bool { return goid.Get() == goroutineFromTrace() })

func goroutineFromTrace() int64 {
	var buf [64]byte
	trace := buf[:runtime.Stack(buf[:], false)]
	number, _, _ := bytes.Cut(bytes.TrimPrefix(trace, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return -1 // matches no frame: a frame has -1 only if every goroutine has
	}
	return id
}
