// Fencing: a document that keeps the largest token it has seen refuses the late write of
// a holder that has lost its lease without noticing.

package lease

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/jsonstore/jsonstore/store"
)

// A Fence is the largest fencing token that a document has seen. Make it a member of the
// document's Go type, and call Admit first in every update:
//
//	type Accounts struct {
//		Balance int         `json:"balance"`
//		Fence   lease.Fence `json:"fence"`
//	}
//
//	_, _, err = store.Update(ctx, doc, func(a *Accounts) error {
//		if err := a.Fence.Admit(l.Token()); err != nil {
//			return err // nothing is changed
//		}
//		a.Balance += 10
//		return nil
//	})
//
// Lease.Guard does the same for documents without a Go type.
//
// A document knows a new token from the first guarded write with it on. Until then it
// accepts the late write of the holder before. So a new holder should begin with a
// guarded write to each document, even one that changes nothing else, and read the
// document only then.
type Fence uint64

// Admit notes a token, or returns a *FencedError if the document has seen a newer one.
// Equal tokens are those of one grant.
func (f *Fence) Admit(token uint64) error {
	if token < uint64(*f) {
		return &FencedError{Token: token, Newest: uint64(*f)}
	}
	*f = Fence(token)
	return nil
}

// fenceMember is the member of a guarded document that Guard uses.
const fenceMember = "fence"

// Guard returns a function for store.Doc.Update that calls fn only while the grant is
// valid by the holder's clocks, else it is ErrLost, and if the document has not seen a
// newer token, else it is ErrFenced. It puts the token into the member "fence" of the
// document, which must be an object; an absent document is one.
//
//	_, err = doc.Update(ctx, l.Guard(func(old []byte) ([]byte, error) {
//		return sjson.SetBytes(old, "balance", 10)
//	}))
//
// As Update says, fn may run more than once, owns the bytes, and gets nil if the document
// is absent.
func (l *Lease) Guard(fn func(old []byte) ([]byte, error)) func(old []byte) ([]byte, error) {
	guarded := Guard(l.token, fn)
	return func(old []byte) ([]byte, error) {
		if err := l.Valid(); err != nil {
			return nil, err
		}
		return guarded(old)
	}
}

// Guard is Lease.Guard for a token alone, such as one that another process has acquired.
func Guard(
	token uint64, fn func(old []byte) ([]byte, error),
) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		fence, err := fenceOf(old)
		if err == nil {
			err = fence.Admit(token)
		}
		if err != nil {
			return nil, err
		}
		made, err := fn(old)
		if err != nil {
			return nil, err
		}
		if made == nil {
			return nil, nil // as it was, absent; or an error of Update
		}
		if _, err := fenceOf(made); err != nil {
			return nil, fmt.Errorf("the new content: %w", err)
		}
		return setFence(made, token)
	}
}

// setFence sets the member of an object. sjson drops white space around it.
func setFence(object []byte, token uint64) ([]byte, error) {
	const space = " \t\r\n"
	before := len(object) - len(bytes.TrimLeft(object, space))
	after := len(bytes.TrimRight(object, space))
	set, err := sjson.SetBytes(object[before:after], fenceMember, token)
	if err != nil {
		return nil, err
	}
	return slices.Concat(object[:before], set, object[after:]), nil
}

// fenceOf returns the fence of a document, 0 if there is none.
func fenceOf(data []byte) (Fence, error) {
	if data == nil {
		return 0, nil
	}
	// Not gjson.Valid, whose recursion has no limit.
	if !json.Valid(data) || bytes.TrimLeft(data, " \t\r\n")[0] != '{' {
		return 0, fmt.Errorf("%w: a guarded document must be an object", store.ErrInvalid)
	}
	var fence Fence
	if member := gjson.GetBytes(data, fenceMember); member.Exists() {
		if err := json.Unmarshal([]byte(member.Raw), &fence); err != nil {
			return 0, fmt.Errorf("%w: the member %q is not a fencing token: %w",
				store.ErrInvalid, fenceMember, err)
		}
	}
	return fence, nil
}

// Check makes a transaction conditional on the lease: it commits only if the grant has
// not ended, by the clocks of the holder when Check is called and by the document of the
// lease when the transaction commits. Otherwise Check, or store.Transact, returns an
// error that is ErrLost, and nothing is changed. The documents of the transaction then
// need no fence. Where it is called within the transaction does not matter.
func (l *Lease) Check(tx *store.Tx) error {
	if err := l.Valid(); err != nil {
		return err
	}
	data, _, err := tx.Read(l.doc)
	var d document
	switch {
	case errors.Is(err, store.ErrNotExist):
	case err != nil:
		return wrap("check lease", l.doc, err)
	default:
		if err := json.Unmarshal(data, &d); err != nil {
			return wrap("check lease", l.doc, err)
		}
	}
	if d.Nonce != l.nonce {
		return wrap("check lease", l.doc, errEnded(l.token, d.Record))
	}
	return nil
}
