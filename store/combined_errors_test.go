// What callers that are combined are told when something goes wrong: before, while and
// after they are published.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// once lets f be called at the first step of a kind, and no hook after that.
func (e *engine) once(s step, f func() error) {
	e.do(func(now step, _ []byte) error {
		if now != s {
			return nil
		}
		e.do(nil, nil)
		return f()
	}, nil)
}

// rival is a foreign program that is faster once.
func (e *engine) rival(t *testing.T, data string) {
	e.once(stage, func() error {
		e.put(t, data)
		return nil
	})
}

// isOnly wants an error to be one of the outcomes that callers tell apart, and no other.
func isOnly(t *testing.T, err, want error) {
	t.Helper()
	for _, kind := range []error{store.ErrConflict, store.ErrNotDurable, store.ErrUnknown,
		store.ErrLocked, context.Canceled, errRefused} {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%v: is it %q? %v", err, kind, errors.Is(err, kind))
		}
	}
}

// TestPublishedIsNoConflict: what is published after a conflict, and cannot be made
// durable, is told as that alone, also if the context has ended meanwhile.
func TestPublishedIsNoConflict(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		g := closeGate(t, doc)
		c := start(t, doc, add(1))
		other := start(t, doc, add(10))
		e.once(stage, func() error {
			e.put(t, "100")
			e.once(settle, func() error {
				c.cancel()
				synctest.Wait()
				return fmt.Errorf("flush: %w", store.ErrNotDurable)
			})
			return nil
		})
		g.open(t)
		isOnly(t, c.must(t, store.ErrNotDurable, 2).err, store.ErrNotDurable)
		r := other.must(t, store.ErrNotDurable, 2)
		isOnly(t, r.err, store.ErrNotDurable)
		e.must(t, "111", 2)
		if _, err := doc.CompareAndSwap(t.Context(), r.version, []byte("1")); err != nil {
			t.Errorf("from the version that came with the error: %v", err)
		}
	})
}

// TestRefusedIsNoConflict: a function's own error is told as that, whatever was before, also if
// the context has ended.
func TestRefusedIsNoConflict(t *testing.T) {
	for name, behind := range map[string]bool{"first": false, "behind another": true} {
		for ended, ends := range map[string]bool{"": false, ", ended": true} {
			t.Run(name+ended, func(t *testing.T) {
				eachKind(t, func(t *testing.T, e *engine) {
					e.put(t, "0")
					doc := e.doc(t, store.Options{})
					g := closeGate(t, doc)
					var others []*caller
					if behind {
						others = append(others, start(t, doc, add(1)))
					}
					var c *caller
					c = start(t, doc, func(old []byte) ([]byte, error) {
						if string(old) < "100" {
							return add(1)(old)
						}
						if ends {
							c.cancel()
						}
						return nil, errRefused
					})
					others = append(others, start(t, doc, add(10)))
					e.rival(t, "100")
					g.open(t)
					isOnly(t, c.must(t, errRefused, 2).err, errRefused)
					for _, c := range others {
						c.must(t, nil, 2)
					}
				})
			})
		}
	}
}

// TestUnknownIsFinal: where nobody knows whether a batch is published, all are told so,
// and nobody runs again, also if somebody's context has ended.
func TestUnknownIsFinal(t *testing.T) {
	unknown := func(s step, _ []byte) error {
		if s == publish {
			return fmt.Errorf("no answer: %w", store.ErrUnknown)
		}
		return nil
	}
	for name, applied := range map[string]bool{"applied": true, "not applied": false} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				keeps := start(t, doc, keep) // what it saw was never confirmed
				first := start(t, doc, add(1))
				second := start(t, doc, add(10))
				refused := start(t, doc, refuse)
				hook := func(s step, data []byte) error {
					if s == publish {
						first.cancel()
						synctest.Wait()
					}
					return unknown(s, data)
				}
				want := "0"
				if applied {
					want = "11"
					e.do(nil, hook)
				} else {
					e.do(hook, nil)
				}
				g.open(t)
				isOnly(t, keeps.must(t, store.ErrUnknown, 1).err, store.ErrUnknown)
				isOnly(t, first.must(t, store.ErrUnknown, 1).err, store.ErrUnknown)
				isOnly(t, second.must(t, store.ErrUnknown, 1).err, store.ErrUnknown)
				isOnly(t, refused.must(t, store.ErrUnknown, 1).err, store.ErrUnknown)
				e.must(t, want, 1)
				e.do(nil, nil)
				start(t, doc, add(100)).must(t, nil, 1)
			})
		})
	}
}

// TestNotDurableIsApplied: it comes with the version, from each step that may find it
// out.
func TestNotDurableIsApplied(t *testing.T) {
	for _, at := range []step{publish, settle} {
		t.Run(string(at), func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				first := start(t, doc, add(1))
				second := start(t, doc, add(10))
				refused := start(t, doc, refuse)
				e.do(nil, func(s step, _ []byte) error {
					if s == at {
						first.cancel()
						synctest.Wait()
						return store.ErrNotDurable
					}
					return nil
				})
				g.open(t)
				r := first.must(t, store.ErrNotDurable, 1)
				isOnly(t, r.err, store.ErrNotDurable)
				_, err := doc.CompareAndSwap(t.Context(), r.version, []byte("1"))
				if r.version.IsAbsent() || !errors.Is(err, store.ErrConflict) {
					t.Errorf("the first has version %v, from which a swap is %v", r.version, err)
				}
				isOnly(t, refused.must(t, errRefused, 1).err, errRefused)
				r = second.must(t, store.ErrNotDurable, 1)
				isOnly(t, r.err, store.ErrNotDurable)
				e.must(t, "11", 1)
				if _, err := doc.CompareAndSwap(t.Context(), r.version, []byte("1")); err != nil {
					t.Errorf("from the version of the last: %v", err)
				}
			})
		})
	}
}

// TestEndedWhilePublished: what is published is told as done, whenever the context ends.
func TestEndedWhilePublished(t *testing.T) {
	for _, at := range []step{stage, tryLock, publish, settle} {
		t.Run(string(at), func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				c := start(t, doc, add(1))
				other := start(t, doc, add(10))
				e.once(at, func() error {
					c.cancel()
					synctest.Wait()
					return nil
				})
				g.open(t)
				c.must(t, nil, 1)
				other.must(t, nil, 1)
				e.must(t, "11", 1)
			})
		})
	}
}

// TestOutcomesOfDelete are the same.
func TestOutcomesOfDelete(t *testing.T) {
	for _, want := range []error{nil, store.ErrNotDurable, store.ErrUnknown} {
		eachKind(t, func(t *testing.T, e *engine) {
			e.put(t, "0")
			doc := e.doc(t, store.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			e.once(stage, func() error { return errors.New("a deletion is not staged") })
			e.do(nil, func(s step, _ []byte) error {
				if s == del {
					cancel()
					return want
				}
				return nil
			})
			err := doc.Delete(ctx)
			isOnly(t, err, want)
			if got := e.text(t); got != "" || (err == nil) != (want == nil) || e.steps(del) != 1 {
				t.Errorf("%v: the document is %q, deleted %d times", err, got, e.steps(del))
			}
			if err := doc.Delete(t.Context()); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("deleted again: %v", err)
			}
		})
	}
}

// plain is an engine without attempts.
type plain struct {
	driver.Driver
	outcome error // of what it does
}

func (p *plain) Swap(
	ctx context.Context, key string, old driver.Version, data []byte,
) (driver.Version, error) {
	version, err := p.Driver.Swap(ctx, key, old, data)
	return version, errors.Join(err, p.outcome)
}

func (p *plain) Delete(ctx context.Context, key string, old driver.Version) error {
	return errors.Join(p.Driver.Delete(ctx, key, old), p.outcome)
}

// TestOutcomesWithoutAttempts: the version comes with ErrNotDurable from an engine that
// can only swap, too, and what is unknown is not tried again.
func TestOutcomesWithoutAttempts(t *testing.T) {
	for _, want := range []error{nil, store.ErrNotDurable, store.ErrUnknown} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			p := &plain{Driver: memdriver.New(), outcome: want}
			db, err := store.New(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			doc := db.Doc("doc")
			version, err := doc.Create(t.Context(), []byte("7"))
			isOnly(t, err, want)
			if _, found, err := p.Read(t.Context(), "doc"); err != nil || version != found {
				t.Errorf("created %v, the document has %v (%v)", version, found, err)
			}
			runs := 0
			version, err = doc.Update(t.Context(), func(old []byte) ([]byte, error) {
				runs++
				return add(1)(old)
			})
			isOnly(t, err, want)
			data, found, err := p.Read(t.Context(), "doc")
			if err != nil || string(data) != "8" || runs != 1 {
				t.Errorf("the document is %s (%v), the function ran %d times", data, err, runs)
			}
			if want == store.ErrUnknown {
				found = store.Absent // it may be another one's
			}
			if version != found {
				t.Errorf("updated to version %v, the document has %v", version, found)
			}
			isOnly(t, doc.Delete(t.Context()), want)
			if _, found, err = p.Read(t.Context(), "doc"); err != nil || !found.IsAbsent() {
				t.Errorf("deleted, the document has %v (%v)", found, err)
			}
		})
	}
}
