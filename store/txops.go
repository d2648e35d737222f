// The operations of a transaction on a document. They mean what those of Doc do, and check
// the same.

package store

import (
	"bytes"
	"encoding/json"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/docpath"
)

// Read returns the document with the changes that the transaction has made so far, and the
// version that the transaction has read. An absent document is ErrNotExist. A document that
// is not valid JSON is ErrInvalid; its bytes are returned all the same. The bytes must not
// be changed.
func (tx *Tx) Read(doc *Doc) ([]byte, Version, error) {
	e, err := tx.read(doc)
	if e == nil {
		return nil, Absent, doc.error("read", err)
	}
	if err != nil {
		err = doc.error("read", err)
	}
	return e.now.data, e.version, err
}

func (tx *Tx) read(doc *Doc) (*txDoc, error) {
	e, err := tx.use(doc)
	switch {
	case err != nil:
		return nil, err
	case !e.now.exists:
		return e, ErrNotExist
	case !e.now.checked:
		if err := doc.checkContent(e.now.data); err != nil {
			return e, err
		}
		e.now.checked = true
	}
	return e, nil
}

// Version returns the version of the document that the transaction has read and, once
// Transact has returned without error, the version that the document has since the commit.
// It is Absent for a document that the transaction has not used. For a document that was
// used through several handles, it has the kind of the first handle's versions.
func (tx *Tx) Version(doc *Doc) Version {
	if e := tx.byKey[txKey{doc.db, doc.key}]; e != nil {
		return e.version
	}
	return Absent
}

// Update replaces the document by the result of fn. Fn gets the content with the changes
// that the transaction has made so far, or nil if the document is absent. Fn owns the
// bytes. If fn returns nil for a document that exists, the error is ErrInvalid; to delete
// the document, use Delete. If fn returns an error, the document is not changed, and the
// error is returned wrapped.
func (tx *Tx) Update(doc *Doc, fn func(old []byte) ([]byte, error)) error {
	return tx.update(doc, "update", fn)
}

func (tx *Tx) update(doc *Doc, op string, fn func(old []byte) ([]byte, error)) error {
	e, err := tx.read(doc)
	if err == nil || e != nil && !e.now.exists {
		err = e.change(fn)
	}
	if err != nil {
		return doc.error(op, err)
	}
	return nil
}

func (e *txDoc) change(fn func(old []byte) ([]byte, error)) error {
	var old []byte
	if e.now.exists {
		old = bytes.Clone(e.now.data)
	}
	data, err := fn(old)
	if err != nil || data == nil && !e.now.exists {
		return err
	}
	return e.write(data)
}

func (e *txDoc) write(data []byte) error {
	if e.view {
		return errView
	}
	if err := e.doc.checkNew(data); err != nil {
		return err
	}
	e.now.data, e.now.exists, e.now.checked = bytes.Clone(data), true, true
	return nil
}

// Write replaces or creates the document, whatever its version and content.
func (tx *Tx) Write(doc *Doc, data []byte) error {
	e, err := tx.use(doc)
	if err == nil {
		err = e.write(data)
	}
	if err != nil {
		return doc.error("write", err)
	}
	return nil
}

// Create creates the document. If it exists, the error is ErrExist.
func (tx *Tx) Create(doc *Doc, data []byte) error {
	e, err := tx.use(doc)
	switch {
	case err != nil:
	case e.now.exists:
		err = &driver.ConflictError{Key: doc.name, Want: Absent, Have: e.version}
		if e.version.IsAbsent() { // the transaction has created it
			err = ErrExist
		}
	default:
		err = e.write(data)
	}
	if err != nil {
		return doc.error("create", err)
	}
	return nil
}

// Delete deletes the document, whatever its version and content. If it is absent, the error
// is ErrNotExist.
func (tx *Tx) Delete(doc *Doc) error {
	e, err := tx.use(doc)
	if err == nil && !e.now.exists {
		err = ErrNotExist
	}
	if err == nil && e.view {
		err = errView
	}
	if err != nil {
		return doc.error("delete", err)
	}
	e.now = docState{}
	return nil
}

// Get returns the value at a path, like Doc.Get.
func (tx *Tx) Get(doc *Doc, path string) ([]byte, error) {
	e, err := tx.read(doc)
	if err != nil {
		return nil, doc.error("get", err)
	}
	value, err := doc.valueAt(e.now.data, path)
	if err != nil {
		return nil, doc.error("get", err)
	}
	return value, nil
}

// Set sets the value at a path, like Doc.Set.
func (tx *Tx) Set(doc *Doc, path string, value any) error {
	return tx.edit(doc, "set", value, doc.setting(path, value))
}

// Add adds to the number at a path and returns the sum, like Doc.Add.
func (tx *Tx) Add(doc *Doc, path string, delta any) (sum json.Number, err error) {
	err = tx.edit(doc, "add", delta, func(old, raw []byte) (data []byte, err error) {
		var text string
		data, text, err = docpath.Add(old, path, string(raw), doc.opts.limits())
		sum = json.Number(text)
		return data, err
	})
	return sum, err
}

// Append appends a value to the array at a path, like Doc.Append.
func (tx *Tx) Append(doc *Doc, path string, value any) error {
	return tx.edit(doc, "append", value, func(old, raw []byte) ([]byte, error) {
		return docpath.Append(old, path, raw, doc.opts.limits())
	})
}

func (tx *Tx) edit(doc *Doc, op string, value any, do func(old, raw []byte) ([]byte, error)) error {
	raw, err := rawValue(value)
	if err != nil {
		return doc.error(op, err)
	}
	return tx.update(doc, op, func(old []byte) ([]byte, error) {
		data, err := do(old, raw)
		return data, pathError(err)
	})
}

// Unset removes the value at a path, like Doc.Unset.
func (tx *Tx) Unset(doc *Doc, path string) error {
	return tx.update(doc, "unset", doc.unsetting(path))
}

// MergePatch applies a JSON Merge Patch, like Doc.MergePatch.
func (tx *Tx) MergePatch(doc *Doc, patch []byte) error {
	return tx.update(doc, "patch", doc.merging(patch))
}

// JSONPatch applies a JSON Patch, like Doc.JSONPatch.
func (tx *Tx) JSONPatch(doc *Doc, patch []byte) error {
	return tx.update(doc, "patch", doc.patching(patch))
}

// TxRead decodes the document, with the changes that the transaction has made so far, into
// a T, like Read.
func TxRead[T any](tx *Tx, doc *Doc) (T, error) {
	var value T
	e, err := tx.read(doc)
	if err == nil {
		err = decode(e.now.data, &value)
	}
	if err != nil {
		return value, doc.error("read", err)
	}
	return value, nil
}

// TxUpdate decodes the document, with the changes that the transaction has made so far,
// into a T, calls fn to change the value, and merges what fn has changed into the document,
// like Update. It returns the value.
func TxUpdate[T any](tx *Tx, doc *Doc, fn func(value *T) error) (T, error) {
	var value T
	err := tx.update(doc, "update", changing(doc, &value, fn))
	return value, err
}
