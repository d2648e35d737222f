// The commit of a transaction, and its result.

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/aymanbagabas/go-udiff"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// txnResult is what --json prints.
type txnResult struct {
	Value     json.RawMessage `json:"value,omitempty"` // of --print
	Changed   bool            `json:"changed"`
	Documents []result        `json:"documents"`
}

// transact carries out the operations, and prints the result.
func (t *txn) transact(ctx context.Context) error {
	transact := store.Transact
	if t.db != nil {
		transact = t.db.Transact
	}
	var docs []*store.Doc
	for _, d := range t.docs {
		docs = append(docs, d.doc)
	}
	heard := t.app.tellWait(docs)
	var last *store.Tx
	err := transact(ctx, func(tx *store.Tx) error {
		last = tx
		return t.once(ctx, tx)
	})
	heard()
	if err != nil && !errors.Is(err, errDryRun) {
		return t.failure(err)
	}
	out := txnResult{Value: t.printed, Documents: []result{}}
	for _, d := range t.docs {
		version, changed := last.Version(d.doc), d.changed()
		row := result{File: d.name, Version: &version, Changed: &changed}
		switch {
		case t.diff:
			row.Diff = udiff.Unified(d.name, d.name, string(d.before), string(d.after))
		case t.dryRun && t.printer == nil && (d.invalid == nil || changed):
			row.Value = d.after
		}
		out.Documents = append(out.Documents, row)
		out.Changed = out.Changed || changed
	}
	t.app.changed = out.Changed
	if err := t.show(out); err != nil {
		var output *outputError
		if errors.As(err, &output) {
			output.published = out.Changed && !t.dryRun
		}
		return err
	}
	if t.exitStatus && isNo(t.printed) {
		return errNo
	}
	return nil
}

// failure is the error of a transaction, without the list of all its documents.
func (t *txn) failure(err error) error {
	if outer, ok := err.(*store.Error); ok {
		err = outer.Err
	}
	if where, ok := err.(*store.Error); ok {
		return &opError{file: where.Name, err: where.Err}
	}
	return err
}

func (t *txn) show(out txnResult) error {
	if t.app.flags.json {
		return wrote(encodeLine(t.app.stdout, out))
	}
	var text []byte
	switch {
	case t.printer != nil && t.raw && t.printed[0] == '"':
		// With a newline: print would not add one after the text's own.
		text = []byte(splice.Unquote(t.printed) + "\n")
	case t.printer != nil:
		text = t.printed
	case t.diff:
		for _, row := range out.Documents {
			text = append(text, row.Diff...)
		}
	case t.dryRun:
		for _, d := range t.docs {
			text = append(text, d.dryText()...)
		}
	}
	if len(text) == 0 {
		return nil
	}
	return t.app.print(text)
}

// dryText is what a dry run prints of a document.
func (d *txnDoc) dryText() []byte {
	would := "changed"
	switch {
	case !d.changed():
		return []byte(d.name + ": would be unchanged\n")
	case d.before == nil:
		would = "created"
	case d.after == nil:
		return []byte(d.name + ": would be deleted\n")
	}
	return append([]byte(d.name+": would be "+would+"\n"), line(bytes.TrimSuffix(d.after,
		[]byte("\n")))...)
}
