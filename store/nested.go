// Functions of updates that would wait for themselves: which goroutine runs which, and
// what it waits for meanwhile.

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

// errNested is what would be a deadlock, and is an error even where it would by chance
// go well.
var errNested = errors.New("called from the function of an update of the same " +
	"document, or of one " +
	"that waits for it, so that it would wait for itself; return the new content from that " +
	"function, or do this after the update")

// A frame is a function of an update that runs.
type frame struct {
	goroutine int64
	doc       *Doc
	next      *frame

	waits *Doc // what its goroutine waits for meanwhile, nil for nothing; guarded by circles
}

// frames has all of the process: a circle may go through several handles. It is only
// what goroutines do just now.
var (
	frames [256]struct {
		sync.Mutex
		first *frame
	}
	circles sync.Mutex // of the search for circles, and of what frames wait for
)

// push notes that the function of an update of doc runs on this goroutine, until pop.
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

// nest is called before what may wait for the document. If the goroutine is within a
// function, it must not come to wait for itself: the function's own document, and one
// whose function waits for that, are errNested. Done is to be called when the wait is
// over.
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

// leadsTo reports whether the functions of updates of doc that run wait for one that
// runs on goroutine self.
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

// allFrames returns the functions that run: copies, since a frame is that of another
// call as soon as its function has returned. The caller holds circles.
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

// same reports whether two handles are on one document.
func (d *Doc) same(e *Doc) bool {
	if d.db == e.db && d.key == e.key {
		return true
	}
	return d.db.where != "" && e.db.where != "" && d.file() == e.file()
}

// file is the path of the document's file. Links on the way to a directory that was opened
// were followed then, others are now, as far as they lead.
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

// currentGoroutine returns the number of the calling goroutine. The runtime tells it
// only in a stack trace, which takes longer than a small update may; package goid knows
// where the runtime keeps it. Since that may change, it is believed only if it agrees
// with the trace when the program first asks.
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
		return -1 // equal to no holder's, since a holder has this only where all have
	}
	return id
}
