// Package notify tells that names in directories may have changed. A [Hub] has one
// notification instance of the system for all its listeners, and watches a directory once,
// however many names in it are listened to: Linux allows a user some hundred instances.
//
// A notification is a hint. It may come too often, and says nothing about the new state. It
// is never the only means: the caller looks from time to time as well.
package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// A Name is a name in a directory that exists, or with an empty Base all names in it. Dir
// is absolute, without symbolic links, and Info is its description. Without leave to read
// Dir, an Aid is left out and another name is an error.
type Name struct {
	Dir, Base string
	Info      fsys.Info
	Aid       bool
}

// place identifies a directory by its inode: one has several paths where it is mounted
// twice, and the system then tells of one of them.
type place struct{ dev, ino uint64 }

// Hub shares an instance. The zero value is ready; it has an instance and a goroutine while
// it has listeners. Its methods may be called concurrently.
type Hub struct {
	mu      sync.Mutex
	current *instance // nil without listeners

	open func() (source, error) // nil: the system's; another one in tests
}

// source is the instance of the system.
type source interface {
	// add watches the names in a directory. It may be repeated.
	add(dir string) error
	remove(dir string)
	// next waits for a change. It is false when the source is closed.
	next() (change, bool)
	close()
}

// change is what a source tells.
type change struct {
	path  string
	named bool // the name was made, removed or moved, not only changed
	all   bool // some changes may have been missed
}

// instance is an open source with its directories.
type instance struct {
	source source
	ended  chan struct{} // closed when its goroutine has ended
	users  int           // guarded by Hub.mu

	adding    sync.Mutex // one change of the source at a time; taken before mu
	mu        sync.Mutex // guards the rest; not held during calls of the source
	listeners map[*Listener]bool
	dirs      map[place]*directory
	byPath    map[string]*directory
	lost      []string // paths of directories that were forgotten and that the source may know
}

// directory is a directory that is watched.
type directory struct {
	at    place
	path  string // by which the source knows it
	names map[string]map[member]bool
}

// member is a listener, and the path by which it knows the directory.
type member struct {
	l   *Listener
	dir string
}

// Listener is one who is told. Its methods are for one goroutine at a time.
type Listener struct {
	hub     *Hub
	in      *instance
	changed func(dir, name string)
	names   map[Name]place // by Dir and Base alone; guarded by in.mu
}

// Listen returns a listener to no names yet. Changed is called with a name that may have
// changed; with an empty name if that is the directory, which is then not listened to any
// more; and with two empty strings if changes were missed, and then no name is listened to any
// more. It must not block or call the hub. The caller closes the listener.
func (h *Hub) Listen(changed func(dir, name string)) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil {
		open := h.open
		if open == nil {
			open = openSource
		}
		s, err := open()
		if err != nil {
			return nil, err
		}
		h.current = &instance{source: s, ended: make(chan struct{}),
			listeners: map[*Listener]bool{}, dirs: map[place]*directory{},
			byPath: map[string]*directory{}}
		go h.current.run()
	}
	in := h.current
	in.users++
	l := &Listener{hub: h, in: in, changed: changed, names: map[Name]place{}}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.listeners[l] = true
	return l, nil
}

// Close ends the hints. The last listener closes the instance and waits for the end of its
// goroutine, which may still call changed.
func (l *Listener) Close() {
	for name := range l.held() {
		l.drop(name)
	}
	l.in.mu.Lock()
	delete(l.in.listeners, l)
	l.in.mu.Unlock()
	l.hub.mu.Lock()
	l.in.users--
	last := l.in.users == 0
	if last {
		l.hub.current = nil
	}
	l.hub.mu.Unlock()
	if last {
		l.in.source.close()
		<-l.in.ended
	}
}

// held returns the names that are listened to.
func (l *Listener) held() map[Name]place {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	return maps.Clone(l.names)
}

// Set listens to these names and no others. It reports whether it listens to any that it
// did not listen to before: what came before that was not told. After an error it may
// listen to some of them only. A directory that is not there any longer is an error that is
// fs.ErrNotExist.
func (l *Listener) Set(names []Name) (more bool, err error) {
	wanted := map[Name]bool{}
	for _, name := range names {
		wanted[Name{Dir: name.Dir, Base: name.Base}] = true
		added, err := l.Add(name)
		if more = more || added; err != nil {
			return more, err
		}
	}
	for name := range l.held() {
		if !wanted[name] {
			l.drop(name)
		}
	}
	return more, nil
}

func placeOf(dir fsys.Info) place { return place{dir.Dev, dir.Ino} }

// Add listens to one more name. It reports whether it did not before.
func (l *Listener) Add(name Name) (more bool, err error) {
	in, at := l.in, placeOf(name.Info)
	key := Name{Dir: name.Dir, Base: name.Base}
	in.mu.Lock()
	before, ok := l.names[key]
	in.mu.Unlock()
	if ok && before == at {
		return false, nil
	}
	if ok {
		l.drop(key)
	}
	in.adding.Lock()
	defer in.adding.Unlock()
	in.mu.Lock()
	d := in.dirs[at]
	var lost []member
	fresh := d == nil
	if fresh {
		// The entry comes first: what the source tells from now on is not lost.
		d = &directory{at: at, path: name.Dir, names: map[string]map[member]bool{}}
		lost = in.lose(in.byPath[name.Dir])
		in.dirs[at], in.byPath[name.Dir] = d, d
	}
	if d.names[name.Base] == nil {
		d.names[name.Base] = map[member]bool{}
	}
	d.names[name.Base][member{l, name.Dir}] = true
	l.names[key] = at
	in.mu.Unlock()
	if !fresh {
		return true, nil
	}
	tell(lost, "")
	in.removeLost()
	if err = in.source.add(name.Dir); err == nil {
		err = sameDirectory(name.Dir, at)
	}
	if err != nil {
		in.mu.Lock()
		in.forget(d)
		in.mu.Unlock()
		in.source.remove(name.Dir)
		if name.Aid && errors.Is(err, fs.ErrPermission) {
			return false, nil
		}
		return false, fmt.Errorf("watch the directory %s: %w", name.Dir, err)
	}
	return true, nil
}

// sameDirectory is an error if another directory has the path by now.
func sameDirectory(path string, at place) error {
	now, err := fsys.New().Lstat(path)
	if err == nil && placeOf(now) != at {
		err = ErrMoved
	}
	return err
}

// ErrMoved is the error if a directory is replaced while it is added. Find the names again.
var ErrMoved = errors.New("it is another directory by now")

// drop ends the listening to one name. The last one in a directory ends its watch.
func (l *Listener) drop(name Name) {
	in := l.in
	in.adding.Lock()
	defer in.adding.Unlock()
	in.mu.Lock()
	at, ok := l.names[name]
	delete(l.names, name)
	d := in.dirs[at]
	last := false
	if ok && d != nil {
		delete(d.names[name.Base], member{l, name.Dir})
		if len(d.names[name.Base]) == 0 {
			delete(d.names, name.Base)
		}
		if last = len(d.names) == 0; last {
			in.forget(d)
		}
	}
	in.mu.Unlock()
	if last {
		in.source.remove(d.path)
	}
	in.removeLost()
}

// removeLost removes lost directories from the source: it may know one by a path that is
// another directory's by now, or that the same directory has left. The caller holds adding.
func (in *instance) removeLost() {
	in.mu.Lock()
	lost := in.lost
	in.lost = nil
	in.mu.Unlock()
	for _, path := range lost {
		in.source.remove(path)
	}
}

// forget removes the entry of a directory, which may be nil, from the instance and from the
// listeners. The caller holds mu.
func (in *instance) forget(d *directory) (told []member) {
	if d == nil || in.dirs[d.at] != d {
		return nil
	}
	delete(in.dirs, d.at)
	delete(in.byPath, d.path)
	seen := map[member]bool{}
	for base, members := range d.names {
		for m := range members {
			delete(m.l.names, Name{Dir: m.dir, Base: base})
			if !seen[m] {
				seen[m], told = true, append(told, m)
			}
		}
	}
	return told
}

// lose forgets a directory, which may be nil, whose watch may have ended. It does not remove
// it from the source: that would wait for what is told, and who is told calls this.
func (in *instance) lose(d *directory) (told []member) {
	if d == nil {
		return nil
	}
	in.lost = append(in.lost, d.path)
	return in.forget(d)
}

// run passes on what the source tells, until it is closed.
func (in *instance) run() {
	defer close(in.ended)
	for {
		c, ok := in.source.next()
		switch {
		case !ok:
			return
		case c.all:
			in.loseAll()
		default:
			in.tell(c)
		}
	}
}

// loseAll forgets all directories: the end of the watch of one may have been missed. All
// listeners have to listen to their names anew.
func (in *instance) loseAll() {
	in.mu.Lock()
	for _, d := range in.dirs {
		in.lose(d)
	}
	all := slices.Collect(maps.Keys(in.listeners))
	in.mu.Unlock()
	for _, l := range all {
		l.changed("", "")
	}
}

// tell passes on that a path may have changed.
func (in *instance) tell(c change) {
	base := filepath.Base(c.path)
	in.mu.Lock()
	var lost []member
	// A directory of this path may be another one by now. Its inode may be the same: a
	// number is used again at once, and a directory may be moved away and back.
	if d := in.byPath[c.path]; d != nil && (c.named || sameDirectory(c.path, d.at) != nil) {
		lost = in.lose(d)
	}
	var told []member
	if d := in.byPath[filepath.Dir(c.path)]; d != nil {
		for _, name := range [...]string{base, ""} {
			for m := range d.names[name] {
				told = append(told, m)
			}
		}
	}
	in.mu.Unlock()
	tell(told, base)
	tell(lost, "")
}

// tell tells the members of a directory of a name in it.
func tell(members []member, name string) {
	for _, m := range members {
		m.l.changed(m.dir, name)
	}
}
