// Watch: the states of documents as they come. This file has what callers see; watching.go
// has the loop, hints.go and route.go what wakes it up.

package store

import (
	"cmp"
	"context"
	"iter"
)

// An Event is a state of a document that Watch has found.
type Event struct {
	// Name is the document: its key in a DB, or the path that was opened.
	Name string
	// Data is the content. It is shared and must not be changed; nil if the document does
	// not exist.
	Data []byte
	// Version is the version of Data; Absent if the document does not exist.
	Version Version
	// Polling is nil while the system tells of changes, beside which the watch looks every
	// two seconds. Else it says why the watch only looks at intervals (Options.Poll).
	Polling error
}

// Watch iterates over the states of the document, from now on, until the context ends. If
// the document has another version than after, its current state comes first; with Absent
// that is the state of any document that exists. A deletion is an Event with the version
// Absent.
//
// Each event is the latest state when the loop asks for it, read as by Doc.Read, and never
// an older one than the event before. States between two events are skipped. The last state
// always comes: notification by the system is only a hint to look, and without one the watch
// looks every two seconds. A state that is changed back between two looks is no event if its
// version comes back, as hashes do. Watch shows what Read shows: with Options.GuardForeign a
// version may still be withdrawn.
//
// An error that has to do with the document's state comes as an error in its place, with
// Name, and does not end the iteration: content that is not valid JSON is ErrInvalid, with
// Data and Version, and a file may be too large, or not readable. It comes once, and the
// document again when the cause is gone. Since a program that writes in place, or replaces a
// file in two steps, makes such states for a moment, an error or a deletion comes only if the
// document is found so twice, with 20 milliseconds between.
//
// Other errors are the last pair: the context's cause, ErrClosed, ErrKey, and ErrVersion if
// after is of another kind than the document's versions.
//
// Watch follows the path that was opened with OpenFile: links on it and at its end may be
// replaced, and directories be removed and made again. The document of a DB is in the directory
// that Open has opened: if that is removed, or another one has its path, the last pair is an
// error that is ErrNotExist. Where a directory above the document's is moved away,
// nothing tells of that, and the next look finds it. All watches of a process share one
// instance of the system's, however many documents there are. The loop runs on the goroutine
// of its caller and leaves no goroutine and no descriptor behind. Its body may use the
// document in every way. Several loops may run at once.
func (d *Doc) Watch(ctx context.Context, after Version) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		d.watching(ctx, after, yield).run()
	}
}

// watching is the watch of a document.
func (d *Doc) watching(
	ctx context.Context, after Version, yield func(Event, error) bool,
) *watch {
	w := newWatch(ctx, d.db, d.opts, d.name, yield)
	w.single = d.key
	w.docs[d.key] = &watched{doc: d, seen: after}
	w.refused = cmp.Or(d.keyErr, d.CheckVersion(after))
	return w
}

// Watch is Doc.Watch for all documents whose keys begin with prefix, in one loop. Known has
// versions that the caller knows already, by key; nil is none, so that each document that
// exists comes first. A document of known that does not exist comes as a deletion. The events
// of one document are in order; those of several are not, and a transaction's come one after
// the other.
//
// On files, a new directory is watched too. As in Keys, links to directories are not followed;
// a link to a document is. Watch follows the directory that was opened: if it is removed, or
// another one has its path, the last pair is an error that is ErrNotExist; open it again. If
// the keys cannot be listed, that is an error that does not end the iteration.
func (db *DB) Watch(
	ctx context.Context, prefix string, known map[string]Version,
) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		db.watching(ctx, prefix, known, yield).run()
	}
}

// watching is the watch of the documents with a prefix.
func (db *DB) watching(ctx context.Context, prefix string, known map[string]Version,
	yield func(Event, error) bool,
) *watch {
	w := newWatch(ctx, db, db.opts, db.listed(prefix), yield)
	w.tree, w.prefix = true, prefix
	for key, version := range known {
		doc := db.Doc(key)
		w.docs[key] = &watched{doc: doc, seen: version}
		w.refused = cmp.Or(w.refused, doc.keyErr, doc.CheckVersion(version))
	}
	return w
}
