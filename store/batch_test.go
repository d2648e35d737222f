package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// gate is an update that is under way, behind which others stand in line until it is
// opened.
type gate struct {
	doc     *Doc
	release chan struct{}
	once    sync.Once
	done    chan error
	line    *line
}

// closeGate begins an update that changes nothing and lasts until open. It has options
// of its own, and so is a batch of its own.
func closeGate(t interface{ Fatal(...any) }, doc *Doc) *gate {
	g := &gate{doc: doc, release: make(chan struct{}), done: make(chan error, 1)}
	other, err := doc.With(func(o *Options) { o.MaxDepth = 9999 })
	if err != nil {
		t.Fatal(err)
	}
	inside := make(chan struct{})
	go func() {
		_, err := other.Update(context.Background(), func(old []byte) ([]byte, error) {
			close(inside)
			<-g.release
			return nil, errGate // what it kept, it would have to confirm under the lock
		})
		if errors.Is(err, errGate) {
			err = nil
		}
		g.done <- err
	}()
	<-inside
	g.line = doc.db.lines.enter(doc.key)
	return g
}

var errGate = errors.New("the gate is open")

// join starts f on a goroutine, whose update is the next in line.
func (g *gate) join(f func()) {
	before := g.waiting()
	go f()
	g.wait(before + 1)
}

func (g *gate) waiting() int {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	return max(len(g.line.machine.Callers())-1, 0) // without the gate
}

func (g *gate) wait(n int) {
	for limit := time.Now().Add(time.Minute); g.waiting() != n; time.Sleep(10 * time.Microsecond) {
		if time.Now().After(limit) {
			panic(fmt.Sprintf("%d wait, want %d", g.waiting(), n))
		}
	}
}

func (g *gate) open() error {
	g.once.Do(func() { close(g.release) })
	return <-g.done
}

// result is what came of an update.
type result struct {
	version  Version
	err      error
	panicked any
	runs     int
}

// start joins the line with an update.
func (g *gate) start(
	ctx context.Context, doc *Doc, fn func(old []byte) ([]byte, error),
) <-chan result {
	done := make(chan result, 1)
	g.join(func() {
		var r result
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.version, r.err = doc.Update(ctx, func(old []byte) ([]byte, error) {
			r.runs++
			return fn(old)
		})
	})
	return done
}

// TestBatch: those in line become one version, in their order; each gets a version for
// its own state, of which only the last one's is the document's.
func TestBatch(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		ctx := context.Background()
		doc := document(t, `[]`, opts)
		doc.db.lines.longest = time.Hour
		g := closeGate(t, doc)
		const n = 20
		var done [n]<-chan result
		for i := range n {
			done[i] = g.start(ctx, doc, appendName(fmt.Sprint(i)))
		}
		before := doc.Stats()
		if err := g.open(); err != nil {
			t.Fatal(err)
		}
		versions := map[Version]bool{}
		var want []string
		for i := range n {
			r := <-done[i]
			if r.err != nil || r.runs != 1 {
				t.Errorf("%d: %v, %d runs", i, r.err, r.runs)
			}
			if versions[r.version] {
				t.Errorf("%d: a version that another one has", i)
			}
			versions[r.version] = true
			if _, err := ParseVersion(r.version.String()); err != nil {
				t.Error(err)
			}
			_, err := doc.CompareAndSwap(ctx, r.version, []byte(content(t, doc)+" "))
			if last := i == n-1; last != (err == nil) || !last && !errors.Is(err, ErrConflict) {
				t.Errorf("swapped from the state of %d: %v", i, err)
			}
			want = append(want, fmt.Sprint(i))
		}
		after := doc.Stats()
		// The batch, and the swap from it.
		if after.Writes-before.Writes != 2 || after.Updates-before.Updates != n {
			t.Errorf("before %v, after %v", before, after)
		}
		var got []string
		if err := json.Unmarshal([]byte(content(t, doc)), &got); err != nil ||
			!slices.Equal(got, want) {
			t.Errorf("the document is %q (%v)", got, err)
		}
		wantFiles(t, doc, "doc.json", ".doc.json.lock")
	})
}

// member is one of a batch, as rapid draws it.
type member struct {
	kind   string
	ctx    context.Context
	cancel context.CancelFunc
	done   <-chan result
}

// TestMadeAndDeletedInOneBatch: what one makes and the next one deletes is nothing to be
// published, also where versions are unique.
func TestMadeAndDeletedInOneBatch(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		doc, err := OpenFile(filepath.Join(t.TempDir(), "doc.json"), &opts)
		if err != nil {
			t.Fatal(err)
		}
		defer doc.Close()
		doc.db.lines.longest = time.Hour
		g := closeGate(t, doc)
		made := g.start(ctx, doc, appendName("a"))
		deleted := make(chan error, 1)
		g.join(func() { deleted <- doc.Delete(ctx) })
		if err := g.open(); err != nil {
			t.Error(err)
		}
		if r := <-made; r.err != nil || r.runs != 1 {
			t.Errorf("made: %v, %d runs", r.err, r.runs)
		}
		if err := <-deleted; err != nil {
			t.Errorf("deleted: %v", err)
		}
	})
}

// TestAnyBatch: whatever those in line do, it is as if one had come after the other,
// also if a program that takes no lock is faster now and then.
func TestAnyBatch(t *testing.T) {
	errRefused := errors.New("refused")
	top := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(top, "")
		if err != nil {
			t.Fatal(err)
		}
		opts := Options{Durability: Volatile, MaxSize: 1000,
			Retry: Retry{MaxBackoff: time.Microsecond,
				EscalateAfter: rapid.SampledFrom([]int{-1, 0, 2}).Draw(t, "escalate after")},
			Versions: rapid.SampledFrom([]VersionMode{VersionHash, VersionMtime}).Draw(t,
				"versions"),
			Locking: rapid.Bool().Draw(t, "locking")}
		path := filepath.Join(dir, "doc.json")
		doc, err := OpenFile(path, &opts)
		if err != nil {
			t.Fatal(err)
		}
		defer doc.Close()
		write := func(data string) {
			temp := filepath.Join(dir, "foreign")
			if err := os.WriteFile(temp, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(temp, path); err != nil {
				t.Fatal(err)
			}
		}
		start := rapid.SampledFrom([]string{"", `["x"]`}).Draw(t, "start")
		if start != "" {
			write(start)
		}
		// A rival is faster once, while the first function runs, which then makes a
		// change: so all that is told comes after it. There is a document then, so that
		// no changes cancel out: those would be told by what was there before the
		// rival.
		rival := start != "" && rapid.Bool().Draw(t, "rival")
		g := closeGate(t, doc)
		defer g.once.Do(func() { close(g.release) }) // also if the test fails
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"append", "append", "keep", "refuse",
			"panic", "invalid", "large", "clear", "delete", "left"}), 1, 12).Draw(t, "members")
		if rival {
			kinds = slices.Insert(kinds, 0, "rival")
		}
		members := make([]*member, len(kinds))
		for i, kind := range kinds {
			m := &member{kind: kind}
			members[i] = m
			m.ctx, m.cancel = context.WithCancel(context.Background())
			defer m.cancel()
			if kind == "delete" {
				done := make(chan result, 1)
				m.done = done
				g.join(func() { done <- result{err: doc.Delete(m.ctx)} })
				continue
			}
			m.done = g.start(m.ctx, doc, func(old []byte) ([]byte, error) {
				switch kind {
				case "keep":
					return old, nil
				case "refuse":
					return nil, errRefused
				case "panic":
					panic(i)
				case "invalid":
					return []byte("{"), nil
				case "large":
					return fmt.Appendf(nil, "%q", strings.Repeat("x", 1000)), nil
				case "clear":
					return []byte(`[]`), nil
				case "rival":
					if rival {
						rival = false
						write(`["rival"]`)
						start = `["rival"]`
					}
				}
				return appendName(fmt.Sprint(i))(old)
			})
			if kind == "left" {
				m.cancel()
				r := <-m.done
				if !errors.Is(r.err, context.Canceled) || r.runs != 0 {
					t.Fatalf("one that left: %+v", r)
				}
			}
		}
		if err := g.open(); err != nil && start == "" {
			t.Fatal(err)
		}
		results := make([]result, len(members))
		for i, m := range members {
			if m.kind != "left" {
				results[i] = <-m.done
			}
		}
		// The same, one after the other.
		state := []byte(start)
		if start == "" {
			state = nil
		}
		made := make([][]byte, len(members)) // the state that each made or saw
		for i, m := range members {
			r := results[i]
			var want error
			switch m.kind {
			case "append", "rival":
				state, _ = appendName(fmt.Sprint(i))(state)
			case "refuse":
				want = errRefused
			case "invalid":
				want = ErrInvalid
			case "large":
				want = ErrTooLarge
			case "clear":
				state = []byte(`[]`)
			case "delete":
				if state == nil {
					want = ErrNotExist
				}
				state = nil
			}
			made[i] = state
			if !errors.Is(r.err, want) || want == nil && r.err != nil {
				t.Fatalf("%d (%s): %v, want %v", i, m.kind, r.err, want)
			}
			if (m.kind == "panic") != (r.panicked == any(i)) {
				t.Fatalf("%d (%s): panicked with %v", i, m.kind, r.panicked)
			}
		}
		data, version, err := doc.Read(context.Background())
		if string(data) != string(state) || errors.Is(err, ErrNotExist) != (state == nil) {
			t.Fatalf("the document is %q (%v), want %q", data, err, state)
		}
		for i, m := range members {
			if results[i].err != nil || slices.Contains([]string{"panic", "left", "delete"},
				m.kind) {
				continue
			}
			same := string(made[i]) == string(state) && (made[i] == nil) == (state == nil)
			if results[i].version == version && !same {
				t.Fatalf("%d (%s) was at %q and has the version of %q", i, m.kind, made[i], state)
			}
			if opts.Versions == VersionHash && same && results[i].version != version {
				t.Fatalf("%d (%s) has another version than the document that it made", i, m.kind)
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 2 {
			t.Fatalf("litter: %v, %v", entries, err)
		}
		if g.waiting() != 0 {
			t.Fatal("somebody still stands in line")
		}
	})
}

// TestLateInABatch: who joins a batch after the document was read sees what a program
// wrote meanwhile.
func TestLateInABatch(t *testing.T) {
	ctx := context.Background()
	doc := document(t, `["old"]`, Options{Durability: Volatile})
	// Also on a machine that is slow just now, the late one belongs to the batch.
	doc.db.lines.longest = time.Minute
	g := closeGate(t, doc)
	keep := func(old []byte) ([]byte, error) { return old, nil }
	inside, resume := make(chan struct{}), make(chan struct{})
	first := g.start(ctx, doc, func(old []byte) ([]byte, error) {
		close(inside)
		<-resume
		return old, nil
	})
	second := g.start(ctx, doc, keep)
	if err := g.open(); err != nil {
		t.Fatal(err)
	}
	<-inside
	if err := os.WriteFile(doc.Name(), []byte(`["new"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	var seen string
	late := g.start(ctx, doc, func(old []byte) ([]byte, error) {
		seen = string(old)
		return old, nil
	})
	close(resume)
	for _, done := range []<-chan result{first, second, late} {
		if r := <-done; r.err != nil {
			t.Error(r.err)
		}
	}
	if seen != `["new"]` {
		t.Errorf("it saw %s", seen)
	}
}

// TestLeavingABatch: a caller whose context ends leaves the batch, wherever that is,
// and the others do not notice.
func TestLeavingABatch(t *testing.T) {
	ctx := context.Background()
	t.Run("while others run their functions", func(t *testing.T) {
		doc := document(t, `[]`, Options{Durability: Volatile})
		g := closeGate(t, doc)
		early, cancel := context.WithCancel(ctx)
		first := g.start(early, doc, appendName("first"))
		inside, resume := make(chan struct{}), make(chan struct{})
		ran := 0
		second := g.start(ctx, doc, func(old []byte) ([]byte, error) {
			if ran++; ran == 1 {
				close(inside)
				<-resume
			}
			return appendName("second")(old)
		})
		if err := g.open(); err != nil {
			t.Fatal(err)
		}
		<-inside // the first has been appended, and is what this is built on
		cancel()
		if r := <-first; !errors.Is(r.err, context.Canceled) {
			t.Errorf("the first: %+v", r)
		}
		close(resume)
		if r := <-second; r.err != nil || r.runs != 2 {
			t.Errorf("the second: %+v", r)
		}
		if got := content(t, doc); got != `["second"]` {
			t.Errorf("the document is %s", got)
		}
	})
	t.Run("while the lock is waited for", func(t *testing.T) {
		doc := document(t, `[]`, Options{Durability: Volatile})
		g := closeGate(t, doc)
		early, cancel := context.WithCancel(ctx)
		first := g.start(early, doc, appendName("first"))
		second := g.start(ctx, doc, appendName("second"))
		release := holdLock(t, doc)
		if err := g.open(); err != nil { // refuses, and needs no lock
			t.Fatal(err)
		}
		for limit := time.Now().Add(time.Minute); doc.Stats().LockWaits == 0; {
			if time.Now().After(limit) {
				t.Fatal("nobody waits for the lock")
			}
			time.Sleep(10 * time.Microsecond)
		}
		cancel()
		select {
		case r := <-first:
			if !errors.Is(r.err, context.Canceled) {
				t.Errorf("the first: %+v", r)
			}
		case <-time.After(10 * time.Second):
			t.Error("the first waits for the lock")
		}
		release()
		if r := <-second; r.err != nil {
			t.Errorf("the second: %+v", r)
		}
		if got := content(t, doc); got != `["second"]` {
			t.Errorf("the document is %s", got)
		}
	})
	t.Run("all of them", func(t *testing.T) {
		goroutines, descriptors := resources()
		doc := document(t, `[]`, Options{Durability: Volatile, Locking: true})
		g := closeGate(t, doc)
		early, cancel := context.WithCancel(ctx)
		var all []<-chan result
		for i := range 5 {
			all = append(all, g.start(early, doc, appendName(fmt.Sprint(i))))
		}
		waits := doc.Stats().LockWaits
		opened := make(chan error, 1)
		go func() { opened <- g.open() }()
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
		cancel()
		published := 0
		for i := range all {
			if r := <-all[i]; r.err == nil {
				published++
			} else if !errors.Is(r.err, context.Canceled) {
				t.Errorf("%+v", r)
			}
		}
		var names []string
		if err := json.Unmarshal([]byte(content(t, doc)), &names); err != nil ||
			len(names) != published {
			t.Errorf("%d were told that they are in %v (%v), %d waits before", published, names,
				err, waits)
		}
		if err := doc.Close(); err != nil {
			t.Error(err)
		}
		wantResources(t, goroutines, descriptors)
	})
}

// TestBatchLimits: a batch does not grow for ever, and has one kind of options.
func TestBatchLimits(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		callers int
		slow    bool
		mixed   bool
		batches uint64
	}{
		"few":           {callers: 100, batches: 1},
		"many":          {callers: maxBatch + 1, batches: 2},
		"slow":          {callers: 3, slow: true, batches: 3},
		"mixed options": {callers: 4, mixed: true, batches: 4},
	} {
		t.Run(name, func(t *testing.T) {
			doc := document(t, `0`, Options{Durability: Volatile})
			other, err := doc.With(func(o *Options) { o.MaxDepth = 9 })
			if err != nil {
				t.Fatal(err)
			}
			if !test.slow {
				doc.db.lines.longest = time.Hour
			}
			g := closeGate(t, doc)
			var done []<-chan result
			for i := range test.callers {
				handle := doc
				if test.mixed && i%2 == 1 {
					handle = other
				}
				done = append(done, g.start(ctx, handle, func(old []byte) ([]byte, error) {
					for begin := time.Now(); test.slow && time.Since(begin) <= longestBatch; {
					}
					return increment(old)
				}))
			}
			if err := g.open(); err != nil {
				t.Fatal(err)
			}
			for _, d := range done {
				if r := <-d; r.err != nil {
					t.Error(r.err)
				}
			}
			if writes := doc.Stats().Writes; writes != test.batches {
				t.Errorf("%d batches, want %d", writes, test.batches)
			}
			if got := content(t, doc); got != fmt.Sprint(test.callers) {
				t.Errorf("%d increments make %s", test.callers, got)
			}
		})
	}
}

// TestSlowInEachBatch: a function that takes as long as it takes to answer those before it in its
// batch is left out of that, in one batch after another.
func TestSlowInEachBatch(t *testing.T) {
	ctx := context.Background()
	doc := document(t, `0`, Options{Durability: Volatile})
	const batches, before = 3, 3
	for range batches {
		g := closeGate(t, doc)
		var first []<-chan result
		for range before {
			first = append(first, g.start(ctx, doc, increment))
		}
		answered, once := make(chan struct{}), sync.Once{}
		last := g.start(ctx, doc, func(old []byte) ([]byte, error) {
			once.Do(func() { <-answered })
			return increment(old)
		})
		if err := g.open(); err != nil {
			t.Fatal(err)
		}
		for i, done := range first {
			select {
			case r := <-done:
				if r.err != nil {
					t.Error(r.err)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("the function %d waits for the one after it", i)
			}
		}
		close(answered)
		if r := <-last; r.err != nil {
			t.Error(r.err)
		}
	}
	if got := content(t, doc); got != fmt.Sprint(batches*(before+1)) {
		t.Errorf("it is %s", got)
	}
}

// TestBatchFails: where the version cannot be published, all that are in it are told;
// where it can, but not made durable, too.
func TestBatchFails(t *testing.T) {
	for _, test := range []struct {
		op   string
		want error
		left string
	}{
		{"sync", os.ErrInvalid, "[]"},
		{"syncdir", ErrNotDurable, `["0","1","2"]`},
	} {
		path := filepath.Join(t.TempDir(), "doc.json")
		if err := os.WriteFile(path, []byte("[]"), 0o600); err != nil {
			t.Fatal(err)
		}
		doc := openFaulty(t, path, Options{FlushOrder: PortableOrder}, func(op, _ string) error {
			if op == test.op {
				return os.ErrInvalid
			}
			return nil
		})
		g := closeGate(t, doc)
		var done []<-chan result
		for i := range 3 {
			done = append(done, g.start(context.Background(), doc, appendName(fmt.Sprint(i))))
		}
		refused := g.start(context.Background(), doc,
			func([]byte) ([]byte, error) { return nil, errNested })
		if err := g.open(); err != nil {
			t.Fatal(err)
		}
		for _, d := range done {
			if r := <-d; !errors.Is(r.err, test.want) ||
				r.version.IsAbsent() == (test.want == ErrNotDurable) {
				t.Errorf("%s: %+v", test.op, r)
			}
		}
		if r := <-refused; r.err == nil {
			t.Errorf("%s: %+v", test.op, r)
		}
		if got := content(t, doc); got != test.left {
			t.Errorf("%s: the document is %s", test.op, got)
		}
	}
}
