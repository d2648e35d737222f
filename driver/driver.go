// Package driver is the contract between the store and an engine: where
// documents live. An engine keeps opaque bytes under a key, gives every state
// of a document a [Version], and replaces a document only if its version is
// still the one that the caller saw (compare-and-swap). All else (JSON, retries,
// path edits) is built above, in package store.
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

	// List iterates over the keys that begin with prefix, in byte order, each once. It
	// is no snapshot: a document that exists from the first to the last step of the
	// iteration is listed; one that is created or deleted meanwhile may be. The loop's body may
	// call every method of the driver, so no lock is held while it runs. An error, which may
	// be that of the context, is the last pair; its key is empty.
	//
	// An engine that is asked for pages asks for the next one by itself. A listing must
	// not read anything again for each page: its cost is linear in the number of keys.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]

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

// An Attempter is a Driver whose updates go step by step, so that the caller decides
// between the steps whether it still wants to go on. It is optional: without it, the
// store composes Read and Swap.
type Attempter interface {
	// Attempt begins a try at an update of one document. It does nothing yet, and
	// cannot fail.
	Attempt(key string) Attempt
}

// A Combiner is an Attempter of which one attempt can publish several updates at once,
// each made on what the one before has made of the document. It is optional: without
// it, each update is published by itself.
type Combiner interface {
	Attempter
	// Superseded returns a version for content that another update was made on before
	// it was published, so that nobody has seen it. No document ever has this version,
	// but where versions stand for content.
	Superseded(data []byte) Version
}

// An Attempt is one try at an update of one document. It is for one goroutine at a
// time. The steps are
//
//	Read, Stage, Lock, Publish, Settle, Close      optimistic: the lock is held only for the swap
//	Lock, Read, Stage, Publish, Settle, Close      the swap cannot conflict with another user of this engine
//
// where Delete may stand in the place of Stage and Publish, and Confirm does where
// nothing is to be changed. Close may come after any of
// them; whatever was not published by then has no effect. Errors are those of [Driver],
// with these outcomes: after ErrUnknown the change may have been applied, or may yet
// be; after ErrNotDurable it has been applied; after any other error it was not. Only
// then may the update be tried again, by another attempt.
type Attempt interface {
	// TryLock takes the document's lock if it is free, and reports whether it has it.
	// Where an engine has no locks, it has.
	TryLock(ctx context.Context) (bool, error)
	// Lock waits for the document's lock until the context ends. It comes after a
	// TryLock that did not have it.
	Lock(ctx context.Context) error
	// Read returns the document and its version; nil and Absent if it is not there. The
	// bytes must not be changed. Read may be called again: what was read and staged
	// before is forgotten, and the lock stays.
	Read(ctx context.Context) ([]byte, Version, error)
	// Stage makes data ready to take the place of what was read, before or under the
	// lock. It may find that the document has changed already, which is ErrConflict.
	// Data must not change until Publish has returned.
	Stage(ctx context.Context, data []byte) error
	// Publish puts what was staged in the document's place if that still has the
	// version that was read, and returns the new version, which comes with
	// ErrNotDurable too. It needs the lock, and has given it back when it returns. The
	// new version is visible to everybody then, but durable only after Settle.
	Publish(ctx context.Context) (Version, error)
	// Delete removes the document if it still has the version that was read; otherwise
	// it is as Publish. Of what is absent it is ErrConflict.
	Delete(ctx context.Context) error
	// Confirm is for an update that changes nothing: it is ErrConflict if the document
	// no longer has the version that was read. It needs the lock, and has given it back
	// when it returns. What it has found nobody takes back, but it is durable only after
	// Settle.
	Confirm(ctx context.Context) error
	// Forget forgets what was read and staged, as Read does. It may be called while
	// Lock waits.
	Forget()
	// Settle makes what was published or confirmed durable, as far as the engine was
	// asked to; or what was read under the lock, which it gives back. Its error is
	// ErrNotDurable.
	Settle() error
	// Close gives back the lock, forgets what is staged and releases everything. It
	// must be called, and may be called twice.
	Close()
}
