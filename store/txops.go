// What a transaction can do with a document: what Doc can, with the same meaning and checks.

package store

import (
	"bytes"
	"encoding/json"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/docpath"
)

// Read returns the document as the transaction has made it, or found it, and the version that
// it found. An absent document is ErrNotExist, one that is not valid ErrInvalid, with its bytes. The
// bytes must not be changed.
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

// Version returns the version that the document had when the transaction read it. When
// Transact has returned without error, it is the one that the document has got. It is Absent
// for a document that the transaction did not use. Of one that was used through several
// handles, it has the kind that the first of them has.
func (tx *Tx) Version(doc *Doc) Version {
	if e := tx.byKey[txKey{doc.db, doc.key}]; e != nil {
		return e.version
	}
	return Absent
}

// Update applies fn to the document as the transaction has made it: fn gets its content, nil if
// it is absent, and returns what it is to be. The bytes are fn's own. If fn returns nil for a
// document that is there, the error is ErrInvalid; to delete it, use Delete.
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

// Write makes data the document, whatever it was, and whether it was there or not.
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

// Create makes the document; if it is there, the error is ErrExist.
func (tx *Tx) Create(doc *Doc, data []byte) error {
	e, err := tx.use(doc)
	switch {
	case err != nil:
	case e.now.exists:
		err = &driver.ConflictError{Key: doc.name, Want: Absent, Have: e.version}
		if e.version.IsAbsent() { // the transaction has made it
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

// Delete deletes the document, whatever its content. If it is absent, the error is ErrNotExist.
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

// Get returns the value at a path, as Doc.Get does.
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

// Set puts a value at a path, as Doc.Set does.
func (tx *Tx) Set(doc *Doc, path string, value any) error {
	return tx.edit(doc, "set", value, doc.setting(path, value))
}

// Add adds to the number at a path and returns the sum, as Doc.Add does.
func (tx *Tx) Add(doc *Doc, path string, delta any) (sum json.Number, err error) {
	err = tx.edit(doc, "add", delta, func(old, raw []byte) (data []byte, err error) {
		var text string
		data, text, err = docpath.Add(old, path, string(raw), doc.opts.limits())
		sum = json.Number(text)
		return data, err
	})
	return sum, err
}

// Append puts a value at the end of the array at a path, as Doc.Append does.
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

// Unset removes the value at a path, as Doc.Unset does.
func (tx *Tx) Unset(doc *Doc, path string) error {
	return tx.update(doc, "unset", doc.unsetting(path))
}

// MergePatch applies a JSON Merge Patch, as Doc.MergePatch does.
func (tx *Tx) MergePatch(doc *Doc, patch []byte) error {
	return tx.update(doc, "patch", doc.merging(patch))
}

// JSONPatch applies a JSON Patch, as Doc.JSONPatch does.
func (tx *Tx) JSONPatch(doc *Doc, patch []byte) error {
	return tx.update(doc, "patch", doc.patching(patch))
}

// TxRead decodes the document as the transaction has made it into a T, as Read does.
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

// TxUpdate decodes the document as the transaction has made it into a T, calls fn to change it,
// and merges what fn changed into the document, as Update does. It returns the value.
func TxUpdate[T any](tx *Tx, doc *Doc, fn func(value *T) error) (T, error) {
	var value T
	err := tx.update(doc, "update", changing(doc, &value, fn))
	return value, err
}
