// Three-way merges: a change that was made elsewhere, perhaps by hand, of a version that the
// document may no longer have.

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jsonstore/jsonstore/merge"
)

// Merge puts the changes from base to ours into the document, whatever it is by now: base
// is what was read, ours what was made of it, perhaps in an editor, for as long as that
// took. If the document still has the content base, it gets the content ours, byte for byte.
// Otherwise it gets ours with the changes that others have made since base, as [merge.Three]
// merges them, and as often as the document changes meanwhile.
//
// If both have changed the same value, the error is a *[merge.Conflicts], and nothing is
// changed. An empty base stands for an absent document. If the document was deleted, that
// is a conflict unless ours equals base; then it stays deleted. An empty ours is ErrInvalid:
// to delete a document, use Delete. If base or ours is not valid JSON, that is ErrInvalid.
// Base and ours must not be changed until Merge has returned. It is an Update.
//
//	base, _, err := doc.Read(ctx)
//	…
//	version, err := doc.Merge(ctx, base, edited)
func (d *Doc) Merge(ctx context.Context, base, ours []byte) (Version, error) {
	return d.edit(ctx, "merge", d.threeWay(base, ours))
}

func (d *Doc) threeWay(base, ours []byte) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if len(ours) == 0 {
			return nil, fmt.Errorf("%w merge: the new content is empty; "+
				"delete the document if that is meant", ErrInvalid)
		}
		lim := d.opts.limits()
		data, err := merge.Three(base, ours, old, &merge.Options{
			MaxDepth: lim.Depth, AllowDuplicateKeys: lim.AllowDuplicateKeys,
		})
		var conflicts *merge.Conflicts
		if err != nil && !errors.As(err, &conflicts) {
			err = fmt.Errorf("%w content: %w", ErrInvalid, err)
		}
		return data, err
	}
}
