// The handles: DB on a set of documents, Doc on one of them.

package store

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/jsonstore/jsonstore/driver"
)

// A Version identifies one state of one document; compare versions with ==. See package driver.
type Version = driver.Version

// Absent is the version of a document that is not there.
var Absent = driver.Absent

// ParseVersion reads what Version.String printed. The error is ErrVersion.
func ParseVersion(text string) (Version, error) { return driver.ParseVersion(text) }

// A DB is a set of documents, each under a key. Its methods may be called concurrently,
// from any number of goroutines, processes and programs.
type DB struct {
	drv   *engine
	opts  *Options
	lines *lines
	stats *counters

	closed atomic.Bool

	where  string // the directory, or the one file; empty where documents are no files
	single bool
}

// Doc returns a handle on the document with a key, whether it exists or not. A key that
// cannot be used is ErrKey when the document is. The handle need not be closed.
func (db *DB) Doc(key string) *Doc {
	return &Doc{db: db, drv: db.drv, opts: db.opts, key: key, name: key, keyErr: checkKey(key)}
}

// Keys iterates over the keys that begin with prefix, in byte order, each once. It is no
// snapshot: a document that exists from the first to the last step of the loop is listed;
// one that is created or deleted meanwhile may be. The body of the loop may use the DB in every
// way. An error ends the loop.
//
// On files, each directory is read once, when the loop reaches its first key, and no directory
// is read whose keys cannot begin with prefix. The cost is linear in the number of files in
// these directories, and memory holds the names of one directory and of those above it. A
// symbolic link to a document is listed, one to a directory is not followed. Btrfs can leave a
// name out that is replaced while its directory is read: there the rule above holds for
// documents that have their lock file, which is those that the store has written before.
func (db *DB) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range db.drv.List(ctx, prefix) {
			if err != nil {
				yield("", &Error{"list", db.listed(prefix), err})
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

// listed names the keys with a prefix in messages.
func (db *DB) listed(prefix string) string {
	switch {
	case prefix != "":
		return prefix
	case db.where != "":
		return db.where
	}
	return db.drv.Caps().Name
}

// Stats returns what was done through this handle and those that it gave out.
func (db *DB) Stats() Stats { return db.stats.stats() }

// Close frees what the handle holds. Calls that are under way may still end well; later
// ones are ErrClosed.
func (db *DB) Close() error {
	db.closed.Store(true)
	return db.drv.Close()
}

// A Doc is a handle on one document: one JSON value. Its methods may be called
// concurrently. Byte slices that it hands out must not be changed.
type Doc struct {
	db     *DB
	drv    *engine
	opts   *Options
	key    string // as the driver knows it
	name   string // as the user knows it
	keyErr error  // what is wrong with the key
	owns   bool   // Close closes db

	expect *Version // that the document must have for an update; nil if any will do
}

// Name returns the document's name in messages: the path that was opened, or its key.
func (d *Doc) Name() string { return d.name }

// With returns a handle on the same document that differs in options: change gets a
// copy of them. What is about the files themselves (Versions, Perm, AllowNetwork, LockPath)
// does not change. The handle shares everything else with d, and ends with it.
func (d *Doc) With(change func(*Options)) (*Doc, error) {
	opts := *d.opts
	change(&opts)
	opts.Versions, opts.Perm = d.opts.Versions, d.opts.Perm
	opts.AllowNetwork, opts.LockPath = d.opts.AllowNetwork, d.opts.LockPath
	full, err := opts.withDefaults()
	if err != nil {
		return nil, &Error{"open", d.name, err}
	}
	other := *d
	other.opts, other.owns = &full, false
	if files := d.drv.files; files != nil {
		other.drv = newEngine(files.with(&full))
	}
	return &other, nil
}

// Stats returns what was done through the handle that d came from: OpenFile's own, or the DB.
func (d *Doc) Stats() Stats { return d.db.stats.stats() }

// Close frees what a handle from OpenFile holds; others need no closing.
func (d *Doc) Close() error {
	if !d.owns {
		return nil
	}
	return d.db.Close()
}

func (d *Doc) error(op string, err error) error { return &Error{op, d.name, d.namesOwner(err)} }
