// The result of the verb edit: what the editor has saved, and how it gets into the document.

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jsonstore/jsonstore/internal/docpath"
	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/merge"
	"github.com/jsonstore/jsonstore/store"
)

// saved returns what the editor has saved, and what is wrong with it.
func (e *editing) saved(opened []byte) ([]byte, *problem) {
	data, err := e.draft.read(e.app.flags.sizeLimit())
	if err != nil {
		return data, &problem{err, 0}
	}
	// Many editors end each file with a line break; if it had none, it keeps none.
	if without, ok := bytes.CutSuffix(data, []byte("\n")); ok && len(opened) > 0 &&
		opened[len(opened)-1] != '\n' && len(without) > 0 && without[len(without)-1] != '\n' {
		data = without
	}
	marks, err := e.unresolved(data)
	if err != nil {
		err = fmt.Errorf("%w JSON in the draft: %w", store.ErrInvalid, err)
		return data, &problem{err, lineOf(err)}
	}
	if len(marks) == 0 {
		return data, nil
	}
	paths := make([]string, len(marks))
	for i, m := range marks {
		paths[i] = docpath.Of(m.Way)
	}
	return data, &problem{fmt.Errorf("%w: put one value in the place of ours and theirs at %s "+
		"(line %d)", errUnresolved, strings.Join(paths, ", "), marks[0].Line), marks[0].Line}
}

// unresolved returns the conflicts in a draft. The document may have objects of its own
// that look like one: those are none.
func (e *editing) unresolved(draft []byte) (conflicts []splice.Marked, err error) {
	lim := splice.Limits{AllowDuplicateKeys: e.app.flags.duplicates}
	marks, err := splice.Marks(draft, lim)
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	known, _ := splice.Marks(e.draft.base, lim) // it may be invalid
	compact := func(m splice.Marked) string {
		var text bytes.Buffer
		if json.Compact(&text, m.Text) != nil { // nested too deep
			return string(m.Text)
		}
		return text.String()
	}
	count := map[string]int{}
	for _, m := range known {
		count[compact(m)]++
	}
	for _, m := range marks {
		text := compact(m)
		if count[text]--; count[text] < 0 {
			conflicts = append(conflicts, m)
		}
	}
	return conflicts, nil
}

// errUnresolved: a draft still has both sides of a conflict.
var errUnresolved = fmt.Errorf("%w of two edits", store.ErrConflict)

// publish puts the draft into the document. If both have changed the same value, the
// draft gets both, and the problem says where.
func (e *editing) publish(ctx context.Context, data []byte) (store.Version, *problem, error) {
	// A signal that came while the editor ran was for the editor.
	ctx, stop := untilSignal(context.WithoutCancel(ctx))
	defer stop()
	signalled := ctx
	e.app.cause = func() error { return context.Cause(signalled) }
	ctx, cancel := e.app.context(ctx)
	defer cancel()
	heard := e.app.tellWait([]*store.Doc{e.doc})
	defer heard()
	if e.invalid != nil {
		version, err := e.doc.CompareAndSwap(ctx, *e.invalid, data)
		return version, nil, err
	}
	opts := &merge.Options{
		Resolution: merge.Mark, AllowDuplicateKeys: e.app.flags.duplicates,
	}
	base := e.draft.base
	if _, err := merge.Marks(base, opts); err != nil {
		base = nil // it was invalid: both have begun with nothing
	}
	for {
		version, err := e.doc.Merge(ctx, base, data)
		var conflicts *merge.Conflicts
		if !errors.As(err, &conflicts) {
			now, at, readErr := e.doc.Read(ctx)
			if err == nil && readErr == nil && at == version && !bytes.Equal(now, data) {
				e.say("merged with what others have changed meanwhile")
			}
			return version, nil, err
		}
		theirs, version, err := readOrAbsent(ctx, e.doc)
		if err != nil {
			return version, nil, err
		}
		both, err := merge.Three(base, data, theirs, opts)
		if err == nil {
			continue // it has changed once more
		}
		if !errors.As(err, &conflicts) {
			return version, nil, fmt.Errorf("%w draft with both sides: %w", store.ErrInvalid, err)
		}
		if err := e.draft.write(both, theirs); err != nil {
			return version, nil, err
		}
		line := 0
		if marks, _ := e.unresolved(both); len(marks) > 0 {
			line = marks[0].Line
		}
		return version, &problem{conflicts, line}, nil
	}
}
