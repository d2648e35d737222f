// The errors that callers distinguish.

package store

import (
	"errors"

	"github.com/jsonstore/jsonstore/driver"
)

// Use errors.Is with these errors; the store returns them wrapped in an *Error.
var (
	// ErrConflict: the document was not at the expected version, and nothing was
	// changed. As a *ConflictError it carries both versions.
	ErrConflict = driver.ErrConflict
	// ErrNotExist: there is no such document, or no value at the path. It is
	// fs.ErrNotExist.
	ErrNotExist = driver.ErrNotExist
	// ErrExist: a document to create exists already. It is a conflict too, and it is
	// fs.ErrExist.
	ErrExist = driver.ErrExist
	// ErrInvalid: a document, a new value for it or a patch is not valid JSON of the
	// required form. The document was not changed.
	ErrInvalid = errors.New("invalid")
	// ErrPath: the path cannot be used. This is a mistake of the caller.
	ErrPath = errors.New("unusable path")
	// ErrTooLarge: the document is larger than Options.MaxSize, or than the engine
	// allows.
	ErrTooLarge = driver.ErrTooLarge
	// ErrLocked: the lock was not free within Options.LockWait. Nothing was changed.
	ErrLocked = driver.ErrLocked
	// ErrNotDurable: the change was published and every reader sees it, but making it
	// durable failed: a power cut may undo it. Do not repeat the change.
	ErrNotDurable = driver.ErrNotDurable
	// ErrUnknown: the change may have been applied, or may still be applied. On files
	// the system call that publishes returned an error, and the calls that would
	// determine its outcome fail too. Engines on other machines return it when a
	// connection is lost. Read the document before you repeat the change.
	ErrUnknown = driver.ErrUnknown
	// ErrVersion: the version is of another kind than the document's. This is a mistake
	// of the caller, never a conflict.
	ErrVersion = driver.ErrVersion
	// ErrSchema: the document has a newer schema than Migrate has steps for, or no schema
	// number at all where it should be. The document was not changed.
	ErrSchema = errors.New("unusable schema number")
	// ErrKey: the key cannot be used.
	ErrKey = driver.ErrKey
	// ErrUnsupported: the file system or engine cannot do this. It is
	// errors.ErrUnsupported.
	ErrUnsupported = driver.ErrUnsupported
	// ErrClosed: the handle was closed.
	ErrClosed = driver.ErrClosed
)

// A ConflictError has the version that was expected and the one found. It is
// ErrConflict.
type ConflictError = driver.ConflictError

// An Error has the operation and the document for which Err occurred. Every error of a
// method on a document is one.
type Error struct {
	Op   string // the operation, as in "update"
	Name string // the document: the path of its file as it was opened, or its key
	Err  error
}

func (e *Error) Error() string { return e.Op + " " + e.Name + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
