// Package driver is the contract between the store and an engine: where
// documents live. An engine keeps opaque bytes under a key, gives every state
// of a document a [Version], and replaces a document only if its version is
// still the one that the caller saw (compare-and-swap). All else (JSON, retries,
// path edits) is built above, in package store.
//
// Package drivertest checks an implementation; package memdriver is the
// reference one.
package driver

import "context"

// A Driver keeps documents. Its methods may be called concurrently.
//
// Keys are slash-separated and have been checked by the caller as Caps
// demands. Byte slices handed in are not kept after the call returns, and those
// handed out are never written to again: callers must not change them.
//
// A write (Swap, Delete) has exactly three outcomes: success; an error that is
// [ErrConflict], definitely not applied; any other error. Of those, one that is
// [ErrUnknown] may have been applied or may yet be, one that is [ErrNotDurable]
// has been applied and may be undone by a power cut, and every other one was
// not applied.
type Driver interface {
	// Read returns the bytes of a document and their version. A document that
	// is not there has the version [Absent], nil bytes, and is no error. Reads are
	// linearizable: they see every write that was acknowledged before they began.
	Read(ctx context.Context, key string) ([]byte, Version, error)

	// Swap replaces the document if its version is old, and returns the new
	// version. Old == Absent creates, and only creates. There is no version that
	// means "any": a blind write is a lost update. The linearization point is
	// the engine's own compare-and-swap.
	Swap(ctx context.Context, key string, old Version, data []byte) (Version, error)

	// Delete removes the document if its version is old. A document that is
	// absent is a conflict.
	Delete(ctx context.Context, key string, old Version) error

	// List returns at most limit keys that begin with prefix and come after
	// the key after, in byte order; fewer than limit means the end was reached. It
	// is no snapshot: documents created or deleted meanwhile may or may not appear.
	List(ctx context.Context, prefix, after string, limit int) ([]string, error)

	// Caps tells what the engine can do. It does not change.
	Caps() Caps

	// Close frees what the driver holds. Calls after it return ErrClosed.
	Close() error
}

// Caps describes an engine.
type Caps struct {
	// Name is the engine's name in messages, as in "file" or "memory".
	Name string
	// UniqueVersions is true where no two states of a document ever have the same
	// version. Where it is false, versions stand for content, and a document that was
	// changed and changed back compares as unchanged (A-B-A).
	UniqueVersions bool
	// MaxSize is the largest document in bytes; 0 means that the engine has no
	// limit of its own.
	MaxSize int64
}

// An Attempter is a Driver that can hold on to a document while an update is
// under way. It is optional: without it, the store composes Read and Swap.
type Attempter interface {
	// Attempt reads a document to change it. With lock set it holds the document
	// exclusively from before the read until Close, so that the Swap that follows cannot
	// conflict with another user of this engine; without, Swap may conflict.
	Attempt(ctx context.Context, key string, lock bool) (Attempt, error)
}

// A Combiner is an Attempter of which one attempt can publish several updates at once, each made on what the one before
// has made of the document. It is optional: without it, each update is published by itself. Where the context of an
// Attempt or of its Swap ends before the new version is published, the error may not be ErrUnknown.
type Combiner interface {
	Attempter
	// Superseded returns a version for content that another update was made on before it was published, so that
	// nobody has seen it. No document ever has this version, but where versions stand for content.
	Superseded(data []byte) Version
}

// An Attempt is one try at an update: what was read, and the way to replace it.
// It is for one goroutine, and at most one of Swap and Delete may be called, once.
type Attempt interface {
	// Data returns what was read, nil if the document is absent. It must not be changed.
	Data() []byte
	// Version returns the version of Data.
	Version() Version
	// Swap replaces the document if it still has Version. When it returns, the lock is
	// free and the new version is visible to everybody, but durable only after Settle.
	Swap(ctx context.Context, data []byte) (Version, error)
	// Delete removes the document if it still has Version; Settle as for Swap.
	Delete(ctx context.Context) error
	// Settle makes what was published durable, as far as the engine was asked to.
	// Its error is ErrNotDurable: the new version is there all the same.
	Settle() error
	// Close releases everything. It must be called, and may be called twice.
	Close()
}
