// Callers for the tests of what is combined: updates on goroutines of their own, put in
// line one after the other.

package store_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// function is that of an update.
type function = func(old []byte) ([]byte, error)

// bubble runs a test in a bubble, where time passes only while all are waiting, and all
// that wait for ever is a failure.
func bubble(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, run)
}

// add makes a function that adds n to a number.
func add(n int) function {
	return func(old []byte) ([]byte, error) {
		was, err := strconv.Atoi(string(old))
		return []byte(strconv.Itoa(was + n)), err
	}
}

func keep(old []byte) ([]byte, error) { return old, nil }

var errRefused = errors.New("refused")

func refuse([]byte) ([]byte, error) { return nil, errRefused }

// caller is an update that is under way.
type caller struct {
	cancel context.CancelFunc
	told   chan told
	runs   atomic.Int32 // of its function
}

// told is what came of it.
type told struct {
	version  store.Version
	err      error
	panicked any
	exited   bool // by runtime.Goexit
}

// noticed tells when somebody first waits for its end. A caller of the store does not
// before it stands in line.
type noticed struct {
	context.Context
	once sync.Once
	seen chan struct{}
}

func (c *noticed) Done() <-chan struct{} {
	c.notice()
	return c.Context.Done()
}

func (c *noticed) notice() { c.once.Do(func() { close(c.seen) }) }

// start begins an update, and returns when it stands in line, its function runs, or it is told.
func start(t *testing.T, doc *store.Doc, fn function) *caller {
	return startUntil(t, context.Background(), doc, fn)
}

func startUntil(t *testing.T, ctx context.Context, doc *store.Doc, fn function) *caller {
	t.Helper()
	c := &caller{told: make(chan told, 1)}
	ctx, c.cancel = context.WithCancel(ctx)
	t.Cleanup(c.cancel)
	in := &noticed{Context: ctx, seen: make(chan struct{})}
	go func() {
		r := told{exited: true}
		defer func() {
			r.panicked = recover()
			r.exited = r.exited && r.panicked == nil
			c.told <- r
		}()
		r.version, r.err = doc.Update(in, func(old []byte) ([]byte, error) {
			c.runs.Add(1)
			in.notice()
			return fn(old)
		})
		r.exited = false
	}()
	select {
	case <-in.seen:
	case r := <-c.told:
		c.told <- r
	}
	return c
}

// patience is how long the tests wait for what comes at once.
const patience = time.Minute

// result is what the caller is told.
func (c *caller) result(t *testing.T) told {
	t.Helper()
	select {
	case r := <-c.told:
		return r
	case <-time.After(patience):
		t.Fatal("a caller was told nothing")
		return told{}
	}
}

// must wants the caller to be told this, errors by errors.Is, and its function to have
// run so often.
func (c *caller) must(t *testing.T, want error, runs int) told {
	t.Helper()
	r := c.result(t)
	if !errors.Is(r.err, want) || r.panicked != nil || r.exited {
		t.Errorf("told %+v, want %v", r, want)
	}
	if got := int(c.runs.Load()); got != runs {
		t.Errorf("the function ran %d times, want %d", got, runs)
	}
	return r
}

// isTold reports whether it has been told.
func (c *caller) isTold() bool { return len(c.told) > 0 }

// gate is an update that changes nothing, in a batch of its own, behind which others
// stand in line until it is opened.
type gate struct {
	*caller
	leave chan struct{}
}

func closeGate(t *testing.T, doc *store.Doc) *gate {
	t.Helper()
	other, err := doc.With(func(o *store.Options) { o.MaxDepth = 9999 })
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{leave: make(chan struct{})}
	inside := make(chan struct{})
	g.caller = start(t, other, func(old []byte) ([]byte, error) {
		close(inside)
		<-g.leave
		return nil, errGate // what it kept, it would have to confirm under the lock
	})
	<-inside
	return g
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	close(g.leave)
	g.must(t, errGate, 1)
}

var errGate = errors.New("the gate is open")

// create makes the document.
func create(t *testing.T, doc *store.Doc, data string) store.Version {
	t.Helper()
	version, err := doc.Create(t.Context(), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return version
}
