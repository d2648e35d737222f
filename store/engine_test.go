// An engine for tests: documents in memory, whose steps a test can hold up, count, slow
// down and let fail.

package store_test

import (
	"context"
	"hash/fnv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/drivertest"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// step is one of an attempt.
type step string

const (
	tryLock step = "TryLock"
	lock    step = "Lock"
	read    step = "Read"
	stage   step = "Stage"
	publish step = "Publish"
	del     step = "Delete"
	confirm step = "Confirm"
	settle  step = "Settle"
)

// hook is called before or after a step on the document "doc", with what is to be
// staged or published. Its error is the step's.
type hook func(s step, data []byte) error

// engine keeps documents in memory. Make one with newEngine or contentEngine.
type engine struct {
	*memdriver.Driver
	content bool  // versions stand for contents
	maxSize int64 // of Caps

	mu            sync.Mutex
	before, after hook
	count         map[step]int
	locks         map[string]chan struct{}
	broken        []string // what the store did that it must not
	open          int      // attempts
	superseded    uint64
}

var _ driver.Combiner = (*engine)(nil)

// newEngine returns an engine of unique versions, contentEngine one whose versions stand
// for contents.
func newEngine(t *testing.T) *engine { return makeEngine(t, false) }

func contentEngine(t *testing.T) *engine { return makeEngine(t, true) }

func makeEngine(t *testing.T, content bool) *engine {
	e := &engine{Driver: memdriver.New(), content: content, count: map[step]int{},
		locks: map[string]chan struct{}{}, superseded: 1 << 40}
	t.Cleanup(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, text := range e.broken {
			t.Error(text)
		}
		if e.open != 0 {
			t.Errorf("%d attempts were not closed", e.open)
		}
		for key, lock := range e.locks {
			if len(lock) != 0 {
				t.Errorf("the lock of %s is not free", key)
			}
		}
	})
	return e
}

// eachKind runs a test on an engine of either kind of version.
func eachKind(t *testing.T, run func(t *testing.T, e *engine)) {
	for _, content := range []bool{false, true} {
		name := "unique versions"
		if content {
			name = "versions of content"
		}
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				run(t, makeEngine(t, content))
				synctest.Wait() // what was to be closed is
			})
		})
	}
}

// doc opens one document in the engine.
func (e *engine) doc(t *testing.T, opts store.Options) *store.Doc {
	t.Helper()
	db, err := store.New(e, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return db.Doc("doc")
}

// do lets hooks be called from now on; nil is none.
func (e *engine) do(before, after hook) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before, e.after = before, after
}

// steps is how often a step was begun.
func (e *engine) steps(s step) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count[s]
}

// put is a foreign program, which takes no lock: it replaces what is there.
func (e *engine) put(t *testing.T, data string) {
	t.Helper()
	_, version, err := e.Read(context.Background(), "doc")
	if err == nil {
		_, err = e.Swap(context.Background(), "doc", version, []byte(data))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// text is the document, empty if it is absent.
func (e *engine) text(t *testing.T) string {
	t.Helper()
	data, _, err := e.Read(context.Background(), "doc")
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// must wants the document to be this, and to have been published so often.
func (e *engine) must(t *testing.T, want string, published int) {
	t.Helper()
	if got := e.text(t); got != want || e.steps(publish) != published {
		t.Errorf("the document is %.30s, want %.30s, and was published %d times, want %d",
			got, want, e.steps(publish), published)
	}
}

// hold takes the document's lock, as another user does.
func (e *engine) hold() (release func()) {
	lock := e.lockOf("doc")
	lock <- struct{}{}
	return sync.OnceFunc(func() { <-lock })
}

func (e *engine) lockOf(key string) chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.locks[key] == nil {
		e.locks[key] = make(chan struct{}, 1)
	}
	return e.locks[key]
}

func contentVersion(data []byte) driver.Version {
	sum := fnv.New64a()
	sum.Write(data)
	return driver.HashVersion(0, sum.Sum64(), int64(len(data)))
}

// Read implements driver.Driver.
func (e *engine) Read(ctx context.Context, key string) ([]byte, driver.Version, error) {
	data, version, err := e.Driver.Read(ctx, key)
	if e.content && !version.IsAbsent() {
		version = contentVersion(data)
	}
	return data, version, err
}

// at returns the version in memory of a document that is at old.
func (e *engine) at(ctx context.Context, key string, old driver.Version) (driver.Version, error) {
	if !e.content {
		return old, nil
	}
	if err := driver.CheckKind(old, driver.KindHash); err != nil {
		return old, err
	}
	data, version, err := e.Driver.Read(ctx, key)
	if err != nil || version.IsAbsent() && old.IsAbsent() {
		return version, err
	}
	if have := contentVersion(data); version.IsAbsent() || have != old {
		if version.IsAbsent() {
			have = driver.Absent
		}
		return version, &driver.ConflictError{Key: key, Want: old, Have: have}
	}
	return version, nil
}

// Swap implements driver.Driver.
func (e *engine) Swap(
	ctx context.Context, key string, old driver.Version, data []byte,
) (driver.Version, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, err := e.at(ctx, key, old)
	if err != nil {
		return driver.Absent, err
	}
	version, err := e.Driver.Swap(ctx, key, old, data)
	if err == nil && e.content {
		version = contentVersion(data)
	}
	return version, err
}

// Delete implements driver.Driver.
func (e *engine) Delete(ctx context.Context, key string, old driver.Version) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, err := e.at(ctx, key, old)
	if err != nil {
		return err
	}
	return e.Driver.Delete(ctx, key, old)
}

// Caps implements driver.Driver.
func (e *engine) Caps() driver.Caps {
	return driver.Caps{Name: "test", UniqueVersions: !e.content, MaxSize: e.maxSize}
}

// Superseded implements driver.Combiner.
func (e *engine) Superseded(data []byte) driver.Version {
	if e.content {
		return contentVersion(data)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.superseded++
	return driver.RevisionVersion(e.superseded)
}

// Attempt implements driver.Attempter.
func (e *engine) Attempt(key string) driver.Attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open++
	return &attempt{e: e, key: key}
}

// TestEngine: the engine keeps the contract, so that what fails on it is not due to it.
func TestEngine(t *testing.T) {
	t.Run("unique versions", func(t *testing.T) {
		drivertest.Run(t, func(t *testing.T) driver.Driver { return newEngine(t) })
	})
	t.Run("versions of content", func(t *testing.T) {
		drivertest.Run(t, func(t *testing.T) driver.Driver {
			e := contentEngine(t)
			return struct { // without the transactions of memdriver, which have its versions
				driver.Driver
				driver.Combiner
			}{e, e}
		})
	})
}
