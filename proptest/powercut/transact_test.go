// The processes that make transactions.

package powercut

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jsonstore/jsonstore/store"
)

// transact makes transactions over the documents Keys of the directory File.
func (j job) transact(ctx context.Context) error {
	db, err := store.Open(j.File, &j.Opts)
	if err != nil {
		return err
	}
	defer db.Close()
	var docs []*store.Doc
	for _, key := range j.Keys {
		doc := db.Doc(key)
		if j.Single {
			doc, err = store.OpenFile(filepath.Join(j.File, key+".json"), &j.Opts)
			if err != nil {
				return err
			}
			defer doc.Close()
		}
		docs = append(docs, doc)
	}
	for {
		n := 0
		err := store.Transact(ctx, func(tx *store.Tx) (err error) {
			if j.Kind == moving {
				n, err = move(tx, docs)
				return err
			}
			for _, doc := range docs {
				if n, err = increment(tx, doc, j.Member); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			_, err = fmt.Println(n) // one system call: a kill leaves a whole line or none
		}
		if err != nil {
			return err
		}
	}
}

// finish confirms each document again and again. It changes nothing itself.
func (j job) finish(ctx context.Context) error {
	db, err := store.Open(j.File, &j.Opts)
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		for _, key := range j.Keys {
			_, err := db.Doc(key).Update(ctx, func(old []byte) ([]byte, error) { return old, nil })
			if err != nil && !errors.Is(err, store.ErrInvalid) {
				return err
			}
		}
	}
}

func increment(tx *store.Tx, doc *store.Doc, member string) (int, error) {
	sum, err := tx.Add(doc, member, 1)
	if err != nil {
		return 0, err
	}
	n, err := sum.Int64()
	return int(n), err
}

// moved is the content of a document that is moved. It is too large for an inode.
func moved(n int) []byte {
	return fmt.Appendf(nil, `{"n": %d, "long": %q}`, n, strings.Repeat("x", 300))
}

// move counts one more move in the first document, and makes the last document out of the one
// before, or the other way round. The first time there is nothing to move yet.
func move(tx *store.Tx, docs []*store.Doc) (int, error) {
	n, err := increment(tx, docs[0], "n")
	if err != nil {
		return 0, err
	}
	from, to := docs[1+(n+1)%2], docs[1+n%2]
	if n > 1 {
		data, _, err := tx.Read(from)
		if err != nil {
			return 0, err
		}
		if string(data) != string(moved(n-1)) {
			return 0, errors.New("what is moved is not what was moved before")
		}
		if err := tx.Delete(from); err != nil {
			return 0, err
		}
	}
	return n, tx.Create(to, moved(n))
}
