// The lease document: its members, what is valid, and what it says about time.

package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// MaxTTL is the longest time to live.
const MaxTTL = 366 * 24 * time.Hour

// maxToken is the largest token: every JSON reader represents integers up to it exactly.
const maxToken = 1<<53 - 1

// A Record is the content of a lease document. The document may have other members; they
// stay.
type Record struct {
	// Token is the fencing token of the current grant, or of the last one.
	Token uint64 `json:"token"`
	// Owner is the holder's name in messages, Host and PID its machine and process. No
	// decision depends on them. They are empty if the lease is free.
	Owner string `json:"owner,omitempty"`
	Host  string `json:"host,omitempty"`
	PID   int    `json:"pid,omitempty"`
	// Nonce identifies the grant. It is empty if the lease is free.
	Nonce string `json:"nonce,omitempty"`
	// Granted and Renewed are when the requests for the grant and its last renewal
	// began, by the holder's wall clock.
	Granted time.Time `json:"granted,omitzero"`
	Renewed time.Time `json:"renewed,omitzero"`
	// Renewals counts them, so that no two states of a lease are equal.
	Renewals uint64 `json:"renewals,omitempty"`
	// TTLMillis is the time to live in milliseconds.
	TTLMillis int64 `json:"ttl_ms,omitempty"`
	// Released is when the lease was released, if it was.
	Released time.Time `json:"released,omitzero"`
}

// Free reports whether nobody holds the lease: it was released.
func (r Record) Free() bool { return r.Nonce == "" }

// TTL is the time to live of the grant.
func (r Record) TTL() time.Duration { return time.Duration(r.TTLMillis) * time.Millisecond }

// Expires is when the grant expires by the holder's wall clock, unless it is renewed. A
// waiter may have to wait longer, see Options.MaxSkew.
func (r Record) Expires() time.Time { return r.Renewed.Add(r.TTL()) }

// Expired reports whether the grant has expired by a wall clock.
func (r Record) Expired(now time.Time) bool { return !r.Free() && !now.Before(r.Expires()) }

// Age is the time since the grant, by a wall clock; 0 if the lease is free.
func (r Record) Age(now time.Time) time.Duration {
	if r.Free() {
		return 0
	}
	return now.Round(0).Sub(r.Granted)
}

// holder describes the holder in messages.
func (r Record) holder() string {
	return fmt.Sprintf("%s (process %d on %s) with token %d", r.Owner, r.PID, r.Host, r.Token)
}

// check returns an error if the document is not that of a lease.
func (r Record) check() error {
	switch {
	case r.Token == 0 || r.Token > maxToken:
		return fmt.Errorf("the token %d is not between 1 and %d", r.Token, uint64(maxToken))
	case r.Free():
		if r.Owner != "" || r.TTLMillis != 0 {
			return errors.New("it has an owner or a TTL, but no nonce")
		}
	case r.TTLMillis <= 0 || r.TTLMillis > MaxTTL.Milliseconds():
		return fmt.Errorf("the TTL of %d ms is not between 1 ms and %v", r.TTLMillis, MaxTTL)
	case r.Granted.IsZero() || r.Renewed.IsZero():
		return errors.New("it has a nonce, but not when it was granted and renewed")
	case !r.Released.IsZero():
		return errors.New("it is held and released")
	}
	return nil
}

// identity is what changes with every grant and renewal, and with nothing else.
type identity struct {
	token, renewals uint64
	nonce           string
	ttl             int64
}

func (r Record) identity() identity {
	return identity{r.Token, r.Renewals, r.Nonce, r.TTLMillis}
}

// next is the token of the next grant.
func (r Record) next() (uint64, error) {
	if r.Token >= maxToken {
		return 0, fmt.Errorf("%w: the token %d has no successor; delete the document, and the "+
			"tokens in guarded documents", store.ErrInvalid, r.Token)
	}
	return r.Token + 1, nil
}

// firstToken is the token of the first grant of a new document: the time in microseconds,
// so that it is larger than the tokens of a document that was deleted.
func firstToken(now time.Time) uint64 {
	return uint64(min(max(now.UnixMicro(), 1), maxToken/2))
}

// document is a Record whose decoding checks it.
type document struct{ Record }

// UnmarshalJSON decodes and checks a lease. Its error is a *notLease.
func (d *document) UnmarshalJSON(data []byte) error {
	err := json.Unmarshal(data, &d.Record)
	if err == nil {
		err = d.check()
	}
	if err != nil {
		return &notLease{err}
	}
	return nil
}

// Status returns the content of a lease document. If there is none, the error is
// store.ErrNotExist; if it is not a lease, store.ErrInvalid. A lease that is held may
// have expired: see Record.Expired.
func Status(ctx context.Context, doc *store.Doc) (Record, error) {
	d, _, err := store.Read[document](ctx, doc)
	if err != nil {
		return Record{}, wrap("read lease", doc, err)
	}
	return d.Record, nil
}
