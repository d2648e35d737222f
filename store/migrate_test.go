package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestMigrate: all missing steps are made, once, and nothing else is changed.
func TestMigrate(t *testing.T) {
	renamed := func(from, to string) func(old []byte) ([]byte, error) {
		return func(old []byte) ([]byte, error) {
			defer clear(old) // it is the step's own
			return bytes.Replace(bytes.Clone(old), []byte(from), []byte(to), 1), nil
		}
	}
	failed := errors.New("no name")
	all := []func([]byte) ([]byte, error){
		renamed(`"name"`, `"title"`),
		func(old []byte) ([]byte, error) {
			if !bytes.Contains(old, []byte(`"title"`)) {
				return nil, failed
			}
			return bytes.ReplaceAll(old, []byte(" "), nil), nil // the layout is not the step's
		},
	}
	for name, c := range map[string]struct {
		content, path, want string
		steps               int
		err                 error
	}{
		"from none": {"{\"name\": \"a\",\n \"n\": 1.10}\n", "v",
			"{\"n\": 1.10,\n \"title\": \"a\",\n \"v\": 2}\n", 2, nil},
		"from zero": {`{"v": 0, "name": 1}`, "v", `{"v": 2, "title": 1}`, 2, nil},
		"from one": {`{"v": 1, "title": 1, "name": 2}`, "v",
			`{"v": 2, "title": 1, "name": 2}`, 2, nil},
		"newest":     {`{"v": 2, "name": 1}`, "v", "", 2, nil},
		"no steps":   {`{"name": 1}`, "v", "", 0, nil},
		"nested":     {`{"meta": {"v": 0}, "name": 1}`, "meta.v", `{"meta": {"v": 1}, "title": 1}`, 1, nil},
		"newer":      {`{"v": 3, "name": 1}`, "v", "", 2, ErrSchema},
		"no number":  {`{"v": "1"}`, "v", "", 2, ErrSchema},
		"not whole":  {`{"v": 0.5}`, "v", "", 2, ErrSchema},
		"negative":   {`{"v": -1}`, "v", "", 2, ErrSchema},
		"huge":       {`{"v": 123456789012345678901234567890}`, "v", "", 2, ErrSchema},
		"step fails": {`{"v": 1, "name": 1}`, "v", "", 2, failed},
		"no object":  {`[1]`, "v", "", 2, ErrPath},
		"bad path":   {`{"v": 1}`, "#(a>1)", "", 2, ErrPath},
		"invalid":    {`{"v": `, "v", "", 2, ErrInvalid},
		"absent":     {"", "v", "", 2, ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "doc.json")
			if c.content != "" {
				put(t, path, c.content)
			}
			doc, err := OpenFile(path, nil)
			must(t, err)
			defer doc.Close()
			_, err = Migrate(t.Context(), doc, c.path, all[:c.steps]...)
			var where *Error
			if !errors.Is(err, c.err) ||
				err != nil && (!errors.As(err, &where) || where.Op != "migrate") {
				t.Errorf("error %v, want %v", err, c.err)
			}
			want := c.want
			if want == "" {
				want = c.content
			}
			if got, _ := os.ReadFile(path); string(got) != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// TestMigrateOnce: of several that migrate at once, one does.
func TestMigrateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	put(t, path, `{"n": 1}`)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			doc, err := OpenFile(path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer doc.Close()
			_, err = Migrate(t.Context(), doc, "v", func(old []byte) ([]byte, error) {
				return bytes.Replace(old, []byte(`1`), []byte(`11`), 1), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := os.ReadFile(path); err != nil || string(got) != `{"n": 11, "v": 1}` {
		t.Errorf("%q, %v", got, err)
	}
}
