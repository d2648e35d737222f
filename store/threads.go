// What the shell of combining needs of goroutines and clocks. Simulations put threads
// of their own in their place.

package store

import (
	"runtime"
	"time"
)

// threads is what simulations have instead.
type threads struct {
	spawn func(f func()) // go f()
	// returns when one is ready, and which; 0 if none is given
	block func(ready ...func() bool) int
	pass  func()                          // others may go on before the line's state changes
	after func(d time.Duration, f func()) // time.AfterFunc, instead of the one before
	stop  func()                          // that one need not be called any longer
}

func (t *lines) spawn(f func()) {
	if t.threads != nil {
		t.threads.spawn(f)
		return
	}
	go f()
}

// block waits, in simulations only: elsewhere what comes after it does.
func (l *line) block(ready ...func() bool) int {
	if t := l.of.threads; t != nil {
		return t.block(ready...)
	}
	return -1
}

// pass is where a goroutine could be interrupted. In simulations, it is.
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

// A yield that took longer than longYield is followed by none for yieldRest times as long.
const (
	longYield = time.Millisecond
	yieldRest = 20
)

// yield lets other goroutines run that are ready. Where all processors are busy that
// takes long, since who yields is served after all others; so only a twentieth of the
// time is spent on such yields, and it reports false if there is none now.
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
