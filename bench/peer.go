// What is compared: the store, and what a user would pick instead.
//
// All do the same work on the same document, {"count":N,"pad":"…"}: an update reads it, counts N up, and writes it back. They are
// compared where they promise the same for a power cut.

package main

import (
	"errors"
	"os"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// handle is one document, opened in one way. Its methods may be called concurrently.
type handle interface {
	Update() error
	Read() ([]byte, error)
	Close() error
}

// setting is how a handle is to be opened.
type setting struct {
	Path       string // of a file that the peer makes, in a directory of its own
	Durability store.Durability
	Shared     bool // other processes have it open too
}

// peer is one way to keep the document.
type peer struct {
	name string
	// about is what one has to know to judge the figures.
	about string
	open  func(s setting) (handle, error)
	// create makes the document; nil: it is a plain file.
	create func(path string, document []byte) error
	// goroutines may share a handle.
	goroutines bool
	// loses is for a way that is known to lose updates, which are counted all the same.
	loses bool
	ours  bool
}

// errNotOffered is for what a peer does not offer, as a durability.
var errNotOffered = errors.New("not offered")

// peers are all of them, the base of the ratios among them.
func peers() []peer {
	all := []peer{
		{name: "jsonstore", about: "`Doc.Update`, by default: optimistic, versions by hash", open: openOurs(store.Options{}), goroutines: true, ours: true},
		{name: "jsonstore, mtime", about: "the same with versions by time", open: openOurs(store.Options{Versions: store.VersionMtime}), goroutines: true, ours: true},
		{name: "jsonstore, locking", about: "the same with `Options.Locking`", open: openOurs(store.Options{Locking: true}), goroutines: true, ours: true},
	}
	all = append(all, barePeers...)
	all = append(all, filePeers...)
	return append(all, databasePeers()...)
}

// base is what the ratios are of.
const base = "flock + rename"

type ours struct{ *store.Doc }

func openOurs(opts store.Options) func(setting) (handle, error) {
	return func(s setting) (handle, error) {
		opts := opts
		opts.Durability, opts.Logger = s.Durability, quiet
		doc, err := store.OpenFile(s.Path, &opts)
		return ours{doc}, err
	}
}

func (o ours) Update() error {
	_, err := o.Doc.Update(background, load.Increment)
	return err
}

func (o ours) Read() ([]byte, error) {
	data, _, err := o.Doc.Read(background)
	return data, err
}

func writeFile(path string, document []byte) error { return os.WriteFile(path, document, 0o600) }
