// Documents as Go values.

package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jsonstore/jsonstore/internal/docpatch"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// Read decodes the document into a T by the rules of encoding/json. An absent document is
// ErrNotExist. An unchanged document is not read and checked again (Doc.Read), nor
// decoded again if T has nothing in it that a caller could change, as pointers, maps and
// slices are; what it has otherwise is decoded anew for each caller.
func Read[T any](ctx context.Context, doc *Doc) (T, Version, error) {
	var value T
	s, err := doc.read(ctx)
	if err == nil {
		value, err = decodeSnapshot[T](s)
	}
	if err != nil {
		return value, s.version, doc.error("read", err)
	}
	return value, s.version, nil
}

func decode(data []byte, value any) error {
	if err := json.Unmarshal(data, value); err != nil {
		return fmt.Errorf("the document does not fit the type: %w", err)
	}
	return nil
}

// Update may call fn more than once: it decodes the document into a T, calls fn to change
// it, and writes what fn changed back into the document, and nothing else. Members that T
// does not know, the order of members, white space and the spelling of numbers stay. An
// absent document is the zero T. A string that is not valid UTF-8 is ErrInvalid. It
// returns the value that it wrote. Otherwise it is Doc.Update.
func Update[T any](ctx context.Context, doc *Doc, fn func(value *T) error) (T, Version, error) {
	var value T
	version, err := doc.update(ctx, "update", func(old []byte) ([]byte, error) {
		value = *new(T) // a try before this one may have left something
		if old != nil {
			if err := decode(old, &value); err != nil {
				return nil, err
			}
		}
		before, err := encode(value)
		if err != nil {
			return nil, err
		}
		if err := fn(&value); err != nil {
			return nil, err
		}
		after, err := encode(value)
		if err != nil {
			return nil, err
		}
		if old == nil {
			return append(after, '\n'), nil
		}
		merged, err := splice.MergeChange(old, before, after, doc.opts.limits())
		if err != nil {
			return nil, fmt.Errorf("%w value: %w", ErrInvalid, err)
		}
		return merged, nil
	})
	return value, version, err
}

// MergePatch applies a JSON Merge Patch (RFC 7396): members of the patch replace those of
// the document, null removes one. What it does not change stays as it is, to the byte. An
// absent document is taken as null. It is an Update.
func (d *Doc) MergePatch(ctx context.Context, patch []byte) (Version, error) {
	return d.edit(ctx, "patch", func(old []byte) ([]byte, error) {
		data, err := docpatch.Merge(old, patch, d.opts.limits())
		return data, patchError(err)
	})
}

// JSONPatch applies a JSON Patch (RFC 6902), all of its operations or none. A test in it
// that fails is ErrTest (and ErrInvalid, as every patch that cannot be applied). What it
// does not change stays as it is, to the byte. It is an Update.
func (d *Doc) JSONPatch(ctx context.Context, patch []byte) (Version, error) {
	return d.edit(ctx, "patch", func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, ErrNotExist
		}
		data, err := docpatch.Apply(old, patch, d.opts.limits())
		return data, patchError(err)
	})
}

// ErrTest: a test operation of a JSON Patch failed. The document was left alone.
var ErrTest = docpatch.ErrTest

func patchError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w patch: %w", ErrInvalid, err)
}
