//go:build unix

// The load on one document: processes count it up, and are stopped or killed.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// document is the content that all of them count up.
type document struct {
	N       int    `json:"n"`
	Version int    `json:"version,omitempty"` // of the stores that have one
	Pad     string `json:"pad"`
}

func documentPath(dir string) string { return filepath.Join(dir, "document.json") }

// counting is the load.
type counting struct {
	open       opener
	processes  int
	goroutines int
	end        ending
	reader     bool // read it all the time, as a program without a lock does
}

// opener opens the document of a directory, and returns the function that counts it up by 1.
type opener func(dir string) (increment func() error, err error)

// count is a counting load by hand and with a call of ours.
func (c counting) count(name, load string, byHand opener, call string, ours opener) system {
	c.open = byHand
	other := c
	other.open = ours
	return system{name, load, call, c, other}
}

func (c counting) work(w *worker) error {
	increment, err := c.open(w.Dir)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	failures := make([]error, c.goroutines)
	for i := range failures {
		all.Go(func() {
			for !w.stopping() {
				err := increment()
				switch {
				case err == nil:
					w.say(done)
				case w.Ours:
					failures[i] = err
					return
				default: // it goes on, as servers do
					w.say(failed)
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// roundTime is how long the processes of a round work.
const roundTime = 100 * time.Millisecond

func (c counting) round(r *round) error {
	path := documentPath(r.Dir)
	if err := writeJSON(path, document{Pad: strings.Repeat("x", 200)}); err != nil {
		return err
	}
	all, err := r.group(c.processes, "")
	if err != nil {
		return err
	}
	var reading sync.WaitGroup
	if c.reader {
		reads, torn, ended := 0, 0, make(chan struct{})
		reading.Go(func() {
			for ; ; reads++ {
				select {
				case <-ended:
					return
				case <-time.After(100 * time.Microsecond):
				}
				if data, err := os.ReadFile(path); err != nil || !json.Valid(data) {
					torn++
				}
			}
		})
		defer func() {
			close(ended)
			reading.Wait()
			r.add("torn reads", torn, reads)
		}()
	}
	said, err := r.gather(all, c.end, roundTime)
	if err != nil {
		return err
	}
	acknowledged, broken := times(said, done), times(said, failed)
	var found document
	if err := readJSON(path, &found); err != nil {
		r.add("broken documents", 1, 1)
		return nil
	}
	if c.end == killed {
		r.add("broken documents", 0, 1)
	}
	r.add("lost updates", max(acknowledged-found.N, 0), acknowledged)
	r.add("failed updates", broken, acknowledged+broken)
	return nil
}

// readJSON and writeJSON are how programs read and write a file when they think of nothing else.
func readJSON(path string, value any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, value)
}

func writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// replaceJSON is the same with a temporary file that is renamed.
func replaceJSON(path string, value any) error {
	temp := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	if err := writeJSON(temp, value); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// docAdd is ours: Doc.Add.
func docAdd(dir string) (func() error, error) { return docAddWith(nil)(dir) }

func docAddWith(opts *store.Options) opener {
	return func(dir string) (func() error, error) {
		doc, err := store.OpenFile(documentPath(dir), opts)
		return func() error {
			_, _, err := doc.Add(context.Background(), "n", 1)
			return err
		}, err
	}
}

// docSwap is ours: the loop that Doc.Update is, around Doc.CompareAndSwap.
func docSwap(dir string) (func() error, error) {
	doc, err := store.OpenFile(documentPath(dir), nil)
	return func() error {
		ctx := context.Background()
		for {
			data, version, err := doc.Read(ctx)
			if err != nil {
				return err
			}
			var d document
			if err := json.Unmarshal(data, &d); err != nil {
				return err
			}
			d.N++
			if data, err = json.Marshal(d); err != nil {
				return err
			}
			_, err = doc.CompareAndSwap(ctx, version, data)
			if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	}, err
}
