//go:build unix

// The load on locks that readers share: a stream of readers, and a writer that waits.

package main

import (
	"errors"
	"path/filepath"
	"time"
)

// sharing is the load.
type sharing struct {
	open    sharedLocks
	readers int  // processes
	kill    bool // one more reader is killed while it reads
	// patience is how long the writer waits.
	patience time.Duration
}

// sharedLocks opens the lock of a directory.
type sharedLocks func(dir string) (read, write func(time.Duration, func() error) error, err error)

func (s sharing) share(
	name, load string, byHand sharedLocks, call string, ours sharedLocks,
) system {
	s.open = byHand
	other := s
	other.open, other.patience = ours, waits
	return system{name, load, call, s, other}
}

func (s sharing) work(w *worker) error {
	read, write, err := s.open(w.Dir)
	if err != nil {
		return err
	}
	switch w.Role {
	case "dies":
		return read(s.patience, func() error {
			w.say(held)
			<-w.stop // it is killed
			return nil
		})
	case "writer":
		err := write(s.patience, func() error { return watched(w) })
		switch {
		case errors.Is(err, errLate):
			w.say(late)
		case err != nil:
			return err
		default:
			w.say(done)
		}
		return nil
	}
	w.say(held)
	for !w.stopping() {
		err := read(s.patience, func() error {
			time.Sleep(turnTime)
			return nil
		})
		if err != nil && !errors.Is(err, errLate) {
			return err
		}
	}
	return nil
}

func (s sharing) round(r *round) error {
	roles := []string{"writer", "dies"}
	for range s.readers {
		roles = append(roles, "reader")
	}
	all, err := r.start(roles...)
	if err != nil {
		return err
	}
	writer, dies, readers := all[:1], all[1:2], all[2:]
	defer all.Kill()
	if s.kill {
		dies.Begin()
		if err := dies[0].Expect(held); err != nil {
			return err
		}
	}
	dies.Kill()
	readers.Begin()
	for _, reader := range readers {
		if err := reader.Expect(held); err != nil {
			return err
		}
	}
	writer.Begin()
	said, err := r.gather(writer, byThemselves, 0)
	if err != nil {
		return err
	}
	r.add("writers that waited in vain", times(said, late), 1)
	_, err = r.gather(readers, stopped, 0)
	return err
}

// readersFile is the content of the file of a readWriteLock.
type readersFile struct {
	Readers int  `json:"readers"`
	Writer  bool `json:"writer"`
}

// readWriteLock is ReadWriteLock: a file counts the readers. A writer waits until there are none.
func readWriteLock(dir string) (read, write func(time.Duration, func() error) error, err error) {
	path := filepath.Join(dir, "readers.json")
	change := func(fn func(f *readersFile) (changed bool)) (changed bool, err error) {
		err = underFlock(path+".lock", func() error {
			var f readersFile
			_ = readJSON(path, &f) // absent at first
			if changed = fn(&f); !changed {
				return nil
			}
			return replaceJSON(path, f)
		})
		return changed, err
	}
	under := func(patience time.Duration, work func() error, enter, leave func(*readersFile) bool,
	) error {
		if err := retry(patience, func() (bool, error) { return change(enter) }); err != nil {
			return err
		}
		err := work()
		_, leaveErr := change(leave)
		return errors.Join(err, leaveErr)
	}
	read = func(patience time.Duration, work func() error) error {
		return under(patience, work, func(f *readersFile) bool {
			if f.Writer {
				return false
			}
			f.Readers++
			return true
		}, func(f *readersFile) bool {
			f.Readers--
			return true
		})
	}
	write = func(patience time.Duration, work func() error) error {
		return under(patience, work, func(f *readersFile) bool {
			if f.Writer || f.Readers > 0 {
				return false
			}
			f.Writer = true
			return true
		}, func(f *readersFile) bool {
			f.Writer = false
			return true
		})
	}
	return read, write, nil
}
