// Migrations: the steps from one schema of a document to the next.

package store

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/jsonstore/jsonstore/internal/docpath"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// Migrate brings a document to the newest schema. The whole number at path is its schema; a
// document without one has schema 0. The step with index i, which may run more than once,
// gets a document of schema i, as bytes that it may change, and returns that of schema i+1;
// Migrate sets the number. The newest schema is the number of steps: steps are only ever
// added, at the end. A step need not keep the layout: what it leaves equal keeps its bytes, as
// in the function [Update].
//
// All missing steps are made in one update, so no reader sees a schema between, and of
// several processes that migrate at once one does. A document that is of the newest schema
// already stays as it is. One of a newer schema, which a newer program has made, is ErrSchema,
// and so is a number that is not whole, or negative. A document that does not exist is
// ErrNotExist: create it with the newest number. The error of a step comes back wrapped. After
// any of these errors the document is unchanged. In all else Migrate is Doc.Update.
func Migrate(
	ctx context.Context, doc *Doc, path string, steps ...func(old []byte) ([]byte, error),
) (Version, error) {
	return doc.update(ctx, "migrate", func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, ErrNotExist
		}
		limits := doc.opts.limits()
		schema, err := schemaOf(old, path, limits)
		if err != nil {
			return nil, err
		}
		if schema > len(steps) {
			return nil, fmt.Errorf("%w: the document has schema %d, and this program knows up to "+
				"%d; use a newer program", ErrSchema, schema, len(steps))
		}
		if schema == len(steps) {
			return old, nil
		}
		data := bytes.Clone(old)
		for ; schema < len(steps); schema++ {
			if data, err = steps[schema](data); err != nil {
				return nil, fmt.Errorf("the step from schema %d to %d: %w", schema, schema+1, err)
			}
			number := strconv.AppendInt(nil, int64(schema)+1, 10)
			if data, err = docpath.Set(data, path, number, splice.AsGiven, limits); err != nil {
				return nil, fmt.Errorf("the result of the step from schema %d to %d: %w", schema,
					schema+1, pathError(err))
			}
		}
		merged, err := splice.Merge(old, data, limits)
		if err != nil {
			return nil, pathError(err)
		}
		return merged, nil
	})
}

// schemaOf is the number of a document's schema.
func schemaOf(data []byte, path string, limits splice.Limits) (int, error) {
	if err := docpath.Check(path, true); err != nil {
		return 0, pathError(err)
	}
	value, found, err := docpath.Get(data, path, limits)
	if err != nil || !found {
		return 0, pathError(err)
	}
	schema, err := strconv.Atoi(string(value))
	if err != nil || schema < 0 {
		return 0, fmt.Errorf("%w: the value at %q is %.40s, not a whole number from 0 on",
			ErrSchema, path, value)
	}
	return schema, nil
}
