// Whether the versions of a document are kept: one file in each directory says so for all
// its documents, or for some. So a writer looks at one name, and where that is absent, the
// history is off. A directory that the store makes gets the file before it gets its name.
//
// The file is a document of the store, with a lock file of its own, and is changed as one.
// A handle keeps what it has read of it: another version has another file. What it has seen of
// the directory, also that there is no such file, it believes for believedFor. A writer holds
// the document's lock when it looks, and when it believes. So who switches waits for that time,
// and then takes the lock of each document for a moment: all writers that have not seen the
// switch are done then.
//
// If it cannot be read, or is no JSON, all versions are kept, and none is removed.

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// switchFile is the content of a directory's switch.
type switchFile struct {
	All       *switchEntry            `json:"all,omitempty"` // those that Documents has not
	Documents map[string]*switchEntry `json:"documents,omitempty"`
}

// switchEntry is the switch of a document, or of all.
type switchEntry struct {
	Off  bool   `json:"off,omitempty"`  // although it is on for all
	Keep int    `json:"keep,omitempty"` // 0: no limit
	Age  string `json:"age,omitempty"`  // a time.Duration; empty: no limit

	age time.Duration
}

func entryOf(o *HistoryOptions) *switchEntry {
	if o == nil {
		return nil
	}
	e := &switchEntry{Keep: o.Keep, age: o.Age}
	if o.Age > 0 {
		e.Age = o.Age.String()
	}
	return e
}

func (e *switchEntry) options() *HistoryOptions {
	if e == nil || e.Off {
		return nil
	}
	return &HistoryOptions{Keep: e.Keep, Age: e.age}
}

// of returns what is kept of a document; nil if nothing is.
func (s *switchFile) of(base string) *HistoryOptions {
	if e := s.Documents[base]; e != nil {
		return e.options()
	}
	return s.All.options()
}

// keepsAll is the switch that cannot be read.
var keepsAll = switchFile{All: &switchEntry{}}

func parseSwitch(data []byte) (*switchFile, error) {
	s := &switchFile{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, err
	}
	check := func(e *switchEntry) (err error) {
		if e == nil || e.Age == "" {
			return nil
		}
		if e.age, err = time.ParseDuration(e.Age); err == nil && e.age <= 0 {
			err = fmt.Errorf("age %v", e.age)
		}
		return err
	}
	err := check(s.All)
	for _, e := range s.Documents {
		err = errors.Join(err, check(e))
	}
	return s, err
}

// believedFor is how long a writer believes what it has seen of a directory's switch. A look
// takes up to a tenth of the time of an update.
const believedFor = 10 * time.Millisecond

// switches are the switches that a handle has read, by path, and what it believes, by directory.
type switches struct {
	mu       sync.Mutex
	byPath   map[string]readSwitch
	believed map[string]belief
}

type belief struct {
	began   time.Duration // the uptime before the look
	content *switchFile   // nil: there was none
}

type readSwitch struct {
	info    fsys.Info
	content *switchFile
}

// maxSwitches is how many a handle keeps.
const maxSwitches = 1024

func (s *switches) get(path string, now fsys.Info) *switchFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	read, ok := s.byPath[path]
	then := read.info
	if ok && now.SameFile(then) && now.Size == then.Size && now.Mtime == then.Mtime &&
		now.Ctime == then.Ctime {
		return read.content
	}
	return nil
}

func (s *switches) put(path string, info fsys.Info, content *switchFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byPath == nil || len(s.byPath) >= maxSwitches {
		s.byPath = map[string]readSwitch{}
	}
	s.byPath[path] = readSwitch{info, content}
}

// believe returns what was seen of a directory's switch a short time ago.
func (s *switches) believe(dir string, now time.Duration) (content *switchFile, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.believed[dir]
	return b.content, ok && now >= b.began && now-b.began < believedFor
}

func (s *switches) setBelief(dir string, b belief) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.believed == nil || len(s.believed) >= maxSwitches {
		s.believed = map[string]belief{}
	}
	s.believed[dir] = b
}

// historyNow is history for a writer that holds the document's lock, and will have it until it
// has done what that says.
func (d *fileDriver) historyNow(path string) (*HistoryOptions, error) {
	locks := &d.shared.locks
	if locks.remote.Load() || locks.joins(path) {
		return d.history(path) // another machine, or another lock file than who switches has
	}
	dir, base := filepath.Split(path)
	now := d.files.Uptime()
	s, ok := d.shared.switches.believe(dir, now)
	var err error
	if !ok {
		var forAll bool
		if s, forAll, err = d.lookSwitch(path); err == nil && forAll {
			d.shared.switches.setBelief(dir, belief{now, s})
		}
	}
	if s == nil {
		return nil, err
	}
	return s.of(base), nil // if it cannot be read, all is kept
}

// history returns which versions of the document at path are kept; nil if none is.
func (d *fileDriver) history(path string) (*HistoryOptions, error) {
	s, err := d.switchOf(path)
	if s == nil {
		return nil, err
	}
	return s.of(filepath.Base(path)), nil // if it cannot be read, all is kept
}

// switchOf returns the switch of the directory of the document at path; nil if there is
// none that is believed. If it cannot be read, the error says why, and the switch keeps all.
// Without a switch, an error says that nothing is known.
func (d *fileDriver) switchOf(path string) (*switchFile, error) {
	s, _, err := d.lookSwitch(path)
	return s, err
}

// lookSwitch is switchOf, and reports whether it is so for all documents of the directory.
// Whether the file of another user is believed depends on the document.
func (d *fileDriver) lookSwitch(path string) (s *switchFile, forAll bool, err error) {
	if names.IsHistorySwitch(path) {
		return nil, false, nil
	}
	name := names.HistorySwitch(path)
	info, err := d.files.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("look whether versions are kept: %w", err)
	}
	// The common case costs no look at the directory.
	if forAll = info.Mode.IsRegular() && info.Links == 1 && isOurs(info.UID); !forAll {
		if ok, err := d.believes(path, info, 0); err != nil || !ok {
			return nil, false, err
		}
	}
	if s := d.shared.switches.get(name, info); s != nil {
		return s, forAll, nil
	}
	s, read, err := d.readSwitch(name)
	if err != nil {
		return &keepsAll, false, fmt.Errorf("%s says which versions are kept, and cannot be read, "+
			"so that all are: %w", name, err)
	}
	if read.SameFile(info) { // which is believed
		d.shared.switches.put(name, read, s)
	}
	return s, forAll, nil
}

func (d *fileDriver) readSwitch(name string) (*switchFile, fsys.Info, error) {
	file, err := d.files.Open(name, fsys.OpenExisting, 0)
	if err != nil {
		return nil, fsys.Info{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, info, err
	}
	data, err := d.with(&Options{MaxSize: DefaultMaxSize}).readAll(file, info.Size)
	if err != nil {
		return nil, info, err
	}
	s, err := parseSwitch(data)
	return s, info, err
}
