// The errors that callers distinguish.

package lease

import (
	"errors"
	"fmt"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

var (
	// ErrHeld: another holder has the lease. As a *HeldError it says who.
	ErrHeld = errors.New("lease is held")
	// ErrLost: this grant has ended: it has expired, it was released, or another holder
	// has the lease. It does not come back; acquire the lease anew.
	ErrLost = errors.New("lease is lost")
	// ErrFenced: a document has seen a newer token than that of the write. Nothing was
	// changed. As a *FencedError it carries both tokens.
	ErrFenced = errors.New("fenced off")
)

// A HeldError says who holds a lease. It is ErrHeld, and also what ended the wait, such
// as context.DeadlineExceeded.
type HeldError struct {
	Holder Record        // as it was seen last
	Waited time.Duration // 0 if Options.Wait is negative
	Err    error         // what ended the wait: the cause of the context, or ErrHeld
}

func (e *HeldError) Error() string {
	text := "the lease is held by " + e.Holder.holder()
	if e.Waited > 0 {
		text += fmt.Sprintf("; gave up after %v", e.Waited.Round(time.Millisecond))
	}
	if e.Err != ErrHeld {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is reports that a HeldError is ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }
func (e *HeldError) Unwrap() error        { return e.Err }

// A FencedError reports a write with an old token. It is ErrFenced.
type FencedError struct {
	Token  uint64 // of the write
	Newest uint64 // that the document has seen
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("fenced off: the write has the token %d of a lease, and the document has "+
		"seen the newer token %d; acquire the lease again", e.Token, e.Newest)
}

// Is reports that a FencedError is ErrFenced.
func (e *FencedError) Is(target error) bool { return target == ErrFenced }

// notLease says that a document is not that of a lease. It is store.ErrInvalid.
type notLease struct{ why error }

func (e *notLease) Error() string {
	return fmt.Sprintf("%v lease document: %v; use another document, or delete this one",
		store.ErrInvalid, e.why)
}
func (e *notLease) Unwrap() []error { return []error{store.ErrInvalid, e.why} }

// wrap gives an error the name of the lease document and of the operation.
func wrap(op string, doc *store.Doc, err error) error {
	var where *store.Error
	var bad *notLease
	if errors.As(err, &bad) {
		err = bad // and not that the document does not fit a Go type
	} else if errors.As(err, &where) && where.Name == doc.Name() {
		err = where.Err
	}
	return &store.Error{Op: op, Name: doc.Name(), Err: err}
}

// errEnded says that a grant has ended, and who holds the lease now.
func errEnded(token uint64, now Record) error {
	switch {
	case now.Token == 0:
		return fmt.Errorf("%w: the document with token %d was deleted; acquire the lease again",
			ErrLost, token)
	case now.Free():
		return fmt.Errorf("%w: token %d was released, the last one is %d; acquire the lease again",
			ErrLost, token, now.Token)
	}
	return fmt.Errorf("%w: token %d has ended, the lease is held by %s",
		ErrLost, token, now.holder())
}

// errExpired says that a grant has ended by the holder's own clocks.
func errExpired(token uint64, ttl time.Duration) error {
	return fmt.Errorf("%w: token %d was not renewed within its TTL of %v; acquire the lease again",
		ErrLost, token, ttl)
}
