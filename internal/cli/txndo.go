// How a transaction carries out its operations. All of this may run more than once, each
// time on the documents as they are then.

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// txnDoc is a document of the transaction. What is here of its content is that of the last run.
type txnDoc struct {
	name string // as it was given
	doc  *store.Doc
	read bool

	before, after []byte // nil if it is absent
	invalid       error  // of before
}

func (d *txnDoc) changed() bool {
	return !bytes.Equal(d.before, d.after) || (d.before == nil) != (d.after == nil)
}

// errDryRun ends a transaction that is to change nothing.
var errDryRun = errors.New("this is a dry run")

// txnRun is one run of the operations.
type txnRun struct {
	*txn
	ctx context.Context
	tx  *store.Tx
}

// once carries out all operations in one try of the transaction.
func (t *txn) once(ctx context.Context, tx *store.Tx) error {
	r := &txnRun{t, ctx, tx}
	for _, d := range t.docs {
		*d = txnDoc{name: d.name, doc: d.doc}
	}
	if err := r.findTwins(); err != nil {
		return err
	}
	for _, op := range t.ops {
		if err := r.perform(op); err != nil {
			return err
		}
	}
	for _, d := range t.docs {
		data, _, err := tx.Read(d.doc)
		if d.after = data; err != nil && !errors.Is(err, store.ErrInvalid) {
			if !errors.Is(err, store.ErrNotExist) {
				return &opError{file: d.name, err: err}
			}
			d.after = nil
		}
	}
	if t.printer != nil {
		if err := r.print(); err != nil {
			return err
		}
	}
	if t.dryRun {
		return errDryRun
	}
	return nil
}

// findTwins refuses two names of one document: a change under one name would also show under
// the other. Links may move, so each run checks.
func (r *txnRun) findTwins() error {
	known := map[string]*txnDoc{}
	for _, d := range r.docs {
		path, err := d.doc.LockFile() // one for each document, under all of its names
		if twin := known[path]; err == nil && twin != nil {
			return r.firstOn(d).failed("", usage("%s and %s are one document; use one of the names",
				twin.name, d.name))
		}
		if err != nil {
			return r.firstOn(d).failed(d.name, err)
		}
		known[path] = d
	}
	return nil
}

// firstOn returns the first operation on a document.
func (r *txnRun) firstOn(d *txnDoc) *operation {
	return r.ops[slices.IndexFunc(r.ops, func(op *operation) bool {
		return slices.Contains(op.files, d.name)
	})]
}

// failed marks an error as one of the operation.
func (op *operation) failed(file string, err error) error {
	var already *opError
	if err == nil || errors.As(err, &already) {
		return err
	}
	if where, ok := err.(*store.Error); ok && file != "" {
		err = where.Err // it would name the document a second time
	}
	return &opError{number: op.number, verb: op.verb, file: file, err: err}
}

// perform carries out one operation.
func (r *txnRun) perform(op *operation) error {
	var docs []*txnDoc
	for _, file := range op.files {
		d := r.byName[file]
		if err := r.begin(d); err != nil {
			return op.failed(file, err)
		}
		docs = append(docs, d)
	}
	if op.many {
		return op.failed("", r.performMany(op, docs))
	}
	return op.failed(op.files[0], r.performOn(op, docs[0]))
}

// begin reads a document when it is used first. An invalid one can be written and deleted.
func (r *txnRun) begin(d *txnDoc) error {
	if d.read {
		return nil
	}
	data, version, err := r.tx.Read(d.doc)
	switch {
	case errors.Is(err, store.ErrNotExist) && version.IsAbsent():
		data, err = nil, nil
	case errors.Is(err, store.ErrInvalid):
		d.invalid, err = errors.Unwrap(err), nil // without the document's name
	}
	d.before, d.read = data, true
	return err
}

func (r *txnRun) performOn(op *operation, d *txnDoc) error {
	path := ""
	if op.path != nil {
		path = *op.path
	}
	switch op.verb {
	case "expect":
		return r.expect(op, d)
	case "set":
		return r.tx.Set(d.doc, path, json.RawMessage(op.value))
	case "incr":
		by := json.RawMessage("1")
		if op.value != nil {
			by = op.value
		}
		_, err := r.tx.Add(d.doc, path, by)
		return err
	case "append":
		return r.tx.Append(d.doc, path, json.RawMessage(op.value))
	case "merge":
		return r.tx.MergePatch(d.doc, op.value)
	case "patch":
		return r.tx.JSONPatch(d.doc, op.value)
	case "create":
		return r.tx.Create(d.doc, line(op.value))
	case "write":
		return r.tx.Write(d.doc, line(op.value))
	case "delete":
		if op.path != nil {
			return r.tx.Unset(d.doc, path)
		}
		return r.tx.Delete(d.doc)
	}
	return r.tx.Update(d.doc, func(old []byte) ([]byte, error) { // expr
		if old != nil {
			return r.apply(op, old)
		}
		new, err := r.run(op, nil)
		return fromResult(nil, new), err
	})
}

// line is a document of a value as it is given.
func line(value []byte) []byte { return append(slices.Clone(value), '\n') }

func unexpected(format string, args ...any) error {
	return fmt.Errorf("%w: %w", store.ErrConflict, fmt.Errorf(format, args...))
}

// expect is a conflict if a document is not as it is expected to be.
func (r *txnRun) expect(op *operation, d *txnDoc) error {
	if op.version != nil {
		return mustHave(d.doc, op.version, r.tx.Version(d.doc))
	}
	if op.expr != nil {
		data, err := r.current(d)
		if err != nil {
			return err
		}
		return r.expectYes(op, data)
	}
	var value []byte
	var err error
	what := "the document"
	if op.path == nil {
		value, _, err = r.tx.Read(d.doc)
	} else {
		what = fmt.Sprintf("a value at %q", *op.path)
		value, err = r.tx.Get(d.doc, *op.path)
	}
	absent := errors.Is(err, store.ErrNotExist)
	switch {
	case op.exists != nil && op.path == nil && errors.Is(err, store.ErrInvalid):
		err = nil // it exists
	case err != nil && !absent:
		return err
	}
	switch {
	case op.exists != nil && *op.exists && absent:
		return unexpected("%s was expected, and there is none", what)
	case op.exists != nil && !*op.exists && !absent:
		return unexpected("%s is there, and was not expected", what)
	case op.exists != nil:
		return nil
	case absent:
		return unexpected("%s was expected to be %s, and there is none", what, clipped(op.value))
	}
	same, err := splice.Equal(value, op.value, splice.Limits{AllowDuplicateKeys: true})
	if err == nil && !same {
		err = unexpected("%s was expected to be %s, not %s", what, clipped(op.value),
			clipped(bytes.TrimSpace(value)))
	}
	return err
}

func clipped(text []byte) string {
	const most = 60
	if len(text) <= most {
		return string(text)
	}
	return fmt.Sprintf("%.*s…", most, text)
}

// expectYes is a conflict if the expression says no.
func (r *txnRun) expectYes(op *operation, data []byte) error {
	answer, err := r.run(op, data)
	if err == nil && isNo(answer) {
		err = unexpected("the expression %s is %s", clipped(op.expr.Text), answer)
	}
	return err
}

// current is a document as the transaction has made it, nil if it is absent.
func (r *txnRun) current(d *txnDoc) ([]byte, error) {
	data, _, err := r.tx.Read(d.doc)
	if errors.Is(err, store.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// performMany carries out an operation over several documents.
func (r *txnRun) performMany(op *operation, docs []*txnDoc) error {
	var contents [][]byte
	for _, d := range docs {
		data, err := r.current(d)
		if err != nil {
			return op.failed(d.name, err)
		}
		contents = append(contents, data)
	}
	joined := join(contents, op.names)
	if op.verb == "expect" {
		return r.expectYes(op, joined)
	}
	result, err := r.run(op, joined)
	if err != nil {
		return err
	}
	parts, err := split(result, len(docs), op.names)
	if err != nil {
		return err
	}
	for i, d := range docs {
		if err := r.replace(d, contents[i], parts[i]); err != nil {
			return op.failed(d.name, err)
		}
	}
	return nil
}

// replace makes an expression's result the document. Parts that are equal keep their bytes.
func (r *txnRun) replace(d *txnDoc, old, result []byte) error {
	new := fromResult(old, result)
	if old != nil {
		var err error
		lim := splice.Limits{AllowDuplicateKeys: r.app.flags.duplicates}
		if new, err = splice.Merge(old, result, lim); err != nil {
			return &runtimeError{err}
		}
	}
	if new == nil {
		return nil
	}
	return r.tx.Write(d.doc, new)
}

// run runs the expression of an operation.
func (r *txnRun) run(op *operation, data []byte) ([]byte, error) {
	defer r.programs.spare(op.program)
	return op.program.run(r.ctx, data)
}

func (r *txnRun) apply(op *operation, old []byte) ([]byte, error) {
	defer r.programs.spare(op.program)
	return op.program.apply(r.ctx, old)
}

// print computes the output of --print.
func (r *txnRun) print() (err error) {
	var before, after [][]byte
	for _, d := range r.docs {
		if d.invalid != nil {
			return &opError{file: d.name, err: fmt.Errorf("--print has no $old: %w", d.invalid)}
		}
		before, after = append(before, d.before), append(after, d.after)
	}
	names := r.printNames
	r.printed, err = r.printer.print(r.ctx, join(before, names), join(after, names))
	return err
}
