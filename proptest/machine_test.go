// A state machine: a store of several documents, used through several handles of all kinds and
// by foreign programs, and a plain map as its model. Both must agree on contents, keys,
// versions and conflicts. This file has the machine and the foreign programs,
// operations_test.go the operations on whole documents, and edits_test.go those on parts of
// them.

package proptest

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

func TestMachine(t *testing.T) {
	for _, memory := range []bool{true, false} {
		name := "files"
		if memory {
			name = "memory"
		}
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newMachine(t, memory)
				defer m.close()
				t.Repeat(m.actions())
			})
		})
	}
}

var machineKeys = []string{"a", "b", "dir/c"}

// cell is the model of a document.
type cell struct {
	content *string // nil if the document is absent
	valid   bool    // the content is JSON
	state   int     // incremented by each write and touch
}

// machine is the store and its model.
type machine struct {
	dir     string            // empty: in memory
	memory  *memdriver.Driver // if so
	handles []*handle
	cells   map[string]*cell
	counter int
	// What each version that was handed out stands for, and back: for those that stand for
	// contents, and for those that stand for one state of one document.
	contents map[driver.Version]string
	hashes   map[string]driver.Version
	states   map[place]driver.Version
	back     map[driver.Version]place
	tokens   []token
}

type place struct {
	key   string
	state int
	kind  byte
}

// token is a version to swap from.
type token struct {
	key     string
	version driver.Version
	content string
	state   int
}

// handle is a handle on the documents.
type handle struct {
	opts  store.Options
	db    *store.DB
	files map[string]*store.Doc // set if it opens them one by one
}

func newMachine(t *rapid.T, memory bool) *machine {
	m := &machine{
		cells: map[string]*cell{}, contents: map[driver.Version]string{},
		hashes: map[string]driver.Version{},
		states: map[place]driver.Version{}, back: map[driver.Version]place{},
	}
	for _, key := range machineKeys {
		m.cells[key] = &cell{}
		m.tokens = append(m.tokens, token{key: key, version: store.Absent})
	}
	if memory {
		m.memory = memdriver.New()
	} else {
		var err error
		if m.dir, err = os.MkdirTemp("", "machine"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(m.dir, "dir"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		m.handles = append(m.handles, m.open(t))
	}
	return m
}

func (m *machine) close() {
	for _, h := range m.handles {
		h.close()
	}
	if m.dir != "" {
		os.RemoveAll(m.dir)
	}
}

func (m *machine) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"read": m.read, "create": m.create, "swap": m.swap, "swap delete": m.swapDelete, "delete": m.delete,
		"update": m.update, "expected update": m.expectedUpdate, "keys": m.keys, "reopen": m.reopen,
		"get": m.get, "set": m.set, "add": m.add, "append": m.append, "unset": m.unset,
		"merge patch": m.mergePatch, "json patch": m.jsonPatch, "typed": m.typed,
	}
	if m.memory == nil {
		actions["foreign replace"] = m.foreignReplace
		actions["foreign edit in place"] = m.foreignEdit
		actions["foreign delete"] = m.foreignDelete
		actions["foreign touch"] = m.foreignTouch
	}
	return actions
}

func (m *machine) open(t *rapid.T) *handle {
	h := &handle{opts: store.Options{
		Locking: rapid.Bool().Draw(t,
			"locking"), Durability: store.Volatile, Logger: slog.New(slog.DiscardHandler),
	}}
	var err error
	if m.memory != nil {
		if h.db, err = store.New(m.memory, &h.opts); err != nil {
			t.Fatal(err)
		}
		return h
	}
	modes := []store.VersionMode{store.VersionHash, store.VersionMtime, store.VersionAuto}
	h.opts.Versions = rapid.SampledFrom(modes).Draw(t, "versions")
	h.opts.GuardForeign = canExchange && rapid.Bool().Draw(t, "guard")
	if rapid.Bool().Draw(t, "a directory") {
		h.db, err = store.Open(m.dir, &h.opts)
	} else {
		h.files = map[string]*store.Doc{}
		for _, key := range machineKeys {
			if h.files[key], err = store.OpenFile(m.file(key), &h.opts); err != nil {
				break
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (m *machine) file(key string) string {
	return filepath.Join(m.dir, filepath.FromSlash(key)+".json")
}

func (h *handle) doc(key string) *store.Doc {
	if h.files != nil {
		return h.files[key]
	}
	return h.db.Doc(key)
}

func (h *handle) close() {
	for _, doc := range h.files {
		doc.Close()
	}
	if h.files == nil {
		h.db.Close()
	}
}

// takes reports whether the handle accepts versions of a kind.
func (m *machine) takes(h *handle, kind byte) bool {
	switch {
	case kind == driver.KindAbsent:
		return true
	case m.memory != nil:
		return kind == driver.KindRevision
	case kind == driver.KindHash:
		return h.opts.Versions != store.VersionMtime
	case kind == driver.KindMtime:
		return h.opts.Versions != store.VersionHash
	}
	return false
}

func (m *machine) draw(t *rapid.T) (*handle, string, *store.Doc, *cell) {
	h := rapid.SampledFrom(m.handles).Draw(t, "handle")
	key := rapid.SampledFrom(machineKeys).Draw(t, "key")
	return h, key, h.doc(key), m.cells[key]
}

// became records a write of the document.
func (m *machine) became(key string, content *string) {
	c := m.cells[key]
	c.content, c.valid = content, content != nil && json.Valid([]byte(*content))
	c.state++
}

// note expects a version to stand for the present state of the document, and for no other.
func (m *machine) note(t *rapid.T, key string, version store.Version) {
	t.Helper()
	c := m.cells[key]
	if version.IsAbsent() != (c.content == nil) {
		t.Fatalf("%s: the version is %v", key, version)
	}
	if version.IsAbsent() {
		return
	}
	if version.Kind() == driver.KindHash {
		content, known := m.contents[version]
		hash, hashed := m.hashes[*c.content]
		if known && content != *c.content || hashed && hash != version {
			t.Fatalf("%s: %v, which was %q, is %q, which was %v", key, version, content, *c.content,
				hash)
		}
		m.contents[version], m.hashes[*c.content] = *c.content, version
	} else {
		now := place{key, c.state, version.Kind()}
		was, known := m.back[version]
		other, had := m.states[now]
		// Versions are unique within a document: two documents may have the same.
		if known && was.key == key && was != now || had && other != version {
			t.Fatalf("%s: %v, which was %v, is %v, which was %v", key, version, was, now, other)
		}
		m.back[version], m.states[now] = now, version
	}
	m.tokens = append(m.tokens, token{key, version, *c.content, c.state})
}

// foreignContent draws a content, valid or not. All contents have different lengths: two
// versions that a foreign program writes into one inode within one tick of the clock differ in
// nothing else.
func (m *machine) foreignContent(t *rapid.T) string {
	m.counter++
	content := m.content(t) + strings.Repeat(" ", m.counter)
	if rapid.IntRange(0, 5).Draw(t, "nonsense") == 0 {
		content = "{" + content
	}
	return content
}

func (m *machine) foreignReplace(t *rapid.T) {
	key := rapid.SampledFrom(machineKeys).Draw(t, "key")
	content, file := m.foreignContent(t), m.file(key)
	if err := os.WriteFile(file+"~", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
	m.became(key, &content)
}

func (m *machine) foreignEdit(t *rapid.T) {
	key := rapid.SampledFrom(machineKeys).Draw(t, "key")
	content := m.foreignContent(t)
	if err := os.WriteFile(m.file(key), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	m.became(key, &content)
}

func (m *machine) foreignDelete(t *rapid.T) {
	key := rapid.SampledFrom(machineKeys).Draw(t, "key")
	err := os.Remove(m.file(key))
	if errors.Is(err, os.ErrNotExist) != (m.cells[key].content == nil) {
		t.Fatal(err)
	}
	if err == nil {
		m.became(key, nil)
	}
}

// foreignTouch changes only the time, forwards or backwards. For versions by time that is a change.
func (m *machine) foreignTouch(t *rapid.T) {
	key := rapid.SampledFrom(machineKeys).Draw(t, "key")
	if m.cells[key].content == nil {
		t.Skip("nothing there")
	}
	m.counter++
	at := time.Date(2001, 1, 1, 0, 0, m.counter, 123_456_000, time.UTC)
	if err := os.Chtimes(m.file(key), at, at); err != nil {
		t.Fatal(err)
	}
	m.cells[key].state++
}
