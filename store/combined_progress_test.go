// Progress among callers that are combined: who is patient is done, who is slow keeps
// nobody, and a function runs no more often than it may.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// TestPatientAmongImpatient: one caller without a deadline among 31 that give up all the
// time, on a disk whose every publish takes 10 ms.
func TestPatientAmongImpatient(t *testing.T) {
	const publishTakes, lasts = 10 * time.Millisecond, time.Second
	for name, test := range map[string]struct {
		retry  store.Retry
		others time.Duration // another user of the engine has the lock for so long, again and again
		least  int           // updates in a second
		vain   int           // runs of the function in vain at most, one after the other
	}{
		"alone":          {least: 60, vain: 4},
		"never escalate": {retry: store.Retry{EscalateAfter: -1}, least: 60, vain: 4},
		"lock held":      {others: 5 * time.Millisecond, least: 30, vain: 4},
		"lock held long": {others: 30 * time.Millisecond, least: 15, vain: 4},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				e.do(func(s step, _ []byte) error {
					if s == publish {
						time.Sleep(publishTakes)
					}
					return nil
				}, nil)
				doc := e.doc(t, store.Options{Retry: test.retry})
				end := time.Now().Add(lasts)
				var all sync.WaitGroup
				acknowledged := make([]int, 33)
				for i := range 31 {
					deadline := 11*time.Millisecond + time.Duration(i)*14*time.Millisecond/30
					all.Go(func() {
						for time.Now().Before(end) {
							ctx, cancel := context.WithTimeout(t.Context(), deadline)
							_, err := doc.Update(ctx, add(1))
							cancel()
							if err == nil {
								acknowledged[i]++
							} else if !errors.Is(err, context.DeadlineExceeded) {
								t.Error(err)
							}
						}
					})
				}
				if test.others > 0 {
					all.Go(func() {
						for time.Now().Before(end) {
							release := e.hold()
							time.Sleep(test.others)
							release()
						}
					})
				}
				maxVain := 0
				for time.Now().Before(end) {
					runs := 0
					if _, err := doc.Update(t.Context(), func(old []byte) ([]byte, error) {
						runs++
						return add(1)(old)
					}); err != nil {
						t.Error(err)
					}
					acknowledged[32]++
					maxVain = max(maxVain, runs-1)
				}
				all.Wait()
				total := 0
				for _, n := range acknowledged {
					total += n
				}
				t.Logf("%d updates of the patient one, %d in all; at most %d runs in vain",
					acknowledged[32], total, maxVain)
				if acknowledged[32] < test.least || maxVain > test.vain {
					t.Errorf("want at least %d, at most %d in vain", test.least, test.vain)
				}
				if got := e.text(t); got != fmt.Sprint(total) {
					t.Errorf("%d updates were acknowledged, the document is %s", total, got)
				}
			})
		})
	}
}

// slow is a function that takes until it is let go, the first time.
type slow struct {
	function
	inside, leave chan struct{}
	once          sync.Once
}

func slowly(fn function) *slow {
	s := &slow{inside: make(chan struct{}), leave: make(chan struct{})}
	s.function = func(old []byte) ([]byte, error) {
		s.once.Do(func() {
			close(s.inside)
			<-s.leave
		})
		return fn(old)
	}
	return s
}

// TestEarlierDoNotWaitForLater: who is first in line is published without one behind it
// whose function takes long, which runs again.
func TestEarlierDoNotWaitForLater(t *testing.T) {
	for name, ends := range map[string]bool{"in time": false, "its context ends": true} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				g := closeGate(t, doc)
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				first := startUntil(t, ctx, doc, add(1))
				s := slowly(add(10))
				second := start(t, doc, s.function)
				third := start(t, doc, add(100))
				g.open(t)
				<-s.inside
				want, published := 1, 1
				if ends { // and nobody else wants what would be published
					first.cancel()
					first.must(t, context.Canceled, 1)
					want, published = 0, 0
				} else {
					first.must(t, nil, 1)
				}
				if took := time.Since(began); took > 50*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				e.must(t, fmt.Sprint(want), published)
				time.Sleep(300 * time.Millisecond)
				if second.isTold() || third.isTold() {
					t.Error("told before its turn")
				}
				close(s.leave)
				second.must(t, nil, 2)
				third.must(t, nil, 1)
				e.must(t, fmt.Sprint(want+110), published+1)
			})
		})
	}
}

// TestCutAndEnded: one whose function was too late, and whose context ends, is not
// applied.
func TestCutAndEnded(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		g := closeGate(t, doc)
		first := start(t, doc, add(1))
		s := slowly(add(10))
		second := start(t, doc, s.function)
		third := start(t, doc, add(100))
		g.open(t)
		first.must(t, nil, 1)
		second.cancel()
		synctest.Wait()
		if second.isTold() {
			t.Error("it was told while its function ran")
		}
		close(s.leave)
		second.must(t, context.Canceled, 1)
		third.must(t, nil, 1)
		e.must(t, "101", 2)
	})
}

// TestFirstMayBeSlow: the function of who is first has no bound but its own context.
func TestFirstMayBeSlow(t *testing.T) {
	eachKind(t, func(t *testing.T, e *engine) {
		e.put(t, "0")
		doc := e.doc(t, store.Options{})
		s := slowly(add(1))
		first := start(t, doc, s.function)
		second := start(t, doc, add(10))
		gone := start(t, doc, add(100))
		time.Sleep(time.Hour)
		gone.cancel()
		gone.must(t, context.Canceled, 0)
		close(s.leave)
		first.must(t, nil, 1)
		second.must(t, nil, 1)
		if got := e.text(t); got != "11" {
			t.Errorf("the document is %s", got)
		}
	})
}

// TestMaxTries: a function runs no more often than it may, whatever others do.
func TestMaxTries(t *testing.T) {
	for _, tries := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(tries), func(t *testing.T) {
			eachKind(t, func(t *testing.T, e *engine) {
				e.put(t, "0")
				doc := e.doc(t, store.Options{})
				limited, err := doc.With(func(o *store.Options) { o.Retry.MaxTries = tries })
				if err != nil {
					t.Fatal(err)
				}
				g := closeGate(t, doc)
				before := start(t, limited, add(1))
				leaves := start(t, limited, add(100))
				unlimited := start(t, doc, add(10))
				after := start(t, limited, add(1000))
				conflicts := tries // one for each run of the first
				if tries > 1 {
					conflicts-- // a run in vain, together with one who leaves
				}
				left := conflicts
				e.do(func(s step, _ []byte) error {
					if s == publish && left > 0 {
						left--
						e.put(t, fmt.Sprint(10_000*(conflicts-left)))
					}
					return nil
				}, nil)
				release := e.hold()
				g.open(t)
				synctest.Wait()
				leaves.cancel()
				r := leaves.result(t)
				if !errors.Is(r.err, context.Canceled) || int(leaves.runs.Load()) > tries {
					t.Errorf("%+v after %d runs", r, leaves.runs.Load())
				}
				release()
				isOnly(t, before.must(t, store.ErrConflict, tries).err, store.ErrConflict)
				unlimited.must(t, nil, 1)
				after.must(t, nil, 1)
				e.must(t, fmt.Sprint(10_000*conflicts+1010), conflicts+2)
			})
		})
	}
}
