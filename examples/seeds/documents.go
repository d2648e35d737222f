//go:build unix

// Stores of one document, as people write them.

package main

import (
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// accessQueue is FileAccessQueue: a worker that takes the jobs for a file one after the other,
// as a chain of promises does in Node. Other processes have queues of their own.
func accessQueue(dir string) (func() error, error) {
	path := documentPath(dir)
	type job struct {
		do     func() error
		result chan error
	}
	jobs := make(chan job)
	go func() {
		for j := range jobs {
			j.result <- j.do()
		}
	}()
	return func() error {
		j := job{result: make(chan error), do: func() error {
			var d document
			if err := readJSON(path, &d); err != nil {
				return err
			}
			d.N++
			return replaceJSON(path, d)
		}}
		jobs <- j
		return <-j.result
	}, nil
}

// optimisticJSON is OptimisticJSONStore: the document has a version. Save compares it with the
// one that was loaded, and writes the next one.
func optimisticJSON(dir string) (func() error, error) {
	path := documentPath(dir)
	save := func(d document) (saved bool, err error) {
		var current document
		if err := readJSON(path, &current); err != nil {
			return false, err
		}
		if current.Version != d.Version {
			return false, nil
		}
		d.Version++
		return true, replaceJSON(path, d)
	}
	return func() error {
		for {
			var d document
			if err := readJSON(path, &d); err != nil {
				return err
			}
			d.N++
			if saved, err := save(d); saved || err != nil {
				return err
			}
		}
	}, nil
}

// mtimeJSON is MTimeJSONStore: save writes only if the file has the time that it had when it was
// loaded, in milliseconds, as Date has it; on request with a lock around comparing and writing.
func mtimeJSON(locks bool) opener {
	return func(dir string) (func() error, error) {
		path := documentPath(dir)
		return func() error {
			for saved := false; !saved; {
				loaded, err := os.Stat(path)
				if err != nil {
					return err
				}
				var d document
				if err := readJSON(path, &d); err != nil {
					return err
				}
				d.N++
				save := func() error {
					now, err := os.Stat(path)
					if err != nil || now.ModTime().UnixMilli() != loaded.ModTime().UnixMilli() {
						return err
					}
					saved = true
					return replaceJSON(path, d)
				}
				if locks {
					err = underFlock(path+".lock", save)
				} else {
					err = save()
				}
				if err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// lockedJSON is LockedJSONStore: it locks the document itself, and writes into it.
func lockedJSON(dir string) (func() error, error) {
	path := documentPath(dir)
	return func() error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close() // frees the lock
		if err := flock(f); err != nil {
			return err
		}
		var d document
		if err := json.NewDecoder(f).Decode(&d); err != nil {
			return err
		}
		d.N++
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := f.Truncate(0); err != nil {
			return err
		}
		return json.NewEncoder(f).Encode(d)
	}, nil
}

// lockedRenamed is LockedJSONStore after somebody has seen a torn file: it locks the document,
// and renames a new one over it.
func lockedRenamed(dir string) (func() error, error) {
	path := documentPath(dir)
	return func() error {
		return underFlock(path, func() error {
			var d document
			if err := readJSON(path, &d); err != nil {
				return err
			}
			d.N++
			return replaceJSON(path, d)
		})
	}, nil
}

// snapshotEvery is how often a SnapshotStore saves.
const snapshotEvery = 20 * time.Millisecond

// snapshots is SnapshotStore: the state is in memory, and is saved as a whole now and then.
func snapshots(dir string) (func() error, error) {
	path := documentPath(dir)
	var state document
	if err := readJSON(path, &state); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	go func() { // as long as the process lives
		for range time.Tick(snapshotEvery) {
			mu.Lock()
			snapshot := state
			mu.Unlock()
			_ = replaceJSON(path, snapshot)
		}
	}()
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		state.N++
		return nil
	}, nil
}

// flock waits for the kernel's lock of an open file. Closing the file frees it.
func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return err
		}
	}
}

// underFlock locks a file of its own, or the one to be changed, while do runs.
func underFlock(path string, do func() error) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := flock(f); err != nil {
		return err
	}
	return do()
}
