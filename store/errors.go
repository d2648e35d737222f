// The errors that callers tell apart.

package store

import (
	"errors"

	"github.com/jsonstore/jsonstore/driver"
)

// Use errors.Is with these; what the store returns wraps them in an *Error.
var (
	// ErrConflict: the document was not at the expected version, and nothing was
	// changed. As a *ConflictError it carries both versions.
	ErrConflict = driver.ErrConflict
	// ErrNotExist: there is no such document, or no value at the path. It is
	// fs.ErrNotExist.
	ErrNotExist = driver.ErrNotExist
	// ErrExist: a document that was to be created is there; it is a conflict as well. It
	// is fs.ErrExist.
	ErrExist = driver.ErrExist
	// ErrInvalid: a document, a new value for it or a patch is not the JSON that it must
	// be. The document was left alone.
	ErrInvalid = errors.New("invalid")
	// ErrPath: a path that cannot be used: a mistake of the caller.
	ErrPath = errors.New("unusable path")
	// ErrTooLarge: the document is larger than Options.MaxSize, or than the engine allows.
	ErrTooLarge = driver.ErrTooLarge
	// ErrLocked: the lock was not free within Options.LockWait. Nothing was changed.
	ErrLocked = driver.ErrLocked
	// ErrNotDurable: the change was published and everybody sees it, but making it
	// durable went wrong: after a power cut it may be gone. Do not repeat the change.
	ErrNotDurable = driver.ErrNotDurable
	// ErrUnknown: the change may have been applied, or may yet be. On files that is
	// when the system reports an error of the very call that publishes, and none of
	// those that would tell what came of it works either; engines on other machines
	// return it when a connection is lost. Read the document before you repeat the
	// change.
	ErrUnknown = driver.ErrUnknown
	// ErrVersion: a version of a kind that this document does not have: a mistake of
	// the caller, never a conflict.
	ErrVersion = driver.ErrVersion
	// ErrKey: a key that cannot be used.
	ErrKey = driver.ErrKey
	// ErrUnsupported: the file system or engine cannot do this. It is
	// errors.ErrUnsupported.
	ErrUnsupported = driver.ErrUnsupported
	// ErrClosed: the handle was closed.
	ErrClosed = driver.ErrClosed
)

// A ConflictError says which version was expected and which was found. It is ErrConflict.
type ConflictError = driver.ConflictError

// An Error says what was done to which document when Err came up. Every error of
// a method on a document is one.
type Error struct {
	Op   string // the operation, as in "update"
	Name string // the document: the path of its file as it was opened, or its key
	Err  error
}

func (e *Error) Error() string { return e.Op + " " + e.Name + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
