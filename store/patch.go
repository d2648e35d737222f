// Patches: JSON Merge Patch and JSON Patch.

package store

import (
	"context"
	"fmt"

	"github.com/jsonstore/jsonstore/internal/docpatch"
)

// MergePatch applies a JSON Merge Patch (RFC 7396): members of the patch replace those
// of the document, null removes one. The parts that it does not change stay byte for
// byte. An absent document is taken as null. It is an Update.
func (d *Doc) MergePatch(ctx context.Context, patch []byte) (Version, error) {
	return d.edit(ctx, "patch", d.merging(patch))
}

func (d *Doc) merging(patch []byte) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		data, err := docpatch.Merge(old, patch, d.opts.limits())
		return data, patchError(err)
	}
}

// JSONPatch applies a JSON Patch (RFC 6902), all of its operations or none. A failed
// test operation is ErrTest (and ErrInvalid, like every patch that cannot be applied).
// The parts that it does not change stay byte for byte. It is an Update.
func (d *Doc) JSONPatch(ctx context.Context, patch []byte) (Version, error) {
	return d.edit(ctx, "patch", d.patching(patch))
}

func (d *Doc) patching(patch []byte) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, ErrNotExist
		}
		data, err := docpatch.Apply(old, patch, d.opts.limits())
		return data, patchError(err)
	}
}

// ErrTest: a test operation of a JSON Patch failed. The document is unchanged.
var ErrTest = docpatch.ErrTest

func patchError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w patch: %w", ErrInvalid, err)
}
