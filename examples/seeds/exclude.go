//go:build unix

// The load on locks: processes work under the lock, one at a time. A witness, which is a lock of
// the kernel that nobody waits for, notices when two are there at once.

package main

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// excluding is the load.
type excluding struct {
	open       locks
	processes  int
	goroutines int
	// holder: another process is killed while it has the lock. Each of the others gets it
	// once. Otherwise they get it again and again.
	holder   bool
	patience time.Duration // how long one waits for the lock
}

// locks opens the lock of a directory, and returns a function that runs work under it.
type locks func(dir string) (under func(patience time.Duration, work func() error) error, err error)

func (e excluding) exclude(name, load string, byHand locks, call string, ours locks) system {
	e.open = byHand
	other := e
	other.open, other.patience = ours, waits
	return system{name, load, call, e, other}
}

var (
	// errLate: the wait for a lock is over.
	errLate = errors.New("waited too long for the lock")
	// errLost: the machine was so busy that a lease has ended before its work. Its holder
	// was told, so nothing is wrong, and nothing is shown either.
	errLost = errors.New("a lease has ended before its work of 2 ms")
)

// turnTime is how long the work under the lock takes.
const turnTime = 2 * time.Millisecond

func (e excluding) work(w *worker) error {
	under, err := e.open(w.Dir)
	if err != nil {
		return err
	}
	if w.Role == "holder" {
		return under(e.patience, func() error {
			w.say(held)
			<-w.stop // it is killed
			return nil
		})
	}
	var all sync.WaitGroup
	failures := make([]error, e.goroutines)
	for i := range failures {
		all.Go(func() {
			for again := true; again && !w.stopping(); again = !e.holder {
				err := under(e.patience, func() error { return watched(w) })
				switch {
				case errors.Is(err, errLate):
					w.say(late)
				case errors.Is(err, errLost):
					w.say(lost)
				case err != nil:
					failures[i] = err
					return
				default:
					w.say(done)
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// watched is the work.
func watched(w *worker) error {
	witness, err := os.OpenFile(filepath.Join(w.Dir, "witness"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer witness.Close()
	err = unix.Flock(int(witness.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		w.say(twice)
	} else if err != nil {
		return err
	}
	time.Sleep(turnTime)
	return nil
}

func (e excluding) round(r *round) error {
	if !e.holder {
		all, err := r.group(e.processes, "waiter")
		if err != nil {
			return err
		}
		said, err := r.gather(all, stopped, roundTime)
		if err != nil {
			return err
		}
		return judge(r, said)
	}
	roles := make([]string, e.processes+1)
	for i := range roles {
		roles[i] = "waiter"
	}
	roles[0] = "holder"
	all, err := r.start(roles...)
	if err != nil {
		return err
	}
	holder, waiters := all[0], all[1:]
	all[:1].Begin()
	if err := holder.Expect(held); err != nil {
		waiters.Kill()
		return err
	}
	waiters.Begin()
	// The waiters meet a holder that is alive, then a dead one.
	time.Sleep(10 * time.Millisecond)
	all[:1].Kill()
	said, err := r.gather(waiters, byThemselves, 0)
	if err != nil {
		return err
	}
	return judge(r, said)
}

func judge(r *round, said [][]string) error {
	if times(said, lost) > 0 {
		return errLost
	}
	turns, together, tooLate := times(said, done), times(said, twice), times(said, late)
	r.add("two owners at once", together, turns)
	r.add("waiters that did not get it", tooLate, turns+tooLate)
	return nil
}
