// The operations of the machine on whole documents.

package proptest

import (
	"context"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/store"
)

func (m *machine) read(t *rapid.T) {
	_, key, doc, c := m.draw(t)
	data, version, err := doc.Read(context.Background())
	switch {
	case c.content == nil:
		if !errors.Is(err, store.ErrNotExist) || data != nil {
			t.Fatalf("read of what is absent: %q, %v", data, err)
		}
	case c.valid && err != nil || !c.valid && !errors.Is(err, store.ErrInvalid) ||
		string(data) != *c.content:
		t.Fatalf("read %q, %v; want %q", data, err, *c.content)
	}
	m.note(t, key, version)
}

// oldVersion draws a version to swap from, the current one or any earlier one, and returns the
// expected error.
func (m *machine) oldVersion(
	t *rapid.T, h *handle, key string, doc *store.Doc,
) (old store.Version, want error) {
	c := m.cells[key]
	_, now, _ := doc.Read(context.Background())
	if rapid.Bool().Draw(t, "of now") {
		return now, nil
	}
	from := rapid.SampledFrom(m.tokens).Draw(t, "from")
	matches := from.key == key && from.state == c.state // for versions that are unique
	switch from.version.Kind() {
	case driver.KindAbsent:
		matches = c.content == nil
	case driver.KindHash:
		matches = c.content != nil && from.content == *c.content
	case driver.KindRevision, driver.KindMtime:
		// The version of another document may by chance be the same.
		matches = matches || from.version == m.states[place{key, c.state, from.version.Kind()}]
	}
	switch {
	case !m.takes(h, from.version.Kind()):
		return from.version, store.ErrVersion
	case !matches:
		return from.version, store.ErrConflict
	}
	return from.version, nil
}

// swapped checks a swap with the expected error want.
func (m *machine) swapped(t *rapid.T, doc *store.Doc, old store.Version, want, err error) {
	t.Helper()
	if want == nil && err != nil || !errors.Is(err, want) {
		t.Fatalf("swap from %v: %v, want %v", old, err, want)
	}
	if want == nil || !errors.Is(want, store.ErrConflict) {
		if errors.Is(err, store.ErrConflict) {
			t.Fatalf("swap from %v: a conflict as well: %v", old, err)
		}
		return
	}
	var lost *store.ConflictError
	_, now, _ := doc.Read(context.Background())
	if !errors.As(err, &lost) || lost.Want != old || lost.Have == old ||
		lost.Have.Kind() == now.Kind() && lost.Have != now {
		t.Fatalf("swap from %v at %v: %+v", old, now, lost)
	}
}

func (m *machine) create(t *rapid.T) {
	_, key, doc, c := m.draw(t)
	content := m.content(t)
	version, err := doc.Create(context.Background(), []byte(content))
	if c.content != nil {
		m.swapped(t, doc, store.Absent, store.ErrConflict, err)
		if !errors.Is(err, store.ErrExist) {
			t.Fatalf("create: %v", err)
		}
		return
	}
	m.swapped(t, doc, store.Absent, nil, err)
	m.became(key, &content)
	m.note(t, key, version)
}

func (m *machine) swap(t *rapid.T) {
	h, key, doc, c := m.draw(t)
	content := m.content(t)
	if c.content != nil && c.valid && rapid.IntRange(0, 4).Draw(t, "the same") == 0 {
		content = *c.content // a swap writes an equal content too
	}
	old, want := m.oldVersion(t, h, key, doc)
	version, err := doc.CompareAndSwap(context.Background(), old, []byte(content))
	m.swapped(t, doc, old, want, err)
	if err == nil {
		m.became(key, &content)
		m.note(t, key, version)
	}
}

func (m *machine) swapDelete(t *rapid.T) {
	h, key, doc, c := m.draw(t)
	old, want := m.oldVersion(t, h, key, doc)
	err := doc.CompareAndDelete(context.Background(), old)
	if old.IsAbsent() {
		// The document is absent or has changed: a conflict in both cases.
		if !errors.Is(err, store.ErrConflict) {
			t.Fatalf("delete from absent: %v", err)
		}
		return
	}
	m.swapped(t, doc, old, want, err)
	if err == nil {
		m.became(key, nil)
	}
	m.mustHave(t, key, c)
}

func (m *machine) delete(t *rapid.T) {
	_, key, doc, c := m.draw(t)
	err := doc.Delete(context.Background())
	if c.content == nil && !errors.Is(err, store.ErrNotExist) || c.content != nil && err != nil {
		t.Fatalf("delete: %v", err)
	}
	if err == nil {
		m.became(key, nil)
	}
	m.mustHave(t, key, c)
}

// mustHave reads the document without the store.
func (m *machine) mustHave(t *rapid.T, key string, c *cell) {
	t.Helper()
	var data []byte
	var err error
	if m.memory != nil {
		data, _, err = m.memory.Read(context.Background(), key)
	} else if data, err = os.ReadFile(m.file(key)); errors.Is(err, os.ErrNotExist) {
		data, err = nil, nil
	}
	if err != nil || (data == nil) != (c.content == nil) || data != nil &&
		string(data) != *c.content {
		t.Fatalf("%s is %q, %v; want %v", key, data, err, c.content)
	}
}

var errRefused = errors.New("refused by the function")

func (m *machine) update(t *rapid.T) {
	_, key, doc, c := m.draw(t)
	content := m.content(t)
	how := rapid.SampledFrom([]string{"write", "write", "keep", "refuse", "write nonsense"}).Draw(t,
		"how")
	calls := 0
	version, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
		calls++
		if (old == nil) != (c.content == nil) || old != nil && string(old) != *c.content {
			t.Fatalf("the function got %q", old)
		}
		switch how {
		case "keep":
			return old, nil
		case "refuse":
			return []byte(content), errRefused
		case "write nonsense":
			return []byte("{" + content), nil
		}
		return []byte(content), nil
	})
	var want error
	switch {
	case c.content != nil && !c.valid, how == "write nonsense":
		want = store.ErrInvalid
	case how == "refuse":
		want = errRefused
	}
	if !errors.Is(err, want) || calls > 1 {
		t.Fatalf("update to %s: %v after %d calls, want %v", how, err, calls, want)
	}
	if err == nil && how == "write" && (c.content == nil || *c.content != content) {
		m.became(key, &content)
	}
	if err == nil {
		m.note(t, key, version)
	}
	m.mustHave(t, key, c)
}

// expectedUpdate is an update or a deletion that expects a version.
func (m *machine) expectedUpdate(t *rapid.T) {
	h, key, doc, c := m.draw(t)
	old, want := m.oldVersion(t, h, key, doc)
	content := m.content(t)
	how := rapid.SampledFrom([]string{"write", "keep", "refuse", "delete"}).Draw(t, "how")
	var version store.Version
	var err error
	called := false
	if how == "delete" {
		err = doc.Expect(old).Delete(context.Background())
	} else {
		version, err = doc.Expect(old).Update(context.Background(),
			func(was []byte) ([]byte, error) {
				called = true
				switch how {
				case "keep":
					return was, nil
				case "refuse":
					return nil, errRefused
				}
				return []byte(content), nil
			})
	}
	switch {
	case want != nil:
		if called {
			t.Fatalf("the function ran, though the version was not %v", old)
		}
	case how == "delete" && c.content == nil:
		want = store.ErrNotExist
	case how != "delete" && c.content != nil && !c.valid:
		want = store.ErrInvalid
	case how == "refuse":
		want = errRefused
	}
	m.swapped(t, doc, old, want, err)
	switch {
	case err != nil:
	case how == "delete":
		m.became(key, nil)
	case how == "write" && (c.content == nil || *c.content != content):
		m.became(key, &content)
		m.note(t, key, version)
	default:
		m.note(t, key, version)
	}
	m.mustHave(t, key, c)
}

func (m *machine) keys(t *rapid.T) {
	h := rapid.SampledFrom(m.handles).Draw(t, "handle")
	if h.db == nil {
		t.Skip("not a directory")
	}
	prefix := rapid.SampledFrom([]string{"", "a", "d", "dir/", "x"}).Draw(t, "prefix")
	var want, got []string
	for _, key := range slices.Sorted(maps.Keys(m.cells)) {
		if m.cells[key].content != nil && strings.HasPrefix(key, prefix) {
			want = append(want, key)
		}
	}
	for key, err := range h.db.Keys(context.Background(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, key)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the keys are %q, want %q", got, want)
	}
}

// reopen closes a handle and opens another.
func (m *machine) reopen(t *rapid.T) {
	i := rapid.IntRange(0, len(m.handles)-1).Draw(t, "handle")
	if m.memory == nil {
		doc := m.handles[i].doc("a")
		m.handles[i].close()
		if _, _, err := doc.Read(context.Background()); !errors.Is(err, store.ErrClosed) {
			t.Fatalf("read through a closed handle: %v", err)
		}
	}
	m.handles[i] = m.open(t)
}
