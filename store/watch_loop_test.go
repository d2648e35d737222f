package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatchLasts: a document that is bad or absent for less than 20 ms is no event, and one that
// is so for longer is. The clock is the test's.
func TestWatchLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	for name, c := range map[string]struct {
		script []string // the content from each pause on; "" is absent
		pause  time.Duration
		want   []string
	}{
		"bad for a moment":    {[]string{"1", "{", "2"}, 19 * time.Millisecond, []string{"1", "2"}},
		"absent for a moment": {[]string{"1", "", "2"}, 19 * time.Millisecond, []string{"1", "2"}},
		"bad":                 {[]string{"1", "{", "{", "2"}, 20 * time.Millisecond, []string{"1", "{ bad", "2"}},
		"absent":              {[]string{"1", "", "", "1"}, 20 * time.Millisecond, []string{"1", "", "1"}},
		"bad in other ways": {[]string{"1", "{", "[", "", "{", "2"}, 30 * time.Millisecond,
			[]string{"1", "2"}},
		"bad and as it was": {[]string{"1", "{", "{", "1"}, 20 * time.Millisecond,
			[]string{"1", "{ bad", "1"}},
		"never well": {[]string{"{", "{"}, 20 * time.Millisecond, []string{"{ bad"}},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := OpenFile(path, &Options{Poll: time.Nanosecond})
			must(t, err)
			defer doc.Close()
			var got []string
			w := doc.watching(t.Context(), Absent, func(event Event, err error) bool {
				text := string(event.Data)
				if errors.Is(err, ErrInvalid) {
					text += " bad"
				}
				got = append(got, text)
				return true
			})
			now, step := time.Unix(0, 0), 0
			next := func() {
				_ = os.Remove(path)
				if content := c.script[step]; content != "" {
					put(t, path, content)
				}
				step++
			}
			w.now = func() time.Time { return now }
			w.pause = func(time.Time) error {
				if step == len(c.script) {
					return errStopped
				}
				now = now.Add(c.pause)
				next()
				return nil
			}
			next()
			w.run()
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestPendingMany: hints that are too many to be kept count as one of everything.
func TestPendingMany(t *testing.T) {
	p := pending{bell: make(chan struct{}, 1)}
	for i := range maxPending {
		p.note(fmt.Sprint(i % (maxPending - 1)))
	}
	if names, all := p.take(); len(names) != maxPending-1 || all {
		t.Errorf("%d names, all: %v", len(names), all)
	}
	for i := range maxPending + 1 {
		p.note(fmt.Sprint(i))
	}
	p.note("one more")
	if names, all := p.take(); len(names) != 0 || !all {
		t.Errorf("%d names, all: %v", len(names), all)
	}
	p.note("")
	if _, all := p.take(); !all {
		t.Error("an empty name is not all")
	}
	p.note("a")
	if names, all := p.take(); len(names) != 1 || all || len(p.bell) != 1 {
		t.Errorf("%q, all: %v", names, all)
	}
}
