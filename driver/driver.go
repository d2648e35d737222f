// Package driver is the contract between the store and an engine: where
// documents live. An engine keeps opaque bytes under a key, gives every state
// of a document a [Version], and replaces a document only if its version is
// still the one that the caller saw (compare-and-swap). Package store builds the rest
// on top: JSON, retries, path edits.
//
// Package drivertest checks an implementation; package memdriver is the
// reference one.
package driver

import (
	"context"
	"iter"
)

// A Driver keeps documents. Its methods may be called concurrently.
//
// Keys are slash-separated; the caller has checked them. A driver does not keep byte
// slices that it is given after the call returns, and never writes again to those that
// it returns. Callers must not change the bytes either.
//
// A write (Swap, Delete) succeeds or fails with one of four kinds of error:
//
//   - [ErrConflict]: the write was not applied, because the version has changed.
//   - [ErrNotDurable]: the write was applied; a power cut may undo it.
//   - [ErrUnknown]: the write may have been applied, or may still be applied later.
//   - any other error: the write was not applied.
type Driver interface {
	// Read returns the bytes of a document and their version. A document that does not
	// exist has nil bytes and the version [Absent]; that is no error. Reads are
	// linearizable: they see every write that was acknowledged before they began.
	Read(ctx context.Context, key string) ([]byte, Version, error)

	// Swap replaces the document if its version is old, and returns the new version.
	// Old == Absent creates the document, and fails if it exists. No version means
	// "any": a blind write is a lost update. The linearization point is the engine's
	// own compare-and-swap.
	Swap(ctx context.Context, key string, old Version, data []byte) (Version, error)

	// Delete removes the document if its version is old. Deleting an absent document is
	// a conflict.
	Delete(ctx context.Context, key string, old Version) error

	// List iterates over the keys that begin with prefix, in byte order, each once. It
	// is no snapshot: a document that exists from the first to the last step of the
	// iteration is listed; one that is created or deleted meanwhile may be. The body of
	// the loop may call every method of the driver, so a driver holds no lock while it
	// runs. An error, such as that of the context, is the last pair; its key is empty.
	//
	// A driver whose server returns pages requests the next page itself. The cost of a
	// listing must be linear in the number of keys.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]

	// Caps describes the engine. The result never changes.
	Caps() Caps

	// Close releases the driver's resources. Later calls return ErrClosed.
	Close() error
}

// Caps describes an engine.
type Caps struct {
	// Name is the engine's name in messages, such as "file" or "memory".
	Name string
	// UniqueVersions is true if no two states of a document ever have the same version.
	// If it is false, a version stands for content, and a document that was changed and
	// changed back compares as unchanged (A-B-A).
	UniqueVersions bool
	// MaxSize is the size of the largest document in bytes. 0 means that the engine has
	// no limit of its own.
	MaxSize int64
}

// An Attempter is a Driver that splits an update into steps, so that the caller can
// stop between two steps. It is optional: without it, the store composes Read and Swap.
type Attempter interface {
	// Attempt begins an attempt to update one document. It does no work yet and cannot
	// fail.
	Attempt(key string) Attempt
}

// A Combiner is an Attempter whose attempts can publish several updates at once. Each
// update takes the result of the one before. It is optional: without it, each update is
// published by itself.
type Combiner interface {
	Attempter
	// Superseded returns the version of an intermediate result: content that a later
	// update of the same batch has replaced before it was published. No document ever
	// has this version, unless versions stand for content.
	Superseded(data []byte) Version
}

// An Attempt is one attempt to update one document. One goroutine at a time may use it.
// The steps have one of these orders:
//
//	Read, Stage, Lock, Publish, Settle, Close   optimistic: the lock is held only for the swap
//	Lock, Read, Stage, Publish, Settle, Close   no other user of the engine can cause a conflict
//
// Delete replaces Stage and Publish, and so does Confirm for an update that changes
// nothing. Close may follow any step; a change that was not published by then has no
// effect. Errors are those of a write of [Driver]. Another attempt may repeat the
// update only if this one was not applied.
type Attempt interface {
	// TryLock takes the document's lock if it is free, and reports whether it holds it.
	// An engine without locks always reports true.
	TryLock(ctx context.Context) (bool, error)
	// Lock waits for the document's lock until the context ends. It follows a TryLock
	// that reported false.
	Lock(ctx context.Context) error
	// Read returns the document and its version, or nil and Absent if it does not
	// exist. Callers must not change the bytes. Read may be called again: it drops the
	// data read and staged before, and keeps the lock.
	Read(ctx context.Context) ([]byte, Version, error)
	// Stage prepares data to replace the version that was read, with or without the
	// lock. It may notice that the document has already changed, which is ErrConflict.
	// Data must not change until Publish has returned.
	Stage(ctx context.Context, data []byte) error
	// Publish replaces the document with the staged data if the document still has the
	// version that was read. It returns the new version, also with ErrNotDurable. It
	// needs the lock and releases it before it returns. The new version is then visible
	// to all readers, but durable only after Settle.
	Publish(ctx context.Context) (Version, error)
	// Delete removes the document if it still has the version that was read. Otherwise
	// it behaves like Publish. Deleting an absent document is ErrConflict.
	Delete(ctx context.Context) error
	// Confirm is for an update that changes nothing. It is ErrConflict if the document
	// no longer has the version that was read. It needs the lock and releases it before
	// it returns. No guard withdraws a confirmed version, but it is durable only after
	// Settle.
	Confirm(ctx context.Context) error
	// Forget drops data read and staged, like Read. It may be called while Lock waits.
	Forget()
	// Settle makes the version published, confirmed or read under the lock durable, as
	// far as the engine was asked to, and releases the lock if the attempt still holds
	// it. Its error is ErrNotDurable.
	Settle() error
	// Close releases the lock, drops staged data and frees all resources. Every attempt
	// needs a Close; a second one does nothing.
	Close()
}

// A Watcher is a Driver that tells of changes. It is optional: without it, who watches a
// document reads it from time to time.
type Watcher interface {
	// Watch calls changed with the key of each document that has been changed, if the key
	// begins with prefix, from before it returns until the context ends. A call is a hint:
	// the caller reads the document, and reads again from time to time, since hints may
	// come too often, late, or not at all. An empty key means that any may have changed.
	// Changed may be called concurrently; it does not block and does not call the driver.
	Watch(ctx context.Context, prefix string, changed func(key string)) error
}

// A Transactor is a Driver that can change several documents at once. It is optional:
// without it, the engine has no transactions.
type Transactor interface {
	// Commit is a compare-and-swap of several documents: it makes all changes at one
	// instant, its linearization point, if each document has the version that its change
	// expects, and otherwise none. Then the error is a [ConflictError] with the key of
	// one such document. No reader sees some of the changes without the others, whatever
	// the order of its reads.
	//
	// Commit returns one version for each change, in the order of the changes, also with
	// ErrNotDurable: the new one, Absent for a deletion, and Change.Old for one that keeps.
	// Two changes of one document are ErrKey. No changes are no error. The errors are those
	// of a write of [Driver]; none is for a part of the changes. If the context has ended
	// the error is its cause, or ErrUnknown where the engine may still make the changes.
	Commit(ctx context.Context, changes []Change) ([]Version, error)
}

// Change is what a transaction does with one document: it replaces it with Data, unless
// Keep or Delete is set.
type Change struct {
	// Key is the document.
	Key string
	// Old is the version that the document is expected to have. If it is Absent, the
	// change creates the document, or, with Keep, expects that there is none.
	Old Version
	// Keep only expects the version and changes nothing. Delete and Data do not count then.
	Keep bool
	// Delete removes the document. Deleting an absent document is a conflict.
	Delete bool
	// Data is the new content. Commit does not keep it after it has returned.
	Data []byte
}
