// Documents as Go values.

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// Read decodes the document into a T by the rules of encoding/json. An absent document
// is ErrNotExist. An unchanged document is not read and checked again (Doc.Read). Nor
// is it decoded again, unless T has parts that a caller could change, such as pointers,
// maps and slices: such a T is decoded anew for each caller.
func Read[T any](ctx context.Context, doc *Doc) (T, Version, error) {
	var value T
	s, err := doc.read(ctx)
	if err == nil {
		value, err = decodeKept[T](s)
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

// Update may call fn more than once: it decodes the document into a T, calls fn to
// change it, and writes only the changes of fn back into the document. Members that T
// does not know, the order of members, white space and the spelling of numbers stay. An
// absent document is the zero T. A string that is not valid UTF-8 is ErrInvalid. Update
// returns the value that it wrote. In all else it is Doc.Update.
func Update[T any](ctx context.Context, doc *Doc, fn func(value *T) error) (T, Version, error) {
	var value T
	version, err := doc.update(ctx, "update", changing(doc, &value, fn))
	return value, version, err
}

// changing decodes the document into value, and merges the changes of fn into it.
func changing[T any](doc *Doc, value *T, fn func(value *T) error) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		*value = *new(T) // an earlier call may have left something
		if old != nil {
			if err := decode(old, value); err != nil {
				return nil, err
			}
		}
		before, err := encode(*value)
		if err != nil {
			return nil, err
		}
		if err := fn(value); err != nil {
			return nil, err
		}
		after, err := encode(*value)
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
	}
}

// decodedValue is the content as a Go value of some type, without parts that a caller
// could change.
type decodedValue struct{ value any }

// decodeKept decodes the content into a T, or copies the T that was decoded before if
// no caller can change its parts.
func decodeKept[T any](s *keptRead) (value T, err error) {
	if known, ok := s.decoded.Load().(decodedValue); ok {
		if value, ok := known.value.(T); ok {
			return value, nil
		}
	}
	if err := decode(s.data, &value); err != nil {
		return value, err
	}
	if isPlain(reflect.TypeFor[T]()) {
		s.decoded.Store(decodedValue{value})
	}
	return value, nil
}

var timeType = reflect.TypeFor[time.Time]()

// isPlain reports whether a copy of a value of the type shares nothing with it that
// could be changed.
func isPlain(t reflect.Type) bool {
	switch kind := t.Kind(); {
	case t == timeType: // no caller can change its pointer's target
		return true
	case kind == reflect.Array:
		return isPlain(t.Elem())
	case kind == reflect.Struct:
		for i := range t.NumField() {
			if !isPlain(t.Field(i).Type) {
				return false
			}
		}
		return true
	default:
		return kind == reflect.String || reflect.Bool <= kind && kind <= reflect.Complex128 &&
			kind != reflect.Uintptr
	}
}
