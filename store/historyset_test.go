package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// switching is a scenario of writers whose history is switched on meanwhile. From the version on
// that the document had when it was on, each one that is displaced is in the history.
type switching struct {
	writers []Options // the first updates twice, with one handle, others once
	all     bool      // that of the whole directory
	deletes bool      // a single writer deletes instead of updating again
}

func (s switching) setup(w *simfs.World) (check func() error) {
	ctx := context.Background()
	const start = `["x"]`
	w.Put(simulated, start)
	w.Put(simulatedLock, marked(markNoIntent))
	w.Quiet = func(op, name string) bool {
		base := filepath.Base(name)
		return base != filepath.Base(simulated) && !names.IsHistorySwitch(name) &&
			name != simulatedLock && op != "pause" && op != "link"
	}
	versions := [][]byte{[]byte(start)}
	var displaced []string
	w.OnPublish = func(_ *simfs.Process, _ string, old, new []byte) error {
		versions = append(versions, bytes.Clone(new))
		displaced = append(displaced, string(old))
		return nil
	}
	for i, opts := range s.writers {
		name := string(rune('a' + i))
		w.Go(name, func(files fsys.FS) error {
			doc, err := openSimulated(files, opts)
			if err != nil {
				return err
			}
			defer doc.Close()
			withoutSweep(doc)
			_, err = doc.Update(ctx, appendName(name))
			switch {
			case err != nil || i > 0:
			case s.deletes:
				err = doc.Delete(ctx)
			default:
				_, err = doc.Update(ctx, appendName(name))
			}
			return err
		})
	}
	from := 0 // the version that was there when it was on
	w.Go("switcher", func(files fsys.FS) error {
		doc, err := openSimulated(files, Options{})
		if err != nil {
			return err
		}
		defer doc.Close()
		if s.all {
			err = doc.drv.files.setAll(ctx, filepath.Dir(simulated), &HistoryOptions{})
		} else {
			err = doc.SetHistory(ctx, &HistoryOptions{Keep: -1})
		}
		if err != nil {
			return err
		}
		data, _, err := doc.Read(ctx) // which tells this order from others
		from = slices.IndexFunc(versions, func(v []byte) bool { return bytes.Equal(v, data) })
		if errors.Is(err, ErrNotExist) {
			return nil
		}
		return err
	})
	return func() error {
		got, err := historyIn(w)
		if err != nil {
			return err
		}
		want := displaced[min(from, len(displaced)):] // nothing displaces what is absent
		if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
			return fmt.Errorf("it was on from version %d on, and the history is %q; displaced "+
				"were %q", from, got, displaced)
		}
		return nil
	}
}

// TestHistoryOfSmallDocuments: the largest size of a document is not that of the switch.
func TestHistoryOfSmallDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	putText(t, path, "1")
	doc := open(t, path, Options{MaxSize: 3})
	for _, keep := range []int{7, 8} {
		switchOn(t, doc, HistoryOptions{Keep: keep})
		if opts, on, err := doc.HistoryOptions(); opts.Keep != keep || !on || err != nil {
			t.Errorf("%+v, %v, %v", opts, on, err)
		}
	}
}

// TestHistoryOfANewDirectory: a directory may be new, and get the switch of the one above it in
// the next moment. That it has none is not believed.
func TestHistoryOfANewDirectory(t *testing.T) {
	needsSlashes(t)
	const above, path = "/dir/sub.json", "/dir/sub/doc.json"
	for what, believed := range map[string]bool{`{"all":{}}`: false, `{"documents":{"a":{}}}`: true} {
		w := simfs.New()
		w.PutDir(filepath.Dir(path))
		w.Put(path, "1")
		w.Put(names.HistorySwitch(above), what)
		err := w.Sequentially("writer", func(files fsys.FS) error {
			d, err := newFileDriver(files, path, &Options{}, &counters{})
			if err != nil {
				return err
			}
			if opts, err := d.historyNow(path); opts != nil || err != nil {
				return fmt.Errorf("%v, %w", opts, err)
			}
			w.Put(names.HistorySwitch(path), `{"all":{}}`)
			if opts, err := d.historyNow(path); err != nil || (opts == nil) != believed {
				t.Errorf("below %s: %v, %v", what, opts, err)
			}
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
}
