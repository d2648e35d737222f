// The peers: the store, and what a user would pick instead.
//
// All peers do the same work on the same documents, {"count":N,"pad":"…"}: an update reads one,
// adds 1 to N, and writes it back. A table compares peers that promise the same after a power
// cut.

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// handle is one document or several, opened in one way. Documents have numbers from 0 on. The
// methods may be called concurrently.
type handle interface {
	Update(document int) error
	Read(document int) ([]byte, error)
	Close() error
}

// transactor is a handle on documents that can be changed at once: all of them or none.
type transactor interface {
	handle
	Transact(documents []int) error
}

// setting says how a handle is opened.
type setting struct {
	Path       string // of a file that the peer makes, in a directory of its own
	Documents  int    // 1, or more for peers with many
	Durability store.Durability
	Shared     bool // other processes have the documents open too
}

// peer is one way to keep documents.
type peer struct {
	name string
	// about is what a reader has to know to judge the figures.
	about string
	open  func(s setting) (handle, error)
	// create makes the documents; nil makes plain files.
	create func(s setting, document []byte) error
	// goroutines is set if goroutines may share a handle.
	goroutines bool
	// many is set if a handle may have several documents.
	many bool
	// loses is set for a peer that is known to lose updates. They are counted all the same.
	loses bool
	ours  bool
	// transacts is set if a handle can change several documents at once.
	transacts bool
	// onlyTransacts is set for a peer that has no place in the other tables.
	onlyTransacts bool
}

// errNotOffered reports that a peer does not offer something, such as a durability.
var errNotOffered = errors.New("not offered")

// peers returns all peers. The base of the ratios is among them.
func peers() []peer {
	all := []peer{
		{
			name:  "jsonstore",
			about: "`Doc.Update` with the default options: optimistic, versions by hash",
			open:  openOurs(store.Options{}), goroutines: true, many: true, ours: true,
			transacts: true,
		},
		{
			name:       "jsonstore, mtime",
			about:      "the same with versions by time",
			open:       openOurs(store.Options{Versions: store.VersionMtime}),
			goroutines: true, many: true, ours: true, transacts: true,
		},
		{
			name:  "jsonstore, locking",
			about: "the same with `Options.Locking`",
			open:  openOurs(store.Options{Locking: true}), goroutines: true, ours: true,
		},
	}
	all = append(all, barePeers...)
	all = append(all, filePeers...)
	all = append(all, renamesPeer)
	return append(all, databasePeers()...)
}

// base is the peer whose rate the ratios divide by.
const base = "flock + rename"

// ours has documents of the store.
type ours struct {
	documents []*store.Doc
	io.Closer // of the file or the directory
}

func openOurs(opts store.Options) func(setting) (handle, error) {
	return func(s setting) (handle, error) {
		opts := opts
		opts.Durability, opts.Logger = s.Durability, quiet
		if s.Documents == 1 {
			doc, err := store.OpenFile(s.Path, &opts)
			return ours{[]*store.Doc{doc}, doc}, err
		}
		db, err := store.Open(filepath.Dir(s.Path), &opts)
		if err != nil {
			return nil, err
		}
		all := ours{Closer: db}
		for i := range s.Documents {
			key := strings.TrimSuffix(filepath.Base(documentPath(s, i)), ".json")
			all.documents = append(all.documents, db.Doc(key))
		}
		return all, nil
	}
}

func (o ours) Update(document int) error {
	_, err := o.documents[document].Update(background, load.Increment)
	return err
}

func (o ours) Transact(documents []int) error {
	return store.Transact(background, func(tx *store.Tx) error {
		for _, document := range documents {
			if err := tx.Update(o.documents[document], load.Increment); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o ours) Read(document int) ([]byte, error) {
	data, _, err := o.documents[document].Read(background)
	return data, err
}

// documentPath is the file of a document of a peer that keeps plain files.
func documentPath(s setting, document int) string {
	if s.Documents == 1 {
		return s.Path
	}
	return filepath.Join(filepath.Dir(s.Path), documentName(document)+".json")
}

// documentName is the name of a document among several.
func documentName(document int) string { return fmt.Sprintf("document%d", document) }

func writeFiles(s setting, document []byte) error {
	for i := range s.Documents {
		if err := os.WriteFile(documentPath(s, i), document, 0o600); err != nil {
			return err
		}
	}
	return nil
}
