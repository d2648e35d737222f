package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/combine"
)

// leftBatch lets two callers leave a batch, of which the second brings the last result. What
// that is to carry out, the caller of leftBatch carries out: to stop the alarm of the batch.
func leftBatch(t *testing.T, doc *Doc, l *line) (w work, self *call) {
	t.Helper()
	l.of.longest = time.Hour
	made := docState{data: []byte("7"), exists: true}
	decide := func(docState) (docState, error) { return made, nil }
	ctx, cancel := context.WithCancel(context.Background())
	c1, c2 := l.newCall(ctx, doc, decide), l.newCall(ctx, doc, decide)
	if err := errors.Join(c1.arrive(), c2.arrive()); err != nil {
		t.Fatal(err)
	}
	c1.asked = false
	c1.run() // which orders c2 to run, and sets the alarm
	<-c2.orders
	cancel()
	c1.end()
	c2.end()
	return l.returned(c2, combine.Result[docState]{Kind: combine.Put, State: made}), c2
}

func (l *line) waitFor(t *testing.T, ready func(m *machine) bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Microsecond) {
		l.mu.Lock()
		is := ready(&l.machine)
		l.mu.Unlock()
		if is {
			return
		}
		if time.Now().After(limit) {
			t.Fatal("it does not come to that")
		}
	}
}

// TestLateStop: the alarm of a batch that all have left is stopped when the next batch has its
// own, which cuts a slow function all the same.
func TestLateStop(t *testing.T) {
	doc := document(t, `0`, Options{Durability: Volatile})
	l := doc.db.lines.enter(doc.key)
	defer l.leave()
	late, self := leftBatch(t, doc, l)
	l.of.longest = 100 * time.Millisecond
	first, second := make(chan error, 1), make(chan error, 1)
	there := func(n int) func(m *machine) bool {
		return func(m *machine) bool { return len(m.Callers()) >= n }
	}
	update := func(done chan error, f func([]byte) ([]byte, error)) {
		_, err := doc.Update(context.Background(), f)
		done <- err
	}
	go update(first, func([]byte) ([]byte, error) {
		l.waitFor(t, there(2))
		return []byte("8"), nil
	})
	l.waitFor(t, there(1))
	runs, release := make(chan bool, 9), make(chan bool)
	go update(second, func([]byte) ([]byte, error) {
		runs <- true
		<-release
		return []byte("9"), nil
	})
	<-runs
	l.carry(late, self)
	mustEnd(t, first)
	close(release)
	mustEnd(t, second)
}

// TestLateStopInPause: the same when the line pauses, after a conflict.
func TestLateStopInPause(t *testing.T) {
	doc := document(t, `0`, Options{Durability: Volatile, Retry: Retry{EscalateAfter: -1,
		MinBackoff: 300 * time.Millisecond, MaxBackoff: 300 * time.Millisecond}})
	l := doc.db.lines.enter(doc.key)
	defer l.leave()
	late, self := leftBatch(t, doc, l)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done, n := make(chan error, 1), 0
	go func() {
		_, err := doc.Update(ctx, func([]byte) ([]byte, error) {
			if n++; n == 1 { // another program changes it
				putText(t, doc.name, "55")
			}
			return []byte("8"), nil
		})
		done <- err
	}()
	l.waitFor(t, func(m *machine) bool { return m.Step() == combine.Pause })
	l.carry(late, self)
	mustEnd(t, done)
}

func mustEnd(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for ever")
	}
}
