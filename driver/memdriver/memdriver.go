// Package memdriver is the reference engine. It keeps documents in memory and gives
// each state a revision of its own. Use it in tests, for documents that need not
// outlive the process, and as a model for other engines.
package memdriver

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/jsonstore/jsonstore/driver"
)

// Driver keeps documents in memory. Make one with New.
type Driver struct {
	mu       sync.Mutex
	byKey    map[string]document
	revision uint64 // of the last write; no two writes have the same
	closed   bool
	watches  map[*watch]bool
}

// watch is a call of Watch whose context has not ended.
type watch struct {
	prefix  string
	changed func(key string)
}

type document struct {
	data    []byte
	version driver.Version
}

var (
	_ driver.Driver     = (*Driver)(nil)
	_ driver.Transactor = (*Driver)(nil)
	_ driver.Watcher    = (*Driver)(nil)
)

// New returns an engine without documents.
func New() *Driver {
	return &Driver{byKey: map[string]document{}, watches: map[*watch]bool{}}
}

// begin locks the engine for one operation.
func (d *Driver) begin(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, driver.ErrClosed
	}
	return d.mu.Unlock, nil
}

// Read implements driver.Driver.
func (d *Driver) Read(ctx context.Context, key string) ([]byte, driver.Version, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return nil, driver.Absent, err
	}
	defer end()
	found := d.byKey[key]
	return found.data, found.version, nil
}

// Swap implements driver.Driver. Its linearization point is under the engine's mutex.
func (d *Driver) Swap(ctx context.Context, key string, old driver.Version, data []byte) (
	driver.Version, error,
) {
	end, err := d.begin(ctx)
	if err != nil {
		return driver.Absent, err
	}
	defer end()
	if err := d.check(key, old); err != nil {
		return driver.Absent, err
	}
	d.revision++
	made := document{bytes.Clone(data), driver.RevisionVersion(d.revision)}
	d.byKey[key] = made
	d.tell(key)
	return made.version, nil
}

// Delete implements driver.Driver.
func (d *Driver) Delete(ctx context.Context, key string, old driver.Version) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if old.IsAbsent() {
		return &driver.ConflictError{Key: key, Want: old, Have: d.byKey[key].version}
	}
	if err := d.check(key, old); err != nil {
		return err
	}
	delete(d.byKey, key)
	d.tell(key)
	return nil
}

// Commit implements driver.Transactor. Its linearization point is under the engine's mutex.
func (d *Driver) Commit(ctx context.Context, changes []driver.Change) ([]driver.Version, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := d.checkAll(changes); err != nil {
		return nil, err
	}
	versions := make([]driver.Version, len(changes))
	for i, c := range changes {
		switch {
		case c.Keep:
			versions[i] = c.Old
		case c.Delete:
			delete(d.byKey, c.Key)
		default:
			d.revision++
			versions[i] = driver.RevisionVersion(d.revision)
			d.byKey[c.Key] = document{bytes.Clone(c.Data), versions[i]}
		}
	}
	for _, c := range changes {
		if !c.Keep {
			d.tell(c.Key)
		}
	}
	return versions, nil
}

// Watch implements driver.Watcher. Each change is told once, when it is made.
func (d *Driver) Watch(ctx context.Context, prefix string, changed func(key string)) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	w := &watch{prefix, changed}
	d.watches[w] = true
	context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watches, w)
	})
	return nil
}

// tell tells of a change. The caller holds mu.
func (d *Driver) tell(key string) {
	for w := range d.watches {
		if strings.HasPrefix(key, w.prefix) {
			w.changed(key)
		}
	}
}

// checkAll reports why changes cannot be made.
func (d *Driver) checkAll(changes []driver.Change) error {
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		if seen[c.Key] {
			return fmt.Errorf("%w: %s has two changes in one transaction", driver.ErrKey, c.Key)
		}
		seen[c.Key] = true
		if c.Delete && !c.Keep && c.Old.IsAbsent() {
			return &driver.ConflictError{Key: c.Key, Want: c.Old, Have: d.byKey[c.Key].version}
		}
		if err := d.check(c.Key, c.Old); err != nil {
			return err
		}
	}
	return nil
}

func (d *Driver) check(key string, old driver.Version) error {
	if err := driver.CheckKind(old, driver.KindRevision); err != nil {
		return err
	}
	if have := d.byKey[key].version; have != old {
		return &driver.ConflictError{Key: key, Want: old, Have: have}
	}
	return nil
}

// List implements driver.Driver. The keys are those of the first step.
func (d *Driver) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := d.keys(ctx, prefix)
		for _, key := range keys {
			if err = ctx.Err(); err != nil {
				err = context.Cause(ctx)
				break
			}
			if !yield(key, nil) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

func (d *Driver) keys(ctx context.Context, prefix string) ([]string, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var keys []string
	for key := range d.byKey {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// Caps implements driver.Driver.
func (d *Driver) Caps() driver.Caps { return driver.Caps{Name: "memory", UniqueVersions: true} }

// Close implements driver.Driver. It forgets the documents.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.byKey = true, nil
	return nil
}
