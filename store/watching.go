// The loop of a watch: look at what may have changed, deliver what has, wait.
//
//	full look   at all documents: first, and every interval from then on
//	hint        at the documents that it names
//	again       at a document that was absent or bad at its last look, 20 ms later
//
// A hint is taken before the look that it is for, and names are listened to before they are
// looked at: so what changes after a look causes another look. Each look reads the document
// anew, on one goroutine, so no state is older than the one before.

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

const (
	lookInterval = 2 * time.Second        // beneath hints
	pollInterval = 100 * time.Millisecond // without
	// lasting is how long a document must be absent or bad to be reported so.
	lasting = 20 * time.Millisecond
	// restful: a full look takes at most one part in so many of the time.
	restful = 10
)

// watch is one loop.
type watch struct {
	ctx     context.Context
	db      *DB
	opts    *Options
	name    string // in messages
	yield   func(Event, error) bool
	refused error // why the loop cannot begin

	single string // the key of the one document, unless tree
	tree   bool   // all documents with the prefix
	prefix string

	docs    map[string]*watched
	due     map[string]time.Time // when to look again, by key
	fullAt  time.Time            // when the next full look is due
	spent   time.Duration        // in the body of the loop, during this full look
	listing string               // the last error of a listing, as reported
	gone    bool                 // the directory that was opened is another one by now

	hints   hinter // nil while there is none
	pending pending
	polling error     // why there are no hints
	triedAt time.Time // when they were asked for last

	every time.Duration // between full looks beneath hints
	now   func() time.Time
	pause func(until time.Time) error // waits for a hint at most until then
}

// watched is what a watch knows of a document.
type watched struct {
	doc  *Doc
	seen Version // of the last state delivered, or as the caller knows it
	sum  Version // its content's hash if versions are by time, else Absent
	said string  // the error that was delivered last; empty if a state was

	suspect string // the state, absent or bad, that is to be looked at again
}

var errStopped = errors.New("the body of the loop has ended it")

func newWatch(ctx context.Context, db *DB, opts *Options, name string,
	yield func(Event, error) bool,
) *watch {
	w := &watch{ctx: ctx, db: db, opts: opts, name: name, yield: yield,
		docs: map[string]*watched{}, due: map[string]time.Time{}, every: lookInterval,
		now: time.Now}
	w.pending.bell = make(chan struct{}, 1)
	w.pause = w.wait
	return w
}

// run is the loop, up to its last pair.
func (w *watch) run() {
	defer w.unhint() // the body may panic
	err := w.refused
	if err == nil {
		err = w.loop()
	}
	w.unhint()
	if err != errStopped {
		w.yield(Event{Name: w.name, Polling: w.polling}, &Error{"watch", w.name, err})
	}
}

// unhint ends the hints.
func (w *watch) unhint() {
	if hints := w.hints; hints != nil {
		w.hints = nil
		hints.close()
	}
}

func (w *watch) loop() error {
	for {
		if err := w.ended(); err != nil {
			return err
		}
		now := w.now()
		names, all := w.pending.take()
		w.gone = w.isMoved()
		var err error
		if all || !now.Before(w.fullAt) {
			err = w.lookAtAll(now)
		} else {
			err = w.lookAt(names, now)
		}
		if err == nil && w.gone && len(w.due) == 0 {
			err = fmt.Errorf("the directory was removed, moved or replaced; open it again: %w",
				ErrNotExist)
		}
		if err == nil {
			err = w.pause(w.next())
		}
		if err != nil {
			return err
		}
	}
}

// ended is why the loop has to end, or nil.
func (w *watch) ended() error {
	switch {
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	case w.db.closed.Load():
		return ErrClosed
	}
	return nil
}

// next is when the next look is due.
func (w *watch) next() time.Time {
	at := w.fullAt
	for _, due := range w.due {
		if due.Before(at) {
			at = due
		}
	}
	return at
}

// wait is the pause of a real watch.
func (w *watch) wait(until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.pending.bell:
	case <-w.ctx.Done():
	case <-w.db.ending:
	}
	return w.ended()
}

// lookAtAll looks at all documents.
func (w *watch) lookAtAll(began time.Time) error {
	w.spent = 0
	w.ask()
	err := error(nil)
	if w.tree {
		err = w.lookBeneath(w.prefix)
	} else {
		err = w.look(w.single)
	}
	interval := w.every
	switch {
	case w.opts.Poll > 0:
		interval = w.opts.Poll
	case w.polling != nil:
		interval = pollInterval
	}
	now := w.now()
	w.fullAt = now.Add(max(interval, (restful-1)*(now.Sub(began)-w.spent)))
	return err
}

// isMoved reports whether the directory that was opened is not at its path any longer. The
// handle stays with it.
func (w *watch) isMoved() bool {
	files := w.db.drv.files
	if files == nil || w.db.single || w.db.where == "" {
		return false
	}
	is, err := files.files.Lstat(".")
	named, namedErr := fsys.New().Lstat(w.db.where)
	return err != nil || errors.Is(namedErr, ErrNotExist) ||
		namedErr == nil && !named.SameFile(is)
}

// lookBeneath looks at all documents whose keys begin with a prefix.
func (w *watch) lookBeneath(prefix string) error {
	var keys []string
	said := ""
	for key, err := range w.db.drv.List(w.ctx, prefix) {
		if w.gone && err != nil {
			break
		}
		if err != nil {
			if err := w.ended(); err != nil {
				return err
			}
			said = err.Error()
			if said != w.listing {
				w.listing = said
				err = &Error{"list", w.name, err}
				if err := w.deliver(Event{Name: w.name}, err); err != nil {
					return err
				}
			}
			break
		}
		keys = append(keys, key)
	}
	w.listing = said
	listed := make(map[string]bool, len(keys))
	for _, key := range keys {
		listed[key] = true
	}
	for key := range w.docs { // those that are not listed are absent, or were for a moment
		if strings.HasPrefix(key, prefix) && !listed[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := w.look(key); err != nil {
			return err
		}
	}
	return nil
}

// lookAt looks at the documents of the hints, and at those that are due.
func (w *watch) lookAt(names []string, now time.Time) error {
	var found hinted
	if len(names) > 0 && w.hints != nil {
		found = w.hints.documents(names)
	}
	if found.all {
		return w.lookAtAll(now)
	}
	keys := found.keys
	for key, due := range w.due {
		if !now.Before(due) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if err := w.look(key); err != nil {
			return err
		}
	}
	for _, prefix := range found.beneath {
		if err := w.lookBeneath(prefix); err != nil {
			return err
		}
	}
	return nil
}

// look reads a document, and delivers its state if that is new.
func (w *watch) look(key string) error {
	d := w.docs[key]
	if d == nil {
		d = &watched{doc: w.db.Doc(key)}
		w.docs[key] = d
	}
	s, err := d.doc.read(w.ctx)
	if ended := w.ended(); ended != nil {
		return ended
	}
	// Files were asked before. The kind of an engine's versions is known only now.
	if w.db.drv.files == nil && !s.version.IsAbsent() {
		if err := driver.CheckKind(d.seen, s.version.Kind()); err != nil {
			return err
		}
	}
	absent := errors.Is(err, ErrNotExist) && s.version.IsAbsent()
	state, said := s.version.String(), ""
	if err != nil && !absent {
		said = err.Error()
		state += " " + said
	}
	sum := w.sumOf(s)
	if s.version == d.seen && said == d.said && (d.sum.IsAbsent() || d.sum == sum) {
		d.sum = sum
		w.settle(key, d, absent)
		return nil
	}
	if err != nil && !w.lasts(key, d, state) {
		return nil
	}
	d.seen, d.sum, d.said = s.version, sum, said
	w.settle(key, d, absent)
	event := Event{Name: d.doc.name, Data: s.data, Version: s.version}
	if absent {
		return w.deliver(event, nil)
	}
	if err != nil {
		err = d.doc.error("watch", err)
	}
	return w.deliver(event, err)
}

// sumOf is the hash of a content whose version does not tell its changes within a tick of
// the clock.
func (w *watch) sumOf(s *keptRead) Version {
	if files := w.db.drv.files; files == nil || files.mode != VersionMtime || s.data == nil {
		return Absent
	}
	return hashVersion(s.data)
}

// lasts reports whether a document was in the same state 20 ms ago or earlier. Else it is
// to be looked at again.
func (w *watch) lasts(key string, d *watched, state string) bool {
	if due, ok := w.due[key]; ok && d.suspect == state {
		return !w.now().Before(due)
	}
	d.suspect, w.due[key] = state, w.now().Add(lasting)
	return false
}

// settle notes that a document is as it was delivered.
func (w *watch) settle(key string, d *watched, absent bool) {
	d.suspect = ""
	delete(w.due, key)
	if w.tree && absent {
		delete(w.docs, key)
	}
}

func (w *watch) deliver(event Event, err error) error {
	event.Polling = w.polling
	began := w.now()
	goesOn := w.yield(event, err)
	w.spent += w.now().Sub(began)
	if !goesOn {
		return errStopped
	}
	return w.ended()
}
