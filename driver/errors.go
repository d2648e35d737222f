package driver

import (
	"errors"
	"fmt"
	"io/fs"
)

// The errors that callers distinguish. Engines wrap them in errors that name the
// document and the operation; use errors.Is and errors.As.
var (
	// ErrConflict: the document's version was not the expected one. Nothing was
	// changed.
	ErrConflict = errors.New("conflict")
	// ErrNotExist: there is no such document. It is fs.ErrNotExist.
	ErrNotExist = fs.ErrNotExist
	// ErrExist: the document to create already exists. It is fs.ErrExist.
	ErrExist = fs.ErrExist
	// ErrNotDurable: the write was published and all readers see it, but the flush that
	// makes it durable failed: a power cut may undo it.
	ErrNotDurable = errors.New("published, but not known to be durable")
	// ErrUnknown: the write may have been applied, or may still be applied later.
	ErrUnknown = errors.New("outcome unknown")
	// ErrLocked: another process or goroutine holds the lock, and the limit of the wait
	// passed before the context ended. Nothing was changed.
	ErrLocked = errors.New("locked")
	// ErrTooLarge: the document is larger than the limit.
	ErrTooLarge = errors.New("document too large")
	// ErrVersion: a version token is malformed, or of a kind that the document's engine
	// does not use. That is a mistake of the caller, never a conflict.
	ErrVersion = errors.New("unusable version")
	// ErrKey: the engine cannot use this key.
	ErrKey = errors.New("unusable key")
	// ErrClosed: the handle was closed.
	ErrClosed = errors.New("closed")
	// ErrUnsupported: the engine or the system cannot do this. It is
	// errors.ErrUnsupported.
	ErrUnsupported = errors.ErrUnsupported
)

// A ConflictError reports that a document did not have the expected version. It is
// ErrConflict, and ErrExist too if the document was expected to be absent.
type ConflictError struct {
	Key  string  // the document, as the user names it
	Want Version // the version that the caller expected
	Have Version // the version that was found
}

func (e *ConflictError) Error() string {
	if e.Want.IsAbsent() {
		return fmt.Sprintf("conflict: expected no document, found version %s; "+
			"to change it, give that version", e.Have)
	}
	if e.Have.IsAbsent() {
		return fmt.Sprintf("conflict: expected version %s, found no document; "+
			"read it again and redo the change", e.Want)
	}
	return fmt.Sprintf("conflict: expected version %s, found %s; "+
		"read it again and redo the change", e.Want, e.Have)
}

// Is reports that a ConflictError is ErrConflict, and ErrExist if no document was
// expected.
func (e *ConflictError) Is(target error) bool {
	return target == ErrConflict || target == ErrExist && e.Want.IsAbsent()
}
