// Events that come too late, which the explored worlds leave out.

package combine

import (
	"errors"
	"testing"
)

// TestAfterTheAnswer: the context of an answered caller may end before its goroutine has seen the
// answer. That has no effect.
func TestAfterTheAnswer(t *testing.T) {
	l := &Line[int]{Rules: Rules[int]{
		Same:     func(a, b int) bool { return a == b },
		Together: func(a, b any) bool { return a == b },
		Most:     10,
	}}
	errTired, errEnded := errors.New("tired"), errors.New("ended")
	first, second := &Caller[int]{LockAfter: 1}, &Caller[int]{LockAfter: 1}
	l.Arrive(first)
	l.Arrive(second)
	if o := l.Tire(second, errTired); o.Answered != second {
		t.Fatalf("%+v", o)
	}
	for name, late := range map[string]Orders[int]{
		"End":  l.End(second, errEnded),
		"Tire": l.Tire(second, errEnded),
	} {
		if late != (Orders[int]{}) {
			t.Errorf("%s: %+v", name, late)
		}
	}
	if second.Answer.Err != errTired || len(l.Callers()) != 1 {
		t.Errorf("%+v, %d in line", second.Answer, len(l.Callers()))
	}
}
