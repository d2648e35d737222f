// The goroutines and clocks of the shell of combining. Simulations replace them by
// threads of their own.

package store

import (
	"runtime"
	"time"
)

// threads replaces goroutines and clocks in simulations.
type threads struct {
	spawn func(f func()) // go f()
	// block waits until a condition is ready and returns its index, or 0 if none is
	// given.
	block func(ready ...func() bool) int
	pass  func()                          // lets others run before a state change
	after func(d time.Duration, f func()) // time.AfterFunc, replacing the timer before
	stop  func()                          // stops that timer
}

func (t *lines) spawn(f func()) {
	if t.threads != nil {
		t.threads.spawn(f)
		return
	}
	go f()
}

// block waits in simulations. Elsewhere it returns -1, and the code after it waits.
func (l *line) block(ready ...func() bool) int {
	if t := l.of.threads; t != nil {
		return t.block(ready...)
	}
	return -1
}

// pass is a point of preemption in simulations. Elsewhere it does nothing.
func (l *line) pass() {
	if t := l.of.threads; t != nil {
		t.pass()
	}
}

func (l *line) sleep(d time.Duration) {
	if l.block() < 0 {
		time.Sleep(d)
	}
}

// setTimer sets the alarm.
func (l *line) setTimer(d time.Duration) {
	if t := l.of.threads; t != nil {
		t.after(d, l.alarm)
		return
	}
	l.timer.Reset(d)
}

func (l *line) stopTimer() {
	if t := l.of.threads; t != nil {
		t.stop()
		return
	}
	l.timer.Stop()
}

// After a yield longer than longYield, no yield begins for yieldRest times its duration
// since its start.
const (
	longYield = time.Millisecond
	yieldRest = 20
)

// yield lets other runnable goroutines run. If all processors are busy that takes long,
// since a yielding goroutine goes to the back of the run queue. So only a twentieth of
// the time is spent on long yields: yield reports false if it did not yield.
func (l *line) yield() bool {
	if l.block() >= 0 {
		return true
	}
	start := time.Since(l.of.epoch)
	if start < time.Duration(l.noYield.Load()) {
		return false
	}
	runtime.Gosched()
	if took := time.Since(l.of.epoch) - start; took > longYield {
		l.noYield.Store(int64(start + yieldRest*took))
	}
	return true
}
