// The part of the contract on watches: hints of changes. It applies to engines that implement
// driver.Watcher.

package drivertest

import (
	"context"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver"
)

// hintsLate is when a hint must have come. The contract lets hints be late or lost; an engine
// that loses one here is of no use.
const hintsLate = 30 * time.Second

// watching is a call of Watch.
type watching struct {
	t     *testing.T
	hints chan string
	end   context.CancelFunc
}

func watches(t *testing.T, drv driver.Watcher, prefix string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{t, make(chan string, 1000), cancel}
	t.Cleanup(cancel)
	err := drv.Watch(ctx, prefix, func(key string) {
		select {
		case w.hints <- key:
		default: // it must not block
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// wants waits for a hint that a key may have changed. Others may come before it.
func (w *watching) wants(key string) {
	w.t.Helper()
	late := time.After(hintsLate)
	for {
		select {
		case got := <-w.hints:
			if got == key || got == "" {
				return
			}
		case <-late:
			w.t.Fatalf("no hint of %q", key)
		}
	}
}

func watchesTell(t *testing.T, drv driver.Driver, watcher driver.Watcher) {
	ctx := context.Background()
	all, some := watches(t, watcher, ""), watches(t, watcher, "a/")
	made, err := drv.Swap(ctx, "a/1", driver.Absent, []byte("1"))
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		all.wants("a/1")
		some.wants("a/1")
	}
	check()
	changed, err := drv.Swap(ctx, "a/1", made, []byte("2"))
	check()
	err = drv.Delete(ctx, "a/1", changed)
	check()
	if tr, ok := drv.(driver.Transactor); ok {
		_, err = tr.Commit(ctx, []driver.Change{{Key: "a/1", Data: []byte("3")}, {Key: "b"}})
		check()
	}
}

func watchesEnd(t *testing.T, drv driver.Driver, watcher driver.Watcher) {
	ended, going := watches(t, watcher, ""), watches(t, watcher, "")
	ended.end()
	// The end may take a moment, as may the last hints.
	for late := time.Now().Add(hintsLate); ; {
		v, err := drv.Swap(context.Background(), "a", driver.Absent, []byte("1"))
		if err == nil {
			err = drv.Delete(context.Background(), "a", v)
		}
		if err != nil {
			t.Fatal(err)
		}
		going.wants("a")
		select {
		case <-ended.hints:
		default:
			return
		}
		if time.Now().After(late) {
			t.Fatal("hints come after the context has ended")
		}
	}
}

func watchesBeneath(t *testing.T, drv driver.Driver, watcher driver.Watcher) {
	all, some := watches(t, watcher, ""), watches(t, watcher, "a/")
	for _, key := range []string{"b", "a", "ab/1"} {
		if _, err := drv.Swap(context.Background(), key, driver.Absent, []byte("1")); err != nil {
			t.Fatal(err)
		}
		all.wants(key)
	}
	for len(some.hints) > 0 {
		if key := <-some.hints; key != "" {
			t.Errorf("a hint of %q", key)
		}
	}
}

func runWatches(t *testing.T, open func(t *testing.T) driver.Driver) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, drv driver.Driver, watcher driver.Watcher)
	}{
		{"a watch is told of changes", watchesTell},
		{"a watch ends", watchesEnd},
		{"a watch of a prefix", watchesBeneath},
	} {
		t.Run(test.name, func(t *testing.T) {
			drv := open(t)
			defer closeDriver(t, drv)
			if watcher, ok := drv.(driver.Watcher); ok {
				test.run(t, drv, watcher)
			} else {
				t.Skip("the engine does not tell of changes")
			}
		})
	}
}
