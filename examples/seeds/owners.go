//go:build unix

// The load on owners that are stopped: one is stopped while it has the lock, for longer than the
// TTL. When the next one has it, the first one goes on.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tidwall/sjson"
	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/journal"
	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// owning is the load.
type owning struct {
	hold holder
	// steps counts those that are there.
	steps func(dir string) (int, error)
}

// holder runs work as the owner. Save makes one step more than the owner has found, and reports
// whether that was accepted.
type holder func(dir string, work func(save func() (bool, error)) error) error

func own(name, load string, byHand owning, call string, ours owning) system {
	return system{name, load, call, byHand, ours}
}

const (
	accepted = "accepted"
	refused  = "refused"
	waits    = 20 * time.Second // at the most, for an owner that is stopped or dead
)

func (o owning) work(w *worker) error {
	return o.hold(w.Dir, func(save func() (bool, error)) error {
		w.say(fmt.Sprint(os.Getpid()))
		select { // the owner thinks, until it is told to go on
		case <-w.lines:
		case <-w.stop:
			return nil
		}
		saved, err := save()
		if err != nil {
			return err
		}
		if saved {
			w.say(accepted)
		} else {
			w.say(refused)
		}
		return nil
	})
}

func (o owning) round(r *round) error {
	all, err := r.start("first", "second")
	if err != nil {
		return err
	}
	defer all.Kill()
	all[:1].Begin()
	line, err := all[0].Line()
	if err != nil {
		return errors.Join(err, all[0].End())
	}
	var first int
	if _, err := fmt.Sscan(line, &first); err != nil {
		return err
	}
	if err := unix.Kill(first, unix.SIGSTOP); err != nil {
		return err
	}
	all[1:].Begin()
	if _, err := all[1].Line(); err != nil {
		return errors.Join(err, all[1].End())
	}
	if err := unix.Kill(first, unix.SIGCONT); err != nil {
		return err
	}
	saved := 0
	for _, p := range all {
		if err := p.Send("go on"); err != nil {
			return err
		}
		line, err := p.Line()
		if err != nil {
			return errors.Join(err, p.End())
		}
		if line == accepted {
			saved++
		}
		if err := p.End(); err != nil {
			return err
		}
	}
	steps, err := o.steps(r.Dir)
	if err != nil {
		return err
	}
	r.add("late writes that spoilt another's", saved-steps, 1)
	return nil
}

func documentSteps(dir string) (int, error) {
	var d document
	err := readJSON(documentPath(dir), &d)
	return d.N, err
}

// vfsOwner is the VFS lockfile around a change of a document.
var vfsOwner = owning{
	steps: documentSteps,
	hold: func(dir string, work func(func() (bool, error)) error) error {
		return newVFSLock(dir).withLock(waits, func() error {
			path := documentPath(dir)
			var d document
			_ = readJSON(path, &d) // absent at first
			return work(func() (bool, error) {
				d.N++
				return true, replaceJSON(path, d)
			})
		})
	},
}

// leaseOwner is ours: lease.With, and writes that the document refuses when it has seen a newer
// token.
var leaseOwner = owning{
	steps: documentSteps,
	hold: func(dir string, work func(func() (bool, error)) error) error {
		db, err := store.Open(dir, nil)
		if err != nil {
			return err
		}
		defer db.Close()
		doc := db.Doc("document")
		guarded := func(l *lease.Lease, by int) (bool, error) {
			_, err := doc.Update(context.Background(), l.Guard(func(old []byte) ([]byte, error) {
				var d document
				if old != nil {
					if err := json.Unmarshal(old, &d); err != nil {
						return nil, err
					}
				}
				return sjson.SetBytes(old, "n", d.N+by)
			}))
			if errors.Is(err, lease.ErrFenced) || errors.Is(err, lease.ErrLost) {
				return false, nil
			}
			return err == nil, err
		}
		opts := &lease.Options{TTL: ttl, Wait: waits}
		err = lease.With(context.Background(), db.Doc("lease"), opts,
			func(_ context.Context, l *lease.Lease) error {
				// From now on the document knows the token.
				if _, err := guarded(l, 0); err != nil {
					return err
				}
				return work(func() (bool, error) { return guarded(l, 1) })
			})
		if errors.Is(err, lease.ErrLost) {
			return nil // as it was told
		}
		return err
	},
}

// stealOwner is the journal lock with steal around an append. The owner gives the next number.
var stealOwner = owning{
	steps: func(dir string) (int, error) {
		data, err := os.ReadFile(logPath(dir))
		numbers := map[uint64]bool{}
		for line := range bytes.Lines(data) {
			var r record
			if err := json.Unmarshal(line, &r); err != nil {
				return 0, err
			}
			numbers[r.Seq] = true
		}
		return len(numbers), err
	},
	hold: func(dir string, work func(func() (bool, error)) error) error {
		l := stealingLock{filepath.Join(dir, "journal.lock")}
		return l.withLock(waits, func() error {
			add, err := appendOnlyLog(dir)
			if err != nil {
				return err
			}
			return work(func() (bool, error) {
				_, err := add(record{ID: fmt.Sprint(os.Getpid())})
				return true, err
			})
		})
	},
}

// journalOwner is ours: Journal.Append, which has no owner.
var journalOwner = owning{
	steps: func(dir string) (int, error) {
		j, err := journal.Open(logPath(dir), nil)
		if err != nil {
			return 0, err
		}
		defer j.Close()
		last, err := j.Last(context.Background())
		return int(last), err
	},
	hold: func(dir string, work func(func() (bool, error)) error) error {
		add, err := journalAppend(dir)
		if err != nil {
			return err
		}
		return work(func() (bool, error) {
			_, err := add(record{ID: fmt.Sprint(os.Getpid())})
			return true, err
		})
	},
}
