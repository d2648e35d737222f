// What wakes a watch up: the system for files, the engine for others, or nothing, and then
// the watch polls.

package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/jsonstore/jsonstore/internal/notify"
)

// maxPending is how many names are kept for a busy loop; more count as all.
const maxPending = 4096

// pending are the names for which hints have come and that were not looked at yet.
type pending struct {
	bell chan struct{} // has a value after a hint

	mu    sync.Mutex
	names map[string]bool
	all   bool
}

// note adds a name, or all if it is empty. It does not block.
func (p *pending) note(name string) {
	p.mu.Lock()
	if p.all = p.all || name == "" || len(p.names) >= maxPending; p.all {
		p.names = nil
	} else {
		if p.names == nil {
			p.names = map[string]bool{}
		}
		p.names[name] = true
	}
	p.mu.Unlock()
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

// take returns the names noted since the last call.
func (p *pending) take() (names []string, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.names {
		names = append(names, name)
	}
	all = p.all
	p.names, p.all = nil, false
	return names, all
}

// hinter notes names in pending.
type hinter interface {
	// aim is called before all documents are looked at. Changes from then on are noted,
	// unless it returns an error.
	aim() error
	// documents says what a watch has to look at for names that were noted.
	documents(names []string) hinted
	close()
}

// hinted are documents that may have changed.
type hinted struct {
	keys    []string
	beneath []string // all with these prefixes
	all     bool
}

var (
	errPollAsked = errors.New("Options.Poll is set")
	errSimulated = errors.New("the file system is simulated")
)

// ask asks for hints, or for their coverage of all that is there now. It sets w.polling to
// the reason if there can be none.
func (w *watch) ask() {
	now := w.now()
	if w.polling != nil && now.Sub(w.triedAt) < lookInterval {
		return
	}
	w.triedAt = now
	had := w.polling
	w.polling = w.aimed()
	if w.polling != nil && w.opts.Poll == 0 && (had == nil || had.Error() != w.polling.Error()) {
		w.opts.Logger.Warn("a watch polls", "document", w.name, "why", w.polling)
	}
}

func (w *watch) aimed() (err error) {
	if w.opts.Poll > 0 {
		return errPollAsked
	}
	if w.hints == nil {
		switch drv := w.db.drv; {
		case drv.files != nil:
			w.hints, err = w.hintsOfFiles(drv.files)
		case drv.watcher != nil:
			w.hints, err = w.hintsOfEngine()
		default:
			err = fmt.Errorf("the engine %q does not tell of changes", drv.Caps().Name)
		}
		if err != nil {
			w.hints = nil // not an interface with a nil pointer
			return err
		}
	}
	return w.hints.aim()
}

// engineHints are those of a driver.Watcher, whose names are keys.
type engineHints struct{ cancel context.CancelFunc }

func (w *watch) hintsOfEngine() (hinter, error) {
	ctx, cancel := context.WithCancel(w.ctx)
	prefix := w.prefix
	if !w.tree {
		prefix = w.single
	}
	err := w.db.drv.watcher.Watch(ctx, prefix, func(key string) {
		if w.tree || key == "" || key == w.single {
			w.pending.note(key)
		}
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return engineHints{cancel}, nil
}

func (engineHints) aim() error                      { return nil }
func (engineHints) documents(names []string) hinted { return hinted{keys: names} }
func (h engineHints) close()                        { h.cancel() }

// hintsOfFiles are those of the system.
func (w *watch) hintsOfFiles(d *fileDriver) (hinter, error) {
	if w.db.where == "" {
		return nil, errSimulated
	}
	dir := "."
	if d.single != "" {
		dir = filepath.Dir(d.single)
	}
	if network, err := d.files.Network(dir); err == nil && network != "" {
		return nil, fmt.Errorf("the system does not tell of all changes on a file system that is "+
			"not known to be local (%s)", network)
	}
	if !w.tree {
		path := w.db.where
		switch {
		case d.linked != "":
			path = d.linked
		case d.single == "":
			path = filepath.Join(path, d.path(w.single))
		}
		h := &pathHints{path: path}
		listener, err := notify.Process.Listen(func(string, string) { w.pending.note(path) })
		h.listener = listener
		h.key = w.single
		return h, err
	}
	h := &treeHints{w: w, d: d, root: w.db.where}
	listener, err := notify.Process.Listen(h.changed)
	h.listener = listener
	return h, err
}
