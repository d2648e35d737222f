package driver

import (
	"errors"
	"fmt"
	"io/fs"
)

// The outcomes that callers tell apart. Engines return them wrapped, with the
// document and the operation named; use errors.Is and errors.As.
var (
	// ErrConflict: the document's version was not the expected one. Nothing was changed.
	ErrConflict = errors.New("conflict")
	// ErrNotExist: there is no such document. It is fs.ErrNotExist.
	ErrNotExist = fs.ErrNotExist
	// ErrExist: a document that was to be created is there. It is fs.ErrExist.
	ErrExist = fs.ErrExist
	// ErrNotDurable: the write was published and everybody sees it, but making it
	// durable went wrong: after a power cut it may be gone.
	ErrNotDurable = errors.New("published, but not known to be durable")
	// ErrUnknown: the write may have been applied, or may yet be.
	ErrUnknown = errors.New("outcome unknown")
	// ErrLocked: the lock is held by somebody else and the wait for it was over
	// before the context was. Nothing was changed.
	ErrLocked = errors.New("locked")
	// ErrTooLarge: the document is larger than the limit.
	ErrTooLarge = errors.New("document too large")
	// ErrVersion: a version token is malformed, or of a kind that this
	// document's engine does not use. It is a mistake of the caller, never a conflict.
	ErrVersion = errors.New("unusable version")
	// ErrKey: a key that the engine cannot use.
	ErrKey = errors.New("unusable key")
	// ErrClosed: the handle was closed.
	ErrClosed = errors.New("closed")
	// ErrUnsupported: the engine or the system cannot do this. It is errors.ErrUnsupported.
	ErrUnsupported = errors.ErrUnsupported
)

// A ConflictError says which document was not at the expected version. It is
// ErrConflict, and ErrExist if the document was expected to be absent.
type ConflictError struct {
	Key  string  // the document, as the user names it
	Want Version // the version that the caller expected
	Have Version // the version that was found
}

func (e *ConflictError) Error() string {
	if e.Want.IsAbsent() {
		return fmt.Sprintf("conflict: expected no document, found version %s; to change it, give that version", e.Have)
	}
	if e.Have.IsAbsent() {
		return fmt.Sprintf("conflict: expected version %s, found no document; read it again and redo the change", e.Want)
	}
	return fmt.Sprintf("conflict: expected version %s, found %s; read it again and redo the change", e.Want, e.Have)
}

// Is reports that a ConflictError is ErrConflict, or also ErrExist.
func (e *ConflictError) Is(target error) bool {
	return target == ErrConflict || target == ErrExist && e.Want.IsAbsent()
}
