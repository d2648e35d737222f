// Transactions against a map: each does at random what it can, through handles of every kind, and
// the store must say and do what the map does. What one operation does to one document is taken
// from Doc, in memory: a transaction's operations have its meaning, to the byte.

package proptest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// TestTransactions is on files, through several handles of any kind, and in memory.
func TestTransactions(t *testing.T) {
	for _, memory := range []bool{true, false} {
		t.Run(fmt.Sprintf("memory=%v", memory), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newTxMachine(t, memory)
				defer m.close()
				t.Repeat(map[string]func(*rapid.T){
					"transact":        m.transact,
					"transact again":  m.transact,
					"update alone":    m.alone,
					"foreign program": m.foreign,
					"":                m.look,
				})
			})
		})
	}
}

var txKeys = []string{"a", "b", "dir/c", "d"}

// txHandle is a handle on the documents.
type txHandle struct {
	name string
	opts store.Options
	db   *store.DB // nil if it opens them one by one
	docs map[string]*store.Doc
}

// txMachine is the store and its model: the contents of the documents; those that are absent are
// not in it.
type txMachine struct {
	dir     string // empty: in memory
	model   map[string]string
	handles []*txHandle
	// old has versions that documents had once, and their contents.
	old    []token
	closes []func()
}

func newTxMachine(t *rapid.T, memory bool) *txMachine {
	m := &txMachine{model: map[string]string{}}
	quiet := slog.New(slog.DiscardHandler)
	if memory {
		db, err := store.New(memdriver.New(), &store.Options{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		// A transaction in an engine is one handle's.
		once := &txHandle{name: "tries once", docs: map[string]*store.Doc{}}
		once.opts.Retry.MaxTries = 1
		for _, key := range txKeys {
			once.docs[key], err = db.Doc(key).With(func(o *store.Options) { o.Retry.MaxTries = 1 })
			if err != nil {
				t.Fatal(err)
			}
		}
		m.add(&txHandle{name: "memory", db: db})
		m.add(once)
		return m
	}
	top, err := os.MkdirTemp("", "transactions")
	if err == nil {
		m.dir = filepath.Join(top, "docs")
		m.closes = append(m.closes, func() { os.RemoveAll(top) })
		err = os.MkdirAll(filepath.Join(m.dir, "dir"), 0o700)
	}
	linked := m.dir
	if err == nil && os.Symlink(m.dir, filepath.Join(top, "link")) == nil {
		linked = filepath.Join(top, "link")
	}
	if err != nil {
		t.Fatal(err)
	}
	durability := rapid.SampledFrom([]store.Durability{store.Volatile, store.Volatile,
		store.Volatile, store.Ordered, store.Durable}).Draw(t, "durability")
	for _, h := range []*txHandle{
		{name: "hash"},
		{name: "mtime, locking", opts: store.Options{Versions: store.VersionMtime, Locking: true}},
		{name: "guard", opts: store.Options{GuardForeign: canExchange}},
		{name: "tries once", opts: store.Options{Retry: store.Retry{MaxTries: 1}}},
		{name: "portable", opts: store.Options{FlushOrder: store.PortableOrder}},
		{name: "linked directory", opts: store.Options{Versions: store.VersionMtime}},
		{name: "files"},
		{name: "linked files", opts: store.Options{Versions: store.VersionAuto}},
	} {
		h.opts.Durability, h.opts.Logger = durability, quiet
		dir := m.dir
		if strings.HasPrefix(h.name, "linked") {
			dir = linked
		}
		if strings.HasSuffix(h.name, "files") {
			h.docs = map[string]*store.Doc{}
			for _, key := range txKeys {
				path := filepath.Join(dir, filepath.FromSlash(key)+".json")
				if h.name == "linked files" {
					alias := filepath.Join(top, strings.ReplaceAll(key, "/", "-")+"-alias.json")
					if os.Symlink(path, alias) == nil {
						path = alias
					}
				}
				doc, err := store.OpenFile(path, &h.opts)
				if err != nil {
					t.Fatal(err)
				}
				h.docs[key] = doc
			}
		} else if h.db, err = store.Open(dir, &h.opts); err != nil {
			t.Fatal(err)
		}
		m.add(h)
	}
	return m
}

func (m *txMachine) add(h *txHandle) {
	m.handles = append(m.handles, h)
	m.closes = append([]func(){func() {
		if h.db != nil {
			h.db.Close()
		}
		for _, doc := range h.docs {
			doc.Close()
		}
	}}, m.closes...)
}

func (m *txMachine) close() {
	for _, f := range m.closes {
		f()
	}
}

func (h *txHandle) doc(key string) *store.Doc {
	if h.db != nil {
		return h.db.Doc(key)
	}
	return h.docs[key]
}

// txPlan is what a transaction does. It is drawn before, since its function may run again.
type txPlan struct {
	through *txHandle // whose DB makes the transaction; nil for the function Transact
	steps   []txStep
	ends    string
	endAt   int // before this step, or after the last
}

type txStep struct {
	key    string
	handle *txHandle
	op     txOp
}

func (m *txMachine) plan(t *rapid.T) (p txPlan) {
	for range rapid.IntRange(1, 6).Draw(t, "steps") {
		p.steps = append(p.steps, txStep{rapid.SampledFrom(txKeys).Draw(t, "key"), m.handle(t),
			m.drawOp(t)})
	}
	if h := m.handle(t); h.db != nil {
		p.through = h
	}
	p.ends = rapid.SampledFrom([]string{"", "", "", "", "refuses", "its context ends", "panics",
		"another writes", "another writes"}).Draw(t, "ends")
	p.endAt = rapid.IntRange(0, len(p.steps)).Draw(t, "at")
	return p
}

func (m *txMachine) handle(t *rapid.T) *txHandle {
	return m.handles[rapid.IntRange(0, len(m.handles)-1).Draw(t, "handle")]
}

// errTxRefused is what a function of a transaction refuses with.
var errTxRefused = errors.New("refused")

// txRun is a transaction while it is made.
type txRun struct {
	m      *txMachine
	p      txPlan
	cancel context.CancelFunc
	runs   int
	next   map[string]string     // the model as this run has changed it
	used   map[string]*store.Doc // the first handle on each document, whose kind of version it has
	first  *txHandle             // of the first document
	stale  bool                  // another has written a document that was used before
	last   *store.Tx
	ended  bool  // what ends it has happened in this run
	failed error // an expectation that failed
}

func (m *txMachine) transact(t *rapid.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &txRun{m: m, p: m.plan(t), cancel: cancel}
	var err error
	panicked := func() (panicked any) {
		defer func() {
			if panicked = recover(); panicked != nil && panicked != errTxRefused {
				panic(panicked) // of rapid's, or the store's
			}
		}()
		fn := func(tx *store.Tx) error { return r.run(t, tx) }
		if r.p.through != nil {
			err = r.p.through.db.Transact(ctx, fn)
		} else {
			err = store.Transact(ctx, fn)
		}
		return nil
	}()
	governing := r.p.through
	if governing == nil {
		governing = r.first
	}
	if governing == nil {
		governing = &txHandle{}
	}
	gaveUp := r.stale && governing.opts.Retry.MaxTries == 1
	applied := false
	ends := r.p.ends
	if !r.ended {
		ends = "" // an expectation has failed before
	}
	switch {
	case panicked != nil:
		if ends != "panics" {
			t.Fatalf("panic: %v", panicked)
		}
	case ends == "panics":
		t.Fatalf("the panic did not pass through: %v", err)
	case (ends == "refuses" || r.failed != nil) && ends != "its context ends" &&
		governing.opts.Retry.MaxTries == 1 && errors.Is(err, store.ErrConflict):
		// TestKnownFaultAbsentInOneTry of package store.
	case ends == "refuses":
		m.mustEnd(t, err, errTxRefused)
	case ends == "its context ends":
		m.mustEnd(t, err, context.Canceled)
	case gaveUp:
		m.mustEnd(t, err, store.ErrConflict)
	case r.failed != nil:
		m.mustEnd(t, err, r.failed)
	default:
		if err != nil {
			t.Fatalf("%s: %v", r.p, err)
		}
		applied = true
	}
	most := 1
	if r.p.ends == "another writes" || ends == "refuses" || r.failed != nil {
		most = 2 // whether what it refuses was so may take locks to find out
	}
	if r.runs > most || r.runs < 2 && applied && r.stale {
		t.Fatalf("%s: %d runs; another has changed what it had used: %v", r.p, r.runs, r.stale)
	}
	if !applied {
		return
	}
	m.model = r.next
	for key, doc := range r.used {
		_, version, err := doc.Read(context.Background())
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			t.Fatal(err)
		}
		if r.last.Version(doc) != version {
			t.Fatalf("%s: %s has version %v, and the transaction says %v", r.p, key, version,
				r.last.Version(doc))
		}
		m.old = append(m.old, token{key: key, version: version, content: m.model[key]})
	}
}

func (m *txMachine) mustEnd(t *rapid.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
}

func (p txPlan) String() string {
	text := fmt.Sprintf("transaction that %q before step %d:", p.ends, p.endAt)
	for _, s := range p.steps {
		text += fmt.Sprintf(" %s of %s by %s;", s.op.name, s.key, s.handle.name)
	}
	return text
}

// run is the function of the transaction.
func (r *txRun) run(t *rapid.T, tx *store.Tx) error {
	r.runs++
	r.next, r.last, r.failed, r.ended = maps.Clone(r.m.model), tx, nil, false
	r.used, r.first = map[string]*store.Doc{}, nil
	for i, s := range r.p.steps {
		if i == r.p.endAt {
			if err := r.end(t); err != nil || r.p.ends == "its context ends" {
				return err
			}
		}
		doc := s.handle.doc(s.key)
		if r.p.through != nil && r.p.through == s.handle {
			doc = tx.Doc(s.key)
		}
		if r.used[s.key] == nil {
			r.used[s.key] = doc
		}
		if r.first == nil {
			r.first = s.handle
		}
		if s.op.expects != nil {
			if err := r.expect(t, tx, doc, s); err != nil {
				return err
			}
			continue
		}
		before, there := r.next[s.key]
		after, want := s.op.onDoc(before, there)
		got := s.op.do(tx, doc)
		// A run that another has written in between may see what does not fit together.
		if r.stale && r.runs == 1 {
			continue
		}
		if !sameError(got, want) {
			t.Fatalf("%s: %s of %s, which is %q (%v): %v, and Doc says %v", r.p, s.op.name, s.key,
				before, there, got, want)
		}
		if delete(r.next, s.key); after != nil {
			r.next[s.key] = *after
		}
		data, _, err := tx.Read(doc)
		if now, there := r.next[s.key]; there != (err == nil) || string(data) != now {
			t.Fatalf("%s: after %s of %s its own read has %q, %v; want %q (%v)", r.p, s.op.name,
				s.key, data, err, now, there)
		}
	}
	if r.p.endAt == len(r.p.steps) {
		return r.end(t)
	}
	return nil
}

// expect refuses, as a function may, unless the document has the version that it had once.
func (r *txRun) expect(t *rapid.T, tx *store.Tx, doc *store.Doc, s txStep) error {
	_, have, err := tx.Read(doc)
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		t.Fatal(err)
	}
	if have.IsAbsent() != (r.m.model[s.key] == "") && !r.stale {
		t.Fatalf("%s: the version of %s is %v, and it was read as %q", r.p, s.key, have,
			r.m.model[s.key])
	}
	if have != *s.op.expects {
		r.failed = &store.ConflictError{Key: s.key, Want: *s.op.expects, Have: have}
		return r.failed
	}
	return nil
}

// end does what ends the transaction.
func (r *txRun) end(t *rapid.T) error {
	r.ended = true
	switch r.p.ends {
	case "refuses":
		return errTxRefused
	case "panics":
		panic(errTxRefused)
	case "its context ends":
		r.cancel()
	case "another writes":
		if r.runs > 1 {
			return nil
		}
		// By another goroutine: in this one it would be an update within the transaction.
		key := rapid.SampledFrom(txKeys).Draw(t, "another's key")
		h := r.m.handle(t)
		content := fmt.Sprintf(`{"another":%d}`, rapid.IntRange(0, 1).Draw(t, "content"))
		done := make(chan error)
		go func() {
			_, err := h.doc(key).Update(context.Background(), func([]byte) ([]byte, error) {
				return []byte(content), nil
			})
			done <- err
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r.stale = r.used[key] != nil && r.m.model[key] != content
		r.m.model[key] = content
		if r.used[key] == nil && !r.stale {
			r.next[key] = content
		}
	}
	return nil
}

// alone is an update or a deletion of one document.
func (m *txMachine) alone(t *rapid.T) {
	key := rapid.SampledFrom(txKeys).Draw(t, "key")
	doc, op := m.handle(t).doc(key), m.drawOp(t)
	if op.expects != nil {
		return
	}
	before, there := m.model[key]
	after, want := op.onDoc(before, there)
	if got := op.alone(doc); !sameError(got, want) {
		t.Fatalf("%s of %s: %v, want %v", op.name, key, got, want)
	}
	if delete(m.model, key); after != nil {
		m.model[key] = *after
	}
}

// foreign is a program that replaces a document, or removes it.
func (m *txMachine) foreign(t *rapid.T) {
	if m.dir == "" {
		t.Skip("in memory")
	}
	key := rapid.SampledFrom(txKeys).Draw(t, "key")
	path := filepath.Join(m.dir, filepath.FromSlash(key)+".json")
	if rapid.IntRange(0, 3).Draw(t, "removes") == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		delete(m.model, key)
		return
	}
	content := fmt.Sprintf(`{"foreign":%d}`, rapid.IntRange(0, 9).Draw(t, "content"))
	err := os.WriteFile(path+".foreign", []byte(content), 0o600)
	if err == nil {
		err = os.Rename(path+".foreign", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.model[key] = content
}

// look compares the documents with the model: in a view, in the files, and by the keys.
func (m *txMachine) look(t *rapid.T) {
	seen := map[string]string{}
	var keys []string
	view, through := store.View, m.handle(t)
	first := through
	if through.db != nil {
		view = through.db.View
	}
	err := view(context.Background(), func(tx *store.Tx) (err error) {
		clear(seen)
		if through.db != nil {
			if keys, err = tx.Keys(""); err != nil {
				return err
			}
		}
		for i, key := range txKeys {
			h := m.handle(t)
			if i == 0 {
				h = first // whose options it has
			}
			data, _, err := tx.Read(h.doc(key))
			if err == nil {
				seen[key] = string(data)
			} else if !errors.Is(err, store.ErrNotExist) {
				return err
			}
		}
		return nil
	})
	if err != nil || !maps.Equal(seen, m.model) {
		t.Fatalf("a view has %q, %v; want %q", seen, err, m.model)
	}
	if want := slices.Sorted(maps.Keys(m.model)); through.db != nil && !slices.Equal(keys, want) {
		t.Fatalf("a view has the keys %q, want %q", keys, want)
	}
	if m.dir == "" {
		return
	}
	found := map[string]string{}
	err = filepath.WalkDir(m.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		data, err := os.ReadFile(path)
		key, _ := filepath.Rel(m.dir, strings.TrimSuffix(path, ".json"))
		found[filepath.ToSlash(key)] = string(data)
		return err
	})
	if err != nil || !maps.Equal(found, m.model) {
		t.Fatalf("the files have %q, %v; want %q", found, err, m.model)
	}
}
