// The operations of transactions on one document, beside those of Doc.

package proptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// txOp is an operation in a transaction, and the same of a Doc.
type txOp struct {
	name  string
	do    func(tx *store.Tx, doc *store.Doc) error
	alone func(doc *store.Doc) error
	// expects is set if it does nothing but compare the version.
	expects *store.Version
}

// onDoc returns the content of a document in memory after the operation, nil for none, and the
// operation's error.
func (o txOp) onDoc(content string, there bool) (after *string, want error) {
	db, err := store.New(memdriver.New(), nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	doc := db.Doc("doc")
	if there {
		if _, err := doc.Create(context.Background(), []byte(content)); err != nil {
			panic(err)
		}
	}
	want = o.alone(doc)
	data, _, err := doc.Read(context.Background())
	if err != nil {
		return nil, want
	}
	text := string(data)
	return &text, want
}

// sameError reports whether two errors are of the same kind.
func sameError(a, b error) bool {
	if (a == nil) != (b == nil) {
		return false
	}
	for _, kind := range []error{store.ErrNotExist, store.ErrExist, store.ErrInvalid,
		store.ErrTooLarge, errTxRefused} {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return true
}

type txFields struct {
	N int   `json:"n"`
	L []int `json:"l,omitempty"`
}

func (m *txMachine) drawOp(t *rapid.T) txOp {
	ctx := context.Background()
	n := rapid.IntRange(0, 9).Draw(t, "n")
	content := fmt.Appendf(nil, `{ "n": %d, "z":1.10}`, n)
	path := rapid.SampledFrom([]string{"n", "l", "x.y", "z"}).Draw(t, "path")
	name := rapid.SampledFrom([]string{"read", "get", "typed read", "write", "write nonsense",
		"create", "delete", "add", "set", "append", "unset", "merge", "patch", "update",
		"update that refuses", "update to nothing", "update that keeps", "typed update",
		"typed update that refuses", "expect"}).Draw(t, "operation")
	op := txOp{name: fmt.Sprintf("%s %s %d", name, path, n)}
	updates := func(fn func(old []byte) ([]byte, error)) {
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.Update(doc, fn) }
		op.alone = func(doc *store.Doc) error { _, err := doc.Update(ctx, fn); return err }
	}
	typed := func(fn func(v *txFields) error) {
		op.do = func(tx *store.Tx, doc *store.Doc) error {
			_, err := store.TxUpdate(tx, doc, fn)
			return err
		}
		op.alone = func(doc *store.Doc) error {
			_, _, err := store.Update(ctx, doc, fn)
			return err
		}
	}
	switch name {
	case "read":
		op.do = func(tx *store.Tx, doc *store.Doc) error { _, _, err := tx.Read(doc); return err }
		op.alone = func(doc *store.Doc) error { _, _, err := doc.Read(ctx); return err }
	case "get":
		op.do = func(tx *store.Tx, doc *store.Doc) error { _, err := tx.Get(doc, path); return err }
		op.alone = func(doc *store.Doc) error { _, _, err := doc.Get(ctx, path); return err }
	case "typed read":
		op.do = func(tx *store.Tx, doc *store.Doc) error {
			_, err := store.TxRead[txFields](tx, doc)
			return err
		}
		op.alone = func(doc *store.Doc) error {
			_, _, err := store.Read[txFields](ctx, doc)
			return err
		}
	case "write", "write nonsense":
		if name == "write nonsense" {
			content = []byte(`{"n":`)
		}
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.Write(doc, content) }
		op.alone = func(doc *store.Doc) error {
			_, err := doc.Update(ctx, func([]byte) ([]byte, error) { return content, nil })
			return err
		}
	case "create":
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.Create(doc, content) }
		op.alone = func(doc *store.Doc) error { _, err := doc.Create(ctx, content); return err }
	case "delete":
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.Delete(doc) }
		op.alone = func(doc *store.Doc) error { return doc.Delete(ctx) }
	case "add":
		op.do = func(tx *store.Tx, doc *store.Doc) error {
			_, err := tx.Add(doc, path, n)
			return err
		}
		op.alone = func(doc *store.Doc) error { _, _, err := doc.Add(ctx, path, n); return err }
	case "set":
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.Set(doc, path, n) }
		op.alone = func(doc *store.Doc) error { _, err := doc.Set(ctx, path, n); return err }
	case "append":
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.Append(doc, path, n) }
		op.alone = func(doc *store.Doc) error { _, err := doc.Append(ctx, path, n); return err }
	case "unset":
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.Unset(doc, path) }
		op.alone = func(doc *store.Doc) error { _, err := doc.Unset(ctx, path); return err }
	case "merge":
		patch := fmt.Appendf(nil, `{"n":%d,"z":null}`, n)
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.MergePatch(doc, patch) }
		op.alone = func(doc *store.Doc) error { _, err := doc.MergePatch(ctx, patch); return err }
	case "patch": // which fails where there is no n
		patch := fmt.Appendf(nil, `[{"op":"replace","path":"/n","value":%d}]`, n)
		op.do = func(tx *store.Tx, doc *store.Doc) error { return tx.JSONPatch(doc, patch) }
		op.alone = func(doc *store.Doc) error { _, err := doc.JSONPatch(ctx, patch); return err }
	case "update":
		updates(func(old []byte) ([]byte, error) {
			for i := range old { // which are its own
				old[i] = 'x'
			}
			return content, nil
		})
	case "update that refuses":
		updates(func(old []byte) ([]byte, error) {
			for i := range old {
				old[i] = 'x'
			}
			return content, errTxRefused
		})
	case "update to nothing":
		updates(func([]byte) ([]byte, error) { return nil, nil })
	case "update that keeps":
		updates(func(old []byte) ([]byte, error) { return bytes.Clone(old), nil })
	case "typed update":
		typed(func(v *txFields) error { v.N += n; return nil })
	case "typed update that refuses":
		typed(func(v *txFields) error { v.N += n; return errTxRefused })
	case "expect":
		version := store.Absent
		if len(m.old) > 0 && rapid.Bool().Draw(t, "an old one") {
			version = rapid.SampledFrom(m.old).Draw(t, "version").version
		}
		op.expects = &version
	}
	return op
}
