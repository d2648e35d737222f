// Whether the versions of a document are kept: one file in each directory says so for all
// its documents, or for some. So a writer looks at one name, and where that is absent, the
// history is off.
//
// The file is a document of the store, with a lock file of its own, and is changed as one.
// A handle keeps what it has read of it: another version has another file. It is looked at
// with the document's lock held. Who switches it on has held, after that, the lock of each
// document for a moment: all writers that have looked before are done then.
//
// If it cannot be read, or is no JSON, all versions are kept, and none is removed.

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
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

// switches are the switches that a handle has read, by path.
type switches struct {
	mu     sync.Mutex
	byPath map[string]readSwitch
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

// history returns which versions of the document at path are kept; nil if none is. Where
// there is no switch it costs one look.
func (d *fileDriver) history(path string) (*HistoryOptions, error) {
	s, err := d.switchOf(path)
	if s == nil {
		return nil, err
	}
	return s.of(filepath.Base(path)), nil
}

// switchOf returns the switch of the directory of the document at path; nil if there is
// none that is believed. If it cannot be read, the error says why, and the switch keeps all.
// Without a switch, an error says that nothing is known.
func (d *fileDriver) switchOf(path string) (*switchFile, error) {
	name := names.HistorySwitch(path)
	info, err := d.files.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), names.IsHistorySwitch(path):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look whether versions are kept: %w", err)
	}
	// The common case costs no look at the directory.
	if !info.Mode.IsRegular() || info.Links != 1 || !isOurs(info.UID) {
		if ok, err := d.believes(path, info, 0); err != nil || !ok {
			return nil, err
		}
	}
	if s := d.shared.switches.get(name, info); s != nil {
		return s, nil
	}
	s, read, err := d.readSwitch(name)
	if err != nil {
		return &keepsAll, fmt.Errorf("%s says which versions are kept, and cannot be read, so "+
			"that all are: %w", name, err)
	}
	if read.SameFile(info) { // which is believed
		d.shared.switches.put(name, read, s)
	}
	return s, nil
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
	data, err := d.readAll(file, info.Size)
	if err != nil {
		return nil, info, err
	}
	s, err := parseSwitch(data)
	return s, info, err
}

// setSwitch changes the switch of the directory of the document at path.
func (d *fileDriver) setSwitch(ctx context.Context, path string, change func(*switchFile)) error {
	name := names.HistorySwitch(path)
	dir, err := d.files.Lstat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if info, err := d.files.Lstat(name); err == nil {
		if ok, err := d.believes(path, info, 0); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%s %w: another user may have made it; remove it",
				name, errNotBelieved))
		}
	}
	opts := *d.opts
	opts.LockPath, opts.KeepLast, opts.GuardForeign = "", false, false
	opts.Durability, opts.Perm = Durable, dir.Mode.Perm()&0o666|0o600 // for all who write there
	own := &fileDriver{files: d.files, single: name, opts: &opts,
		shared: &fileShared{stats: &counters{}}}
	own.shared.locks.init(d.files, own.shared.stats, "")
	own.shared.besides.init(d.files, own.shared.stats, "")
	own.shared.home, own.shared.hasHome = d.shared.home, d.shared.hasHome
	defer own.shared.locks.table.Close()
	defer own.shared.besides.table.Close()
	doc := &Doc{db: newDB(own, &opts, own.shared.stats), opts: &opts, key: name, name: name}
	doc.drv = doc.db.drv
	_, err = doc.retry(ctx, func(old docState) (docState, error) {
		s := &switchFile{}
		if old.exists && len(old.data) > 0 {
			var err error
			if s, err = parseSwitch(old.data); err != nil {
				return docState{}, fmt.Errorf("%s is no switch of a history: %w; remove it", name,
					err)
			}
		}
		change(s)
		if s.All == nil {
			for base, e := range s.Documents {
				if e.Off {
					delete(s.Documents, base)
				}
			}
		}
		if s.All == nil && len(s.Documents) == 0 {
			return docState{}, nil
		}
		data, err := json.Marshal(s)
		return docState{data: append(data, '\n'), exists: true}, err
	})
	return err
}

// setHistory switches the history of one document.
func (d *fileDriver) setHistory(ctx context.Context, key string, opts *HistoryOptions) error {
	return d.following(key, func(path string) error {
		info, err := d.files.Lstat(path)
		if err == nil {
			err = checkRegular(info) // a link is followed
		}
		if ignoreNotExist(err) != nil {
			return err
		}
		err = d.setSwitch(ctx, path, func(s *switchFile) {
			base := filepath.Base(path)
			if s.Documents == nil {
				s.Documents = map[string]*switchEntry{}
			}
			if s.Documents[base] = entryOf(opts); opts == nil {
				s.Documents[base] = &switchEntry{Off: true}
			}
		})
		if err != nil {
			return err
		}
		return d.passLock(ctx, path)
	})
}

// passLock takes the lock of a document for a moment, if there is one. Writers that have
// looked at the switch before are then done.
func (d *fileDriver) passLock(ctx context.Context, path string) error {
	_, err := d.files.Lstat(d.shared.locks.pathOf(path))
	if err != nil {
		return ignoreNotExist(err)
	}
	how := locking{perm: d.opts.Perm, like: d.lockedInfo(path), wait: d.opts.LockWait,
		guards: true}
	held, err := d.shared.locks.acquire(ctx, path, how)
	if err != nil {
		return fmt.Errorf("it is switched, but a writer that is under way may not know it: %w", err)
	}
	held.unlock()
	return nil
}

// setAll switches the history of all documents in a directory and beneath it.
func (d *fileDriver) setAll(ctx context.Context, dir string, opts *HistoryOptions) error {
	inside := filepath.Join(dir, "any") // a document in dir
	err := d.setSwitch(ctx, inside, func(s *switchFile) {
		s.All, s.Documents = entryOf(opts), nil
	})
	if err != nil {
		return err
	}
	entries, err := d.files.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name)
		document, locked := lockedDocument(entry.Name)
		switch {
		case entry.Type.IsDir() && !strings.HasPrefix(entry.Name, "."):
			err = d.setAll(ctx, path, opts)
		case locked && !names.IsHistorySwitch(document):
			err = d.passLock(ctx, filepath.Join(dir, document))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inheritHistory gives a new directory the switch of the one that it is in.
func (d *fileDriver) inheritHistory(dir string) error {
	s, err := d.switchOf(dir) // of the directory that dir is in
	if s == nil || err != nil || s.All == nil {
		return err
	}
	return d.setSwitch(context.Background(), filepath.Join(dir, "any"), func(own *switchFile) {
		own.All = s.All
	})
}
