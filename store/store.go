// The handles: DB on a set of documents, Doc on one of them.

package store

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/jsonstore/jsonstore/driver"
)

// A Version identifies one state of one document; compare versions with ==. See package
// driver.
type Version = driver.Version

// Absent is the version of a document that does not exist.
var Absent = driver.Absent

// ParseVersion parses the output of Version.String. The error is ErrVersion.
func ParseVersion(text string) (Version, error) { return driver.ParseVersion(text) }

// A DB is a set of documents, each under a key. Its methods may be called concurrently,
// from any number of goroutines, processes and programs.
type DB struct {
	drv   *engine
	opts  *Options
	lines *lines
	stats *counters

	closed atomic.Bool
	ending chan struct{} // closed by Close, for those that wait

	where  string // the directory, or the one file; empty if documents are not files
	single bool
	orders func(path string) string // by which locks are ordered, in simulations
}

// Doc returns a handle on the document with a key, whether it exists or not. If the key
// cannot be used, operations on the document return ErrKey. The handle need not be
// closed.
func (db *DB) Doc(key string) *Doc {
	return &Doc{db: db, drv: db.drv, opts: db.opts, key: key, name: key, keyErr: checkKey(key)}
}

// Keys iterates over the keys that begin with prefix, in byte order, each once. It is
// not a snapshot: a document that exists from the first to the last step of the loop is
// listed; a document that is created or deleted meanwhile may be listed. So may half of
// the documents that a transaction creates or deletes. Tx.Keys in a View lists those of
// one moment. The body of the loop may use the DB in every way. An error ends the loop.
//
// On files, each directory is read once, when the loop reaches its first key. A
// directory is not read if its keys cannot begin with prefix. The cost is linear in the
// number of files in these directories. Memory holds the names of one directory and its
// parents. A symbolic link to a document is listed; a link to a directory is not
// followed. Btrfs can omit a name that is replaced while its directory is read. On
// Btrfs the rule above holds for documents that have their lock file, that is,
// documents that the store has written.
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

// listed returns the name of a listing in messages.
func (db *DB) listed(prefix string) string {
	switch {
	case prefix != "":
		return prefix
	case db.where != "":
		return db.where
	}
	return db.drv.Caps().Name
}

// Stats returns the counts of this handle and the handles that it returned.
func (db *DB) Stats() Stats { return db.stats.stats() }

// Close releases the resources of the handle. Calls that are under way may still
// succeed; later calls return ErrClosed.
func (db *DB) Close() error {
	if !db.closed.Swap(true) {
		close(db.ending)
	}
	return db.drv.Close()
}

// A Doc is a handle on one document: one JSON value. Its methods may be called
// concurrently. Callers must not change the byte slices that it returns.
type Doc struct {
	db     *DB
	drv    *engine
	opts   *Options
	key    string // the key for the driver
	name   string // the name for the user
	keyErr error  // the error of an unusable key, else nil
	owns   bool   // Close closes db

	expect *Version // the version required for an update; nil if any
}

// Name returns the document's name in messages: the path that was opened, or its key.
func (d *Doc) Name() string { return d.name }

// With returns a handle on the same document with other options: change gets a copy of
// them to modify. The options of the files themselves (Versions, Perm, AllowNetwork,
// LockPath) stay. The handle shares everything else with d, and is closed with it.
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

// Stats returns the counts of the handle that d came from: OpenFile's own, or the DB.
func (d *Doc) Stats() Stats { return d.db.stats.stats() }

// Close releases the resources of a handle from OpenFile. Other handles need no Close.
func (d *Doc) Close() error {
	if !d.owns {
		return nil
	}
	return d.db.Close()
}

func (d *Doc) error(op string, err error) error { return &Error{op, d.name, d.namesOwner(err)} }
