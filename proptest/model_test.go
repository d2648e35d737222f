package proptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// TestModel uses several handles on one document, in all modes and in random order, and a plain
// variable as the model. Both must agree on the content, the conflicts and the versions.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "model")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &model{file: filepath.Join(dir, "doc.json"), seen: map[store.Version]*string{}}
		if rapid.Bool().Draw(t, "in memory") {
			db, err := store.New(memdriver.New(), nil)
			if err != nil {
				t.Fatal(err)
			}
			m.docs = []*store.Doc{db.Doc("doc"), db.Doc("doc")}
			m.unique = true
		} else {
			m.open(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"read":    m.read,
			"update":  m.update,
			"add":     m.add,
			"swap":    m.swap,
			"delete":  m.delete,
			"foreign": m.foreign,
			"fail":    m.fail,
		})
	})
}

// model is the model of the document.
type model struct {
	file    string
	docs    []*store.Doc
	unique  bool    // versions never repeat
	content *string // nil if the document is absent
	counter int     // makes contents different
	// seen has every version that was returned, and its meaning.
	seen map[store.Version]*string
}

func (m *model) open(t *rapid.T) {
	for _, opts := range []store.Options{
		{Durability: store.Volatile},
		{Durability: store.Volatile, Locking: true},
		{Durability: store.Volatile, Versions: store.VersionMtime},
		{Durability: store.Ordered, Versions: store.VersionAuto, Locking: true},
	} {
		doc, err := store.OpenFile(m.file, &opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { doc.Close() })
		m.docs = append(m.docs, doc)
	}
}

func (m *model) doc(t *rapid.T) *store.Doc { return rapid.SampledFrom(m.docs).Draw(t, "handle") }

// new returns a content, sometimes an earlier one.
func (m *model) new(t *rapid.T) string {
	if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		return `{"n":0}`
	}
	m.counter++
	return fmt.Sprintf(`{"n":%d}`, m.counter)
}

// became records a version and its meaning. Two contents never have the same version.
func (m *model) became(t *rapid.T, version store.Version, content *string) {
	m.content = content
	m.note(t, version)
}

func (m *model) note(t *rapid.T, version store.Version) {
	if version.IsAbsent() != (m.content == nil) {
		t.Fatalf("version %v for %v", version, m.content)
	}
	if was, known := m.seen[version]; known && m.content != nil && *was != *m.content {
		t.Fatalf("version %v stood for %s and stands for %s", version, *was, *m.content)
	}
	if m.content != nil {
		m.seen[version] = m.content
	}
}

func (m *model) read(t *rapid.T) {
	data, version, err := m.doc(t).Read(context.Background())
	if m.content == nil {
		if !errors.Is(err, store.ErrNotExist) || !version.IsAbsent() {
			t.Fatalf("read of what is absent: %s, %v, %v", data, version, err)
		}
		return
	}
	if err != nil || string(data) != *m.content {
		t.Fatalf("read %s, %v, want %s", data, err, *m.content)
	}
	m.note(t, version)
}

func (m *model) update(t *rapid.T) {
	content := m.new(t)
	calls := 0
	version, err := m.doc(t).Update(context.Background(), func(old []byte) ([]byte, error) {
		calls++
		if (old == nil) != (m.content == nil) || old != nil && string(old) != *m.content {
			t.Fatalf("the function got %s, want %v", old, m.content)
		}
		return []byte(content), nil
	})
	if err != nil || calls != 1 {
		t.Fatalf("update: %v, %d calls", err, calls)
	}
	m.became(t, version, &content)
}

func (m *model) add(t *rapid.T) {
	by := rapid.IntRange(-5, 5).Draw(t, "by")
	want := by
	if m.content != nil {
		var now struct{ N int }
		if err := json.Unmarshal([]byte(*m.content), &now); err != nil {
			t.Fatal(err)
		}
		want += now.N
	}
	sum, version, err := m.doc(t).Add(context.Background(), "n", by)
	if err != nil || string(sum) != fmt.Sprint(want) {
		t.Fatalf("add %d: %s, %v, want %d", by, sum, err, want)
	}
	content := fmt.Sprintf(`{"n":%d}`, want)
	if m.content == nil {
		content += "\n"
	} else if (*m.content)[len(*m.content)-1] == '\n' {
		content += "\n"
	}
	m.became(t, version, &content)
}

// swap under the current version, an old one, or Absent.
func (m *model) swap(t *rapid.T) {
	doc := m.doc(t)
	_, current, err := doc.Read(context.Background())
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		t.Fatal(err)
	}
	old, content := current, m.new(t)
	if rapid.Bool().Draw(t, "an old version") {
		for version := range m.seen {
			if version.Kind() == current.Kind() && version != current {
				old = version
				break
			}
		}
	}
	version, err := doc.CompareAndSwap(context.Background(), old, []byte(content))
	if old != current {
		var conflict *store.ConflictError
		if !errors.As(err, &conflict) || conflict.Want != old || conflict.Have != current {
			t.Fatalf("swap under the old version %v: %v", old, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("swap: %v", err)
	}
	if m.unique && version == current {
		t.Fatalf("the version %v came back", version)
	}
	m.became(t, version, &content)
}

func (m *model) delete(t *rapid.T) {
	err := m.doc(t).Delete(context.Background())
	if (m.content == nil) != errors.Is(err, store.ErrNotExist) || m.content != nil && err != nil {
		t.Fatalf("delete: %v", err)
	}
	m.content = nil
}

// foreign replaces the file as an editor does, without the lock.
func (m *model) foreign(t *rapid.T) {
	if m.unique {
		t.Skip("there is no file")
	}
	content := m.new(t)
	if err := os.WriteFile(m.file+"~", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.file+"~", m.file); err != nil {
		t.Fatal(err)
	}
	m.content = &content
}

// fail: a failed operation changes nothing.
func (m *model) fail(t *rapid.T) {
	doc := m.doc(t)
	boom := errors.New("boom")
	if _, err := doc.Update(context.Background(),
		func([]byte) ([]byte, error) { return []byte("[]"), boom }); !errors.Is(err, boom) {
		t.Fatalf("update: %v", err)
	}
	if _, err := doc.Set(context.Background(), "n", json.RawMessage("{")); !errors.Is(err,
		store.ErrInvalid) {
		t.Fatalf("set: %v", err)
	}
	m.read(t)
}
