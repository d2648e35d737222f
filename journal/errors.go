// The errors that callers distinguish.

package journal

import (
	"errors"
	"fmt"

	"github.com/jsonstore/jsonstore/store"
)

// Use errors.Is with these errors and those of package store: ErrInvalid (a value is not
// JSON), ErrTooLarge, ErrNotDurable, ErrUnknown, ErrLocked, ErrClosed, ErrUnsupported and
// fs.ErrNotExist. Methods return them wrapped in a *store.Error.
var (
	// ErrCorrupt: records cannot be read, or are no JSON. As a *CorruptError it has their
	// numbers and the file.
	ErrCorrupt = errors.New("corrupt")
	// ErrRemoved: the records from which to read were removed. The *CorruptError has their
	// numbers.
	ErrRemoved = errors.New("no longer in the journal")
)

// A CorruptError says which records cannot be read. Those before and after can.
type CorruptError struct {
	Path        string // the file that should have them, or empty
	First, Last uint64 // the numbers of the records
	Err         error  // ErrCorrupt or ErrRemoved, with the reason
}

func (e *CorruptError) Error() string {
	which := fmt.Sprintf("record %d", e.First)
	if e.Last != e.First {
		which = fmt.Sprintf("records %d to %d", e.First, e.Last)
	}
	if e.Path == "" {
		return which + ": " + e.Err.Error()
	}
	return e.Path + ": " + which + ": " + e.Err.Error()
}

func (e *CorruptError) Unwrap() error { return e.Err }

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCorrupt, fmt.Errorf(format, args...))
}

// wrap names the operation and the journal in an error.
func (j *Journal) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &store.Error{Op: op, Name: j.name, Err: err}
}
