// Edits of one place in a document, by path.

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jsonstore/jsonstore/internal/docpath"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// Get returns the JSON value at a path, and the document's version. If the document or
// the value does not exist, the error is ErrNotExist.
//
// A path is keys joined by dots, as in "theme.color", with indexes for arrays, as in
// "users.0.name"; -1 is the last. It has the syntax of
// https://github.com/tidwall/gjson. A backslash escapes the next character. A colon
// before a part makes it a key even if it looks like an index. Path escapes whole keys.
// "@this" is the whole document. Get also answers gjson's queries, as in
// "users.#(age>40).name", with the modifiers @keys, @values, @reverse, @flatten, @join,
// @ugly and @valid; edits accept neither. Queries of this form compare numbers exactly;
// other queries are ErrPath where a number in the document differs from the number in
// the query, but is the same float64. The time of a query is not bounded by the
// context: do not run untrusted queries on large documents.
func (d *Doc) Get(ctx context.Context, path string) ([]byte, Version, error) {
	s, err := d.read(ctx)
	if err != nil {
		return nil, s.version, d.error("get", err)
	}
	value, err := d.valueAt(s.data, path)
	if err != nil {
		return nil, s.version, d.error("get", err)
	}
	return value, s.version, nil
}

// valueAt is the value at a path of the document's content.
func (d *Doc) valueAt(data []byte, path string) ([]byte, error) {
	value, found, err := docpath.Get(data, path, d.opts.limits())
	if err == nil && !found {
		err = fmt.Errorf("no value at %q: %w", path, ErrNotExist)
	}
	return value, pathError(err)
}

// Set puts a value at a path, as encoding/json encodes it. The rest of the document
// stays byte for byte. Equal parts of the old value keep their spelling, as 1.10 for
// 1.1. A string, or key of a map, that is not valid UTF-8 is ErrInvalid. A
// json.RawMessage is written as it is spelled; where it takes the place of an object or
// array, the order of members and the layout stay. Set creates the document and the
// objects on the path if they do not exist. The index -1, or the length of an array,
// appends to it. It is an Update.
func (d *Doc) Set(ctx context.Context, path string, value any) (Version, error) {
	return d.editBy(ctx, "set", value, d.setting(path, value))
}

func (d *Doc) setting(path string, value any) func(old, raw []byte) ([]byte, error) {
	spelling := splice.KeepOld
	if _, ok := value.(json.RawMessage); ok {
		spelling = splice.AsGiven
	}
	return func(old, raw []byte) ([]byte, error) {
		return docpath.Set(old, path, raw, spelling, d.opts.limits())
	}
}

// Add adds a number to the number at a path and returns the sum; an absent value counts
// as 0. Delta is a Go number, a *big.Int or a json.Number. Integers and decimals add
// exactly, also far beyond 64 bits: up to 10,000 digits, and exponents up to 308. It is
// an Update.
func (d *Doc) Add(
	ctx context.Context, path string, delta any,
) (sum json.Number, version Version, err error) {
	version, err = d.editBy(ctx, "add", delta, func(old, raw []byte) (data []byte, err error) {
		var text string
		data, text, err = docpath.Add(old, path, string(raw), d.opts.limits())
		sum = json.Number(text)
		return data, err
	})
	return sum, version, err
}

// Append puts a value, as Set takes it, at the end of the array at a path. It creates
// the array if it does not exist. It is an Update.
func (d *Doc) Append(ctx context.Context, path string, value any) (Version, error) {
	return d.editBy(ctx, "append", value, func(old, raw []byte) ([]byte, error) {
		return docpath.Append(old, path, raw, d.opts.limits())
	})
}

// editBy is an update by path with a value.
func (d *Doc) editBy(
	ctx context.Context, op string, value any, do func(old, raw []byte) ([]byte, error),
) (Version, error) {
	raw, err := rawValue(value)
	if err != nil {
		return Absent, d.error(op, err)
	}
	return d.edit(ctx, op, func(old []byte) ([]byte, error) {
		data, err := do(old, raw)
		return data, pathError(err)
	})
}

// Unset removes the value at a path, and is ErrNotExist if the value does not exist. It
// is an Update.
func (d *Doc) Unset(ctx context.Context, path string) (Version, error) {
	return d.edit(ctx, "unset", d.unsetting(path))
}

func (d *Doc) unsetting(path string) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, ErrNotExist
		}
		data, found, err := docpath.Delete(old, path, d.opts.limits())
		if err == nil && !found {
			err = fmt.Errorf("no value at %q: %w", path, ErrNotExist)
		}
		return data, pathError(err)
	}
}

// rawValue is the JSON of a value that an edit takes.
func rawValue(value any) ([]byte, error) {
	if raw, ok := value.(json.RawMessage); ok {
		return raw, nil
	}
	return encode(value)
}

// Path joins keys to a path in which every character stands for itself.
func Path(keys ...string) string { return docpath.Join(keys...) }

// pathError distinguishes an unusable path from an unusable document or value.
func pathError(err error) error {
	var unusable *docpath.Error
	switch {
	case err == nil || errors.Is(err, ErrNotExist):
		return err
	case errors.As(err, &unusable):
		return fmt.Errorf("%w: %w", ErrPath, err)
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}
