// The test of the check of histories: it must find the histories of broken stores, and wrong
// histories made by hand, illegal, and those of sound stores legal.

package proptest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/jsonstore/jsonstore/store"
)

// blindWriter compares first and swaps later, when the document may have changed.
type blindWriter struct {
	document
	file string
	both *sync.WaitGroup // if set, a swap waits until both writers have compared
}

func (d *blindWriter) CompareAndSwap(ctx context.Context, old store.Version,
	data []byte) (store.Version, error) {
	_, now, _ := d.Read(ctx)
	if d.both != nil {
		d.both.Done()
		d.both.Wait()
	}
	if now != old {
		return store.Absent, &store.ConflictError{Want: old, Have: now}
	}
	scratch := fmt.Sprintf("%s.%d.%d", d.file, os.Getpid(), rand.Uint64())
	defer os.Remove(filepath.Join(filepath.Dir(scratch), "."+filepath.Base(scratch)+".lock"))
	doc, err := store.OpenFile(scratch, &store.Options{Durability: store.Volatile})
	if err != nil {
		return store.Absent, err
	}
	defer doc.Close()
	version, err := doc.Create(context.Background(), data)
	if err != nil {
		return store.Absent, err
	}
	return version, os.Rename(scratch, d.file)
}

// staleReader always returns what it read first.
type staleReader struct {
	document
	data    []byte
	version store.Version
}

func (d *staleReader) Read(ctx context.Context) (data []byte, version store.Version, err error) {
	if d.data == nil {
		d.data, d.version, err = d.document.Read(ctx)
	}
	return d.data, d.version, err
}

// timidWriter reports conflicts that did not happen.
type timidWriter struct{ document }

func (timidWriter) CompareAndSwap(_ context.Context, old store.Version, _ []byte) (store.Version,
	error) {
	return store.Absent, &store.ConflictError{Want: old, Have: old}
}

// liar applies a change and reports that it has not.
type liar struct{ document }

func (d liar) CompareAndSwap(ctx context.Context, old store.Version, data []byte) (store.Version,
	error) {
	if version, err := d.document.CompareAndSwap(ctx, old, data); err != nil {
		return version, err
	}
	return store.Absent, context.DeadlineExceeded
}

// forgetful reports a change that it has not applied.
type forgetful struct{ document }

func (d forgetful) CompareAndDelete(context.Context, store.Version) error { return nil }

// TestBrokenStores: the check finds the history of every broken store illegal, and that of a sound
// store legal.
func TestBrokenStores(t *testing.T) {
	for _, test := range []struct {
		name   string
		result porcupine.CheckResult
		broken func(doc document, file string) document
	}{
		{"sound", porcupine.Ok, func(doc document, _ string) document { return doc }},
		{"blind writer", porcupine.Illegal, func(doc document, file string) document {
			both := &sync.WaitGroup{}
			both.Add(2)
			return &blindWriter{doc, file, both}
		}},
		{"stale reader", porcupine.Illegal, func(doc document, _ string) document { return &staleReader{document: doc} }},
		{"timid writer", porcupine.Illegal, func(doc document, _ string) document { return timidWriter{doc} }},
		{"liar", porcupine.Illegal, func(doc document, _ string) document { return liar{doc} }},
		{"forgetful", porcupine.Illegal, func(doc document, _ string) document { return forgetful{doc} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "doc.json")
			doc, err := store.OpenFile(file, &store.Options{Durability: store.Volatile})
			if err != nil {
				t.Fatal(err)
			}
			defer doc.Close()
			var told collector
			script(t, test.broken(doc, file), told.tell)
			h := &history{Name: test.name, Records: told.records}
			if result, _, err := h.check(); result != test.result || err != nil {
				t.Errorf("%s, %v; want %s", result, err, test.result)
			}
		})
	}
}

// script: two clients read the same version and swap it at once. One of them then deletes the
// document.
func script(t *testing.T, doc document, tell func(record)) {
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	a, b := newClient(0, 0, false, tell), newClient(1, 0, false, tell)
	created := a.begin(record{Doc: "doc", Kind: swapKind, New: a.content()})
	version, err := doc.Create(ctx, []byte(created.New))
	must(a.end(created, version, err))
	must(a.read(ctx, "doc", doc))
	must(b.read(ctx, "doc", doc))
	var swaps sync.WaitGroup
	for _, c := range []*client{a, b} {
		swaps.Go(func() { must(c.swap(ctx, "doc", doc)) })
	}
	swaps.Wait()
	must(a.read(ctx, "doc", doc))
	old := a.known["doc"]
	deletion := a.begin(record{Doc: "doc", Kind: swapKind, Expected: old.content})
	must(a.end(deletion, store.Absent, doc.CompareAndDelete(ctx, old.version)))
	must(a.read(ctx, "doc", doc))
}

// TestBrokenProcesses: the check finds blind writers in real processes, which collide by chance.
func TestBrokenProcesses(t *testing.T) {
	if _, shared := sharedClock(); !shared {
		t.Skip("processes are not known to share a clock here")
	}
	const enough = 50
	for i := range enough {
		seed := uint64(time.Now().UnixNano())
		dir := t.TempDir()
		var all []*process
		for first := 0; first < maxClients; first += 2 {
			all = append(all, startJob(t, "history", part{
				Dir: dir, Docs: []string{"one"}, Single: true, Clients: []int{first,
					first + 1}, Steps: 40, Seed: seed,
				Blind: true, Options: store.Options{Durability: store.Volatile},
			}))
		}
		h := recordProcesses(t, all, make([]int, len(all)))
		if result, _, err := h.check(); result == porcupine.Illegal && err == nil {
			t.Logf("history %d is illegal", i)
			return
		}
	}
	t.Errorf("%d histories of blind writers, and none was found illegal", enough)
}

// TestHistoryModel: histories made by hand. A process was killed during the swap from 1 to 2,
// which it called at time 10.
func TestHistoryModel(t *testing.T) {
	created := record{Number: 1, Kind: swapKind, New: "1", Version: "h:1", Outcome: done, Call: 1,
		Return: 2}
	killed := record{Number: 2, Kind: swapKind, Expected: "1", New: "2", Outcome: pending, Call: 10}
	read := func(found string, call int64) record {
		return record{Client: 1, Number: int(call), Kind: readKind, Found: found, Outcome: done,
			Call: call, Return: call + 1}
	}
	lost := func(expected, have string, call int64) record {
		return record{Client: 2, Number: int(call), Kind: swapKind, Expected: expected, New: "3",
			Have:    have,
			Outcome: conflict, Call: call, Return: call + 1}
	}
	removed := record{Client: 3, Number: 1, Kind: deleteKind, Outcome: done, Call: 20, Return: 21}
	for _, test := range []struct {
		name    string
		records []record
		result  porcupine.CheckResult
	}{
		{"it did not happen", []record{created, killed, read("1", 30)}, porcupine.Ok},
		{"it happened", []record{created, killed, read("2", 30)}, porcupine.Ok},
		{"it happened late", []record{created, killed, read("1", 30), read("2", 40)}, porcupine.Ok},
		{"it happened and was deleted", []record{created, killed, removed, read("", 30)}, porcupine.Ok},
		{"it was undone", []record{created, killed, read("2", 30), read("1", 40)}, porcupine.Illegal},
		{"it happened before it was called", []record{created, read("2", 5), killed}, porcupine.Illegal},
		{"it happened without what it expects",
			[]record{created, removed, killed, read("", 22), read("2", 30)}, porcupine.Illegal},
		{"a conflict with what it did", []record{created, killed, lost("1", "", 30)}, porcupine.Ok},
		{"a conflict with nothing", []record{created, lost("1", "", 30)}, porcupine.Illegal},
		{"a conflict with what was there", []record{created, lost("2", "h:1", 30)}, porcupine.Ok},
		{"a conflict with what was deleted", []record{created, removed, lost("2", "h:1", 30)}, porcupine.Illegal},
		{"a conflict with absence", []record{created, removed, lost("2", "-", 30)}, porcupine.Ok},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &history{Records: test.records}
			if result, _, err := h.check(); result != test.result || err != nil {
				t.Errorf("%s, %v; want %s", result, err, test.result)
			}
		})
	}
	ambiguous := read("2", 30)
	ambiguous.Version = "h:1"
	h := &history{Records: []record{created, killed, ambiguous}}
	if result, _, err := h.check(); result != porcupine.Illegal || err == nil {
		t.Errorf("one version for two contents: %s, %v", result, err)
	}
}
