// Updates of several documents at once.

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// renamesPeer is what a user would write by hand.
var renamesPeer = peer{
	name: "flock + renames",
	about: "for several documents: under one blocking flock for all of them, a temporary file " +
		"for each, then the renames in a row; fsync of the files and, durable, of the directory; " +
		"a crash among the renames leaves some of them",
	open: func(s setting) (handle, error) {
		return &renames{setting: s, lock: flock.New(s.Path + ".lck")}, nil
	},
	goroutines: true, many: true, transacts: true, onlyTransacts: true,
}

// renames has documents that are replaced together by renaming.
type renames struct {
	setting
	lock *flock.Flock
	mu   sync.Mutex // excludes goroutines; a flock.Flock excludes processes only
}

func (r *renames) Update(document int) error { return r.Transact([]int{document}) }

func (r *renames) Transact(documents []int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.lock.Lock(); err != nil {
		return err
	}
	err := r.replaceAll(documents)
	if unlockErr := r.lock.Unlock(); err == nil {
		err = unlockErr
	}
	return err
}

func (r *renames) replaceAll(documents []int) error {
	temp := func(path string) string { return path + "." + strconv.Itoa(os.Getpid()) + ".tmp" }
	for _, document := range documents {
		path := documentPath(r.setting, document)
		data, err := os.ReadFile(path)
		if err == nil {
			data, err = load.Increment(data)
		}
		if err == nil {
			err = writeFile(temp(path), data, r.Durability != store.Volatile)
		}
		if err != nil {
			return err
		}
	}
	for _, document := range documents {
		path := documentPath(r.setting, document)
		if err := os.Rename(temp(path), path); err != nil {
			return err
		}
	}
	return syncDirectory(r.setting, nil)
}

// writeFile writes a new file, and flushes it if asked to.
func writeFile(path string, data []byte, flush bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && flush {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (r *renames) Read(document int) ([]byte, error) {
	return os.ReadFile(documentPath(r.setting, document))
}

func (r *renames) Close() error { return nil }

// transactionSections are the tables of transactions: of one process and of eight, and of 64
// goroutines, on documents of their own and on the same ones. Each begins with an update of one
// document.
func (c config) transactionSections(levels []store.Durability) (all []section) {
	for _, durability := range levels {
		for _, n := range c.transactions {
			for _, who := range []struct {
				text                  string
				processes, goroutines int
				disjoint              bool
			}{
				{"1 process", 1, 1, true},
				{"8 processes, each with documents of its own", 8, 1, true},
				{"8 processes with the same documents", 8, 1, false},
				{"64 goroutines, each with documents of its own", 1, 64, true},
				{"64 goroutines with the same documents", 1, 64, false},
			} {
				s := section{base: goroutinesBase, title: fmt.Sprintf(
					"%v, transactions of %d documents, %s", durability, n, who.text)}
				one := cell{Peer: "jsonstore", Label: "jsonstore, an update of one document",
					Durability: durability, Processes: who.processes, Goroutines: who.goroutines,
					Size: 200, Transaction: 1, Disjoint: who.disjoint}
				if c.only.MatchString(one.Peer) {
					s.cells = append(s.cells, one)
				}
				for _, p := range c.transacting() {
					several := one
					several.Peer, several.Label, several.Transaction = p.name, "", n
					s.cells = append(s.cells, several)
				}
				all = append(all, s)
			}
		}
	}
	return all
}

// transacting returns the peers that have transactions.
func (c config) transacting() (found []peer) {
	for _, p := range peers() {
		if p.transacts && c.only.MatchString(p.name) {
			found = append(found, p)
		}
	}
	return found
}

// halves kills processes in the middle of transactions, and counts how often the documents do not
// fit each other then, as the next user of the same program finds them.
func (c config) halves(top string) (string, error) {
	if len(c.transactions) == 0 || c.kills == 0 {
		return "", nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#### found half done after a kill, of %d processes\n\n|", c.kills)
	levels := c.extremes()
	for _, durability := range levels {
		for _, n := range c.transactions {
			fmt.Fprintf(&b, " | %v, %d documents", durability, n)
		}
	}
	b.WriteString(" |\n| ---" + strings.Repeat(" | ---:", len(levels)*len(c.transactions)) + " |\n")
	for _, p := range c.transacting() {
		fmt.Fprintf(os.Stderr, "bench: kills of %s\n", p.name)
		fmt.Fprintf(&b, "| %s", p.name)
		for _, durability := range levels {
			for _, n := range c.transactions {
				half, err := p.halves(top, durability, n, c.kills)
				if err != nil {
					return "", fmt.Errorf("kills of %s: %w", p.name, err)
				}
				if half > 0 && p.ours {
					return "", fmt.Errorf("%s: %d of %d transactions were found half done", p.name,
						half, c.kills)
				}
				fmt.Fprintf(&b, " | %d", half)
			}
		}
		b.WriteString(" |\n")
	}
	b.WriteByte('\n')
	return b.String(), nil
}

// halves returns how many of some killed processes have left a part of a transaction.
func (p peer) halves(
	top string, durability store.Durability, documents, kills int,
) (half int, err error) {
	transactions := 0
	within := 50 * time.Millisecond
	for range kills {
		counts, err := p.killed(top, durability, documents, func(setting) {
			time.Sleep(rand.N(within))
		})
		if err != nil {
			return half, err
		}
		switch {
		case isHalf(counts):
			half++
		case counts[0] == 0 && within < 5*time.Second:
			within *= 2 // the device is slower than that
		}
		transactions += counts[0]
	}
	if transactions == 0 {
		return half, errors.New("no process has made a transaction before it was killed")
	}
	return half, nil
}

// isHalf reports whether some documents were updated more often than others.
func isHalf(counts []int) bool { return slices.Min(counts) < slices.Max(counts) }

// killed starts a process that makes transactions of new documents, kills it after a wait, and
// returns how often each document was updated.
func (p peer) killed(
	top string, durability store.Durability, documents int, wait func(setting),
) (counts []int, err error) {
	dir, err := os.MkdirTemp(top, "killed-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w := work{Peer: p.name, Goroutines: 1, Time: time.Hour, Transaction: documents,
		Setting: setting{Path: filepath.Join(dir, "document.json"), Documents: documents,
			Durability: durability}}
	create := p.create
	if create == nil {
		create = writeFiles
	}
	if err := create(w.Setting, load.Document(200)); err != nil {
		return nil, err
	}
	started, err := w.start()
	if err != nil {
		return nil, err
	}
	err = started.isReady()
	if err == nil {
		err = started.begin()
	}
	if err == nil {
		wait(w.Setting)
	}
	_ = started.cmd.Process.Kill()
	_ = started.cmd.Wait() // that it was killed
	if err != nil {
		return nil, err
	}
	h, err := p.open(w.Setting)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	for i := range documents {
		data, err := h.Read(i)
		if err != nil {
			return nil, err
		}
		n, err := load.Count(data)
		if err != nil {
			return nil, err
		}
		counts = append(counts, n)
	}
	return counts, nil
}
