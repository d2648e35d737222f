// Whose bytes are whose: functions may change what they get, and callers may use what
// they returned again when they are told.

package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jsonstore/jsonstore/store"
)

// replace makes a function that replaces letters in what it gets, in place.
func replace(old, with byte) function {
	return func(data []byte) ([]byte, error) {
		for i := range data {
			if data[i] == old {
				data[i] = with
			}
		}
		return data, nil
	}
}

// within makes a function that appends to a text, in what it gets as far as that reaches.
func within(text string) function {
	return func(data []byte) ([]byte, error) {
		return append(append(data[:len(data)-1], text...), '"'), nil
	}
}

// spoil refuses, having spoilt what it got.
func spoil(data []byte) ([]byte, error) {
	clear(data[:cap(data)])
	return nil, errRefused
}

// TestFunctionsMayChangeWhatTheyGet: one after the other, what each makes counts.
func TestFunctionsMayChangeWhatTheyGet(t *testing.T) {
	run := func(t *testing.T, doc *store.Doc) {
		ctx := t.Context()
		begin, err := doc.Create(ctx, []byte(`"aaa"`))
		if err != nil {
			t.Fatal(err)
		}
		before, _, err := doc.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		changed, err := doc.Update(ctx, replace('a', 'b'))
		if err != nil || changed == begin {
			t.Errorf("in place: %v, version %v after %v", err, changed, begin)
		}
		if _, err := doc.Update(ctx, spoil); err == nil {
			t.Error("not refused")
		}
		longer, err := doc.Update(ctx, within("c"))
		if err != nil || longer == changed {
			t.Errorf("within its capacity: %v, version %v after %v", err, longer, changed)
		}
		shorter, err := doc.Update(ctx, func(data []byte) ([]byte, error) {
			return append(data[:1], data[2:]...), nil
		})
		if err != nil || shorter == longer {
			t.Errorf("shorter in place: %v, version %v after %v", err, shorter, longer)
		}
		if same, err := doc.Update(ctx, replace('x', 'y')); err != nil || same != shorter {
			t.Errorf("unchanged in place: %v, version %v after %v", err, same, shorter)
		}
		after, version, err := doc.Read(ctx)
		if err != nil || string(after) != `"bbc"` || version != shorter {
			t.Errorf("the document is %s, %v, %v", after, version, err)
		}
		if string(before) != `"aaa"` {
			t.Errorf("what was read before has become %s", before)
		}
	}
	t.Run("engine", func(t *testing.T) {
		eachKind(t, func(t *testing.T, e *engine) { run(t, e.doc(t, store.Options{})) })
	})
	t.Run("file", func(t *testing.T) { eachMode(t, run) })
}

// TestFunctionsMayChangeWhatOthersMade: in one batch, and each has the version of what it
// made.
func TestFunctionsMayChangeWhatOthersMade(t *testing.T) {
	run := func(t *testing.T, doc *store.Doc) {
		if _, err := doc.Create(t.Context(), []byte(`"aaa"`)); err != nil {
			t.Fatal(err)
		}
		g := closeGate(t, doc)
		var saw []string
		looks := func(fn function) *caller {
			return start(t, doc, func(data []byte) ([]byte, error) {
				saw = append(saw, string(data))
				return fn(data)
			})
		}
		all := []*caller{looks(replace('a', 'b')), looks(within("c")), looks(replace('b', 'd'))}
		refused := looks(spoil)
		all = append(all, looks(keep), looks(within("e")), looks(replace('d', 'f')))
		g.open(t)
		versions := map[store.Version]int{}
		var last store.Version
		for _, c := range all {
			last = c.must(t, nil, 1).version
			versions[last]++
		}
		refused.must(t, errRefused, 1)
		want := `"aaa" "bbb" "bbbc" "dddc" "dddc" "dddc" "dddce"`
		if got := strings.Join(saw, " "); got != want {
			t.Errorf("they saw %s, want %s", got, want)
		}
		// The one that keeps what it sees has, where versions stand for contents, the
		// version of it.
		if len(versions) < len(all)-1 {
			t.Errorf("versions %v", versions)
		}
		data, version, err := doc.Read(t.Context())
		if err != nil || string(data) != `"fffce"` || version != last {
			t.Errorf("the document is %s, %v, %v; the last one has %v", data, version, err, last)
		}
	}
	t.Run("engine", func(t *testing.T) {
		eachKind(t, func(t *testing.T, e *engine) { run(t, e.doc(t, store.Options{})) })
	})
	t.Run("file", func(t *testing.T) { eachMode(t, run) })
}

// eachMode runs a test on a file that is not there yet, in each mode.
func eachMode(t *testing.T, run func(t *testing.T, doc *store.Doc)) {
	for _, versions := range []store.VersionMode{store.VersionHash, store.VersionMtime} {
		for _, locking := range []bool{false, true} {
			name := versions.String()
			if locking {
				name += " locking"
			}
			t.Run(name, func(t *testing.T) {
				run(t, openFile(t, filepath.Join(t.TempDir(), "doc.json"), store.Options{
					Versions: versions, Locking: locking, Durability: store.Volatile}))
			})
		}
	}
}

func openFile(t *testing.T, path string, opts store.Options) *store.Doc {
	t.Helper()
	doc, err := store.OpenFile(path, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doc.Close() })
	return doc
}

// reusing makes a function that returns a slice which the test writes to when the caller
// is told.
func reusing(fn function) (with function, reuse func()) {
	var made []byte
	with = func(old []byte) ([]byte, error) {
		var err error
		made, err = fn(old)
		return made, err
	}
	return with, func() {
		for i := range made[:cap(made)] {
			made[:cap(made)][i] = '9'
		}
	}
}

// TestWhoLeavesMayReuse: what a caller returned is its own again when it has left, while
// the batch still waits for the lock.
func TestWhoLeavesMayReuse(t *testing.T) {
	for at, name := range []string{"first", "middle", "last"} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				fn, reuse := reusing(add(1))
				var leaves *caller
				var rest []*caller
				for i := range 3 {
					if i == at {
						leaves = start(t, doc, fn)
					} else {
						rest = append(rest, start(t, doc, add(10)))
					}
				}
				release := e.hold()
				g.open(t)
				synctest.Wait()
				leaves.cancel()
				leaves.must(t, context.Canceled, 1)
				reuse()
				release()
				for _, c := range rest {
					c.must(t, nil, 2)
				}
				e.must(t, "20", 1)
			})
		})
	}
}

// TestWhoIsToldMayReuse: a function that was too late still runs on what one before it has made,
// who is told by then, that it is applied or that its context has ended, and writes to it.
func TestWhoIsToldMayReuse(t *testing.T) {
	for name, ends := range map[string]bool{"applied": false, "ended": true} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				fn, reuse := reusing(add(1))
				first := start(t, doc, fn)
				inside, leave := make(chan struct{}), make(chan struct{})
				var saw []string
				second := start(t, doc, func(old []byte) ([]byte, error) {
					if len(saw) == 0 {
						close(inside)
						<-leave
					}
					saw = append(saw, string(old))
					return add(10)(old)
				})
				g.open(t)
				<-inside
				want, wantSaw := "11", "1 1"
				if ends {
					first.cancel()
					first.must(t, context.Canceled, 1)
					want, wantSaw = "10", "1 0"
				} else {
					first.must(t, nil, 1)
				}
				reuse()
				close(leave)
				second.must(t, nil, 2)
				if got := strings.Join(saw, " "); got != wantSaw {
					t.Errorf("it saw %s, want %s", got, wantSaw)
				}
				if got := e.text(t); got != want {
					t.Errorf("the document is %s, want %s", got, want)
				}
			})
		})
	}
}

// TestReusedWhenTold: neither the document nor what the handle keeps of it is what was
// returned.
func TestReusedWhenTold(t *testing.T) {
	eachMode(t, func(t *testing.T, doc *store.Doc) {
		if _, err := doc.Create(t.Context(), []byte("0")); err != nil {
			t.Fatal(err)
		}
		fn, reuse := reusing(add(1))
		for _, want := range []string{"1", "2", "3"} {
			version, err := doc.Update(t.Context(), fn)
			if err != nil {
				t.Fatal(err)
			}
			reuse()
			data, found, err := doc.Read(t.Context())
			if err != nil || string(data) != want || found != version {
				t.Errorf("read %s, %v, %v; want %s, %v", data, found, err, want, version)
			}
			if file, err := os.ReadFile(doc.Name()); err != nil || string(file) != want {
				t.Errorf("the file is %s, %v; want %s", file, err, want)
			}
		}
	})
}
