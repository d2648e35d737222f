// Callers that are combined, seen from outside: who leaves when, whose trouble is whose,
// and what each is told.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// TestWhoLeavesTakesNothingAlong: a change of one who leaves is not there, and what
// others have built on it is built again, also if it cancels that change out.
func TestWhoLeavesTakesNothingAlong(t *testing.T) {
	for name, others := range map[string][]int{"two": {-1}, "three": {-1, 10}} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				first := start(t, doc, add(1))
				want := 0
				var rest []*caller
				for _, n := range others {
					rest, want = append(rest, start(t, doc, add(n))), want+n
				}
				release := e.hold()
				g.open(t)
				synctest.Wait()
				first.cancel()
				first.must(t, context.Canceled, 1)
				synctest.Wait()
				release()
				for _, c := range rest {
					c.must(t, nil, 2)
				}
				if got := e.text(t); got != fmt.Sprint(want) {
					t.Errorf("the document is %s, want %d", got, want)
				}
			})
		})
	}
}

// TestBuiltAgainWithoutOneWhoLeft: the first try has run both functions and meets a
// conflict; one has left by then.
func TestBuiltAgainWithoutOneWhoLeft(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		g := closeGate(t, doc)
		first := start(t, doc, add(1))
		second := start(t, doc, add(-1))
		third := start(t, doc, add(10))
		e.do(func(s step, _ []byte) error {
			if s == stage {
				e.do(nil, nil)
				e.put(t, "100")
				first.cancel()
				synctest.Wait()
			}
			return nil
		}, nil)
		g.open(t)
		if r := first.must(t, context.Canceled, 1); !errors.Is(r.err, store.ErrConflict) {
			t.Errorf("it has met a conflict, and is told %v", r.err)
		}
		second.must(t, nil, 2)
		third.must(t, nil, 2)
		if got := e.text(t); got != "109" {
			t.Errorf("the document is %s", got)
		}
	})
}

// TestEndedInAnothersFunction: one who is built stays until the try is over, and is told
// what came of it.
func TestEndedInAnothersFunction(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		g := closeGate(t, doc)
		first := start(t, doc, add(1))
		second := start(t, doc, func(old []byte) ([]byte, error) {
			first.cancel()
			return add(1)(old)
		})
		g.open(t)
		first.must(t, nil, 1)
		second.must(t, nil, 1)
		if got := e.text(t); got != "2" {
			t.Errorf("the document is %s", got)
		}
	})
}

// TestEndedAlone: who is alone and whose context ends while its function runs is not
// applied.
func TestEndedAlone(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		var c *caller
		inside, resume := make(chan struct{}), make(chan struct{})
		c = start(t, e.doc(t, store.Options{}), func(old []byte) ([]byte, error) {
			close(inside)
			<-resume
			return add(1)(old)
		})
		<-inside
		c.cancel()
		synctest.Wait()
		if c.isTold() {
			t.Error("it was told while its function ran")
		}
		close(resume)
		c.must(t, context.Canceled, 1)
		if got := e.text(t); got != "0" || e.steps(stage) != 0 {
			t.Errorf("the document is %s, staged %d times", got, e.steps(stage))
		}
	})
}

// TestTroubleIsOnesOwn: a change for which there is no room does not keep a smaller one
// out.
func TestTroubleIsOnesOwn(t *testing.T) {
	large := func([]byte) ([]byte, error) {
		return fmt.Appendf(nil, "%q", strings.Repeat("x", 1<<20)), nil
	}
	// On what large makes, plus fails.
	plus := func(old []byte) ([]byte, error) {
		if old[0] == '"' {
			return old, nil
		}
		return add(1)(old)
	}
	noRoom := func(fails step) hook {
		return func(s step, data []byte) error {
			if s == fails && len(data) > 1000 {
				return syscall.ENOSPC
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		before  hook
		limit   int64 // of the options
		largest int64 // of the engine
		want    error
		runs    int // of a function that is not to blame
	}{
		"no space, found early": {before: noRoom(stage), want: syscall.ENOSPC, runs: 2},
		"no space, found late":  {before: noRoom(publish), want: syscall.ENOSPC, runs: 2},
		"MaxSize":               {limit: 1000, want: store.ErrTooLarge, runs: 1},
		"the engine's MaxSize":  {largest: 1000, want: store.ErrTooLarge, runs: 1},
	} {
		for order, at := range map[string]int{"first": 0, "second": 1, "last": 2} {
			t.Run(name+", "+order, func(t *testing.T) {
				eachKind(t, func(t *testing.T, e *engine) {
					e.put(t, "0")
					e.maxSize = test.largest
					e.do(test.before, nil)
					doc := e.doc(t, store.Options{MaxSize: test.limit})
					g := closeGate(t, doc)
					var blamed *caller
					var rest []*caller
					for i := range 3 {
						if i == at {
							blamed = start(t, doc, large)
						} else {
							rest = append(rest, start(t, doc, plus))
						}
					}
					g.open(t)
					blamed.must(t, test.want, test.runs)
					for _, c := range rest {
						c.must(t, nil, test.runs)
					}
					if got := e.text(t); got != "2" {
						t.Errorf("the document is %.20s", got)
					}
				})
			})
		}
	}
}

// TestFailedReadIsTheFirstOnes: who is behind one for whom the document could not be
// read, or locked, tries for itself.
func TestFailedReadIsTheFirstOnes(t *testing.T) {
	errBroken := errors.New("broken")
	for fails, runs := range map[step]int{read: 0, tryLock: 1, lock: 1} {
		t.Run(string(fails), func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				first := start(t, doc, add(1))
				second := start(t, doc, add(10))
				third := start(t, doc, add(100))
				e.do(func(s step, _ []byte) error {
					if s == fails {
						e.do(nil, nil)
						return errBroken
					}
					return nil
				}, nil)
				release := e.hold()
				g.open(t)
				synctest.Wait()
				release()
				first.must(t, errBroken, runs)
				second.must(t, nil, runs+1)
				third.must(t, nil, runs+1)
				if got := e.text(t); got != "110" {
					t.Errorf("the document is %s", got)
				}
			})
		})
	}
}

// TestFunctionsThatDoNotReturn: one that panics or ends its goroutine is as if it had not
// been there.
func TestFunctionsThatDoNotReturn(t *testing.T) {
	ends := map[string]func(){"panic": func() { panic("as told") }, "exit": runtime.Goexit}
	for name, end := range ends {
		for order, at := range map[string]int{"first": 0, "middle": 1, "last": 2, "alone": -1} {
			t.Run(name+", "+order, func(t *testing.T) {
				eachKind(t, func(t *testing.T, e *engine) {
					e.put(t, "0")
					doc := e.doc(t, store.Options{})
					g := closeGate(t, doc)
					fails := func(old []byte) ([]byte, error) {
						end()
						return add(1000)(old)
					}
					var gone *caller
					var rest []*caller
					for i := range 3 {
						if i == max(at, 0) {
							gone = start(t, doc, fails)
						} else if at >= 0 {
							rest = append(rest, start(t, doc, add(1)))
						}
					}
					g.open(t)
					r := gone.result(t)
					panicked := r.panicked == "as told"
					if (name == "panic") != panicked || (name == "exit") != r.exited {
						t.Errorf("it ended with %+v", r)
					}
					for _, c := range rest {
						c.must(t, nil, 1)
					}
					e.must(t, fmt.Sprint(len(rest)), min(len(rest), 1))
					start(t, doc, add(1)).must(t, nil, 1)
				})
			})
		}
	}
}

// TestManyCallers: those in line are published together, but not more than 256 of them.
func TestManyCallers(t *testing.T) {
	for callers, batches := range map[int]int{1: 1, 255: 1, 256: 1, 257: 2, 600: 3} {
		t.Run(fmt.Sprint(callers), func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				var all []*caller
				for range callers {
					all = append(all, start(t, doc, add(1)))
				}
				g.open(t)
				versions := map[store.Version]bool{}
				for _, c := range all {
					versions[c.must(t, nil, 1).version] = true
				}
				e.must(t, fmt.Sprint(callers), batches)
				if len(versions) != callers {
					t.Errorf("there are %d versions", len(versions))
				}
			})
		})
	}
}

// TestOtherOptionsOtherBatch: callers share a batch only with those of the same options,
// and keep their places.
func TestOtherOptionsOtherBatch(t *testing.T) {
	type change = func(*store.Options)
	same := func(*store.Options) {}
	size := func(o *store.Options) { o.MaxSize = 99 }
	wait := func(o *store.Options) { o.LockWait = time.Hour }
	once := func(o *store.Options) { o.Retry.MaxTries = 1 }
	while := func(o *store.Options) { o.Retry.MaxElapsed = time.Hour }
	for name, test := range map[string]struct {
		change  []change
		batches int
	}{
		"equal":       {[]change{same, same, same, same}, 1},
		"one other":   {[]change{same, size, same, same}, 3},
		"in turn":     {[]change{same, size, same, size}, 4},
		"two and two": {[]change{same, same, wait, wait}, 2},
		"once only":   {[]change{once, once}, 2},
		"other end":   {[]change{same, while}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, `[]`)
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				var all []*caller
				want := "["
				for i, change := range test.change {
					other, err := doc.With(change)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, start(t, other, appendNumber(i)))
					want += fmt.Sprint(i) + ","
				}
				g.open(t)
				for _, c := range all {
					c.must(t, nil, 1)
				}
				e.must(t, strings.TrimSuffix(want, ",")+"]", test.batches)
			})
		})
	}
}

// appendNumber appends to an array, in the bytes that it was given as far as they reach.
func appendNumber(n int) function {
	return func(old []byte) ([]byte, error) {
		made := old[:len(old)-1]
		if len(made) > 1 {
			made = append(made, ',')
		}
		return append(fmt.Append(made, n), ']'), nil
	}
}
