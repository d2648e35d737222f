//go:build !windows

package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

// TestRefusalBesideTransaction: what an update refuses is the document as the transaction
// has made it, not the version that is to be replaced by that.
func TestRefusalBesideTransaction(t *testing.T) {
	ctx := impatient(t)
	refusal := errors.New("it is not 7")
	onSeven := func(old []byte) ([]byte, error) {
		if string(old) != "7" {
			return nil, fmt.Errorf("%w, but %s", refusal, old)
		}
		return []byte("8"), nil
	}
	seven := hashVersion([]byte("7"))
	for name, c := range map[string]struct {
		committed bool
		want      string
		do        func(doc *Doc) error
	}{
		"update": {true, "8", func(doc *Doc) error { _, err := doc.Update(ctx, onSeven); return err }},
		"update, not committed": {false, "1", func(doc *Doc) error {
			_, err := doc.Update(ctx, onSeven)
			if !errors.Is(err, refusal) || errors.Is(err, ErrConflict) {
				return fmt.Errorf("want a refusal: %w", err)
			}
			return nil
		}},
		"delete": {true, "-", func(doc *Doc) error { return doc.Delete(ctx) }},
		"keep": {true, "7", func(doc *Doc) error {
			_, err := doc.Update(ctx, func(old []byte) ([]byte, error) { return old, nil })
			return err
		}},
		"expect": {true, "9", func(doc *Doc) error {
			_, err := doc.Expect(seven).Update(ctx, become("9"))
			return err
		}},
		"swap": {true, "9", func(doc *Doc) error {
			_, err := doc.CompareAndSwap(ctx, seven, []byte("9"))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "doc.json")
			putFile(t, path, []byte("1"))
			in := stagedIntent(t, path, "7")
			in.Committed = c.committed
			putIntent(t, path, in)
			doc := open(t, path, Options{})
			if err := c.do(doc); err != nil {
				t.Error(err)
			}
			data, _, err := doc.Read(ctx)
			if errors.Is(err, ErrNotExist) {
				data, err = []byte("-"), nil
			}
			if err != nil || string(data) != c.want {
				t.Errorf("it is %s, want %s; %v", data, c.want, err)
			}
		})
	}
	// A creation that is committed and not published.
	path := filepath.Join(t.TempDir(), "doc.json")
	in := stagedIntent(t, path, "7")
	in.Committed = true
	putIntent(t, path, in)
	doc := open(t, path, Options{})
	if err := doc.Delete(ctx); err != nil {
		t.Error(err)
	}
	wantFiles(t, doc, ".doc.json.lock")
}
