// The search: it visits every reachable moment of a world once. The encoding of a moment
// identifies it. The search keeps the event that led to each moment, and prints the path to a
// moment that is wrong.

package combine

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"
)

// search is the state of a search. Moments have numbers in the order of their discovery.
type search struct {
	setup  *setup
	hashes []uint64
	table  []uint32 // by hash: the number plus 1
	parent []uint32
	via    []uint16 // the event that led to each moment
	next   []uint32 // the moment after the benign event, or the moment itself
	now    []byte   // the moments to visit, each with its length before it
	then   []byte   // the moments found from them
	edges  int

	graph *graph // nil unless the setup asks for it
	bad   string
}

// add returns the number of a moment, and whether it is new.
func (s *search) add(b []byte) (uint32, bool) {
	if len(s.table) < 2*(len(s.hashes)+1) {
		s.grow()
	}
	h := xxh3.Hash(b)
	mask := uint64(len(s.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch n := s.table[i]; {
		case n == 0:
			s.hashes = append(s.hashes, h)
			s.table[i] = uint32(len(s.hashes))
			return uint32(len(s.hashes)) - 1, true
		case s.hashes[n-1] == h:
			return n - 1, false
		}
	}
}

func (s *search) grow() {
	s.table = make([]uint32, max(1<<16, 2*len(s.table)))
	mask := uint64(len(s.table) - 1)
	for n, h := range s.hashes {
		i := h & mask
		for s.table[i] != 0 {
			i = (i + 1) & mask
		}
		s.table[i] = uint32(n) + 1
	}
}

// found adds a moment that was found from another.
func (s *search) found(b []byte, parent uint32, e event) uint32 {
	n, isNew := s.add(b)
	if isNew {
		s.parent = append(s.parent, parent)
		s.via = append(s.via, e.code())
		s.next = append(s.next, n)
		s.then = append(append(s.then, byte(len(b))), b...)
	}
	return n
}

// run visits all moments.
func (s *search) run() {
	w := newWorld(s.setup)
	var key [256]byte
	s.found(w.encode(key[:0]), 0, event{})
	var all []event
	for n := uint32(0); len(s.then) > 0; {
		s.now, s.then = s.then, s.now[:0]
		for at := 0; at < len(s.now); n++ {
			b := s.now[at+1 : at+1+int(s.now[at])]
			at += 1 + len(b)
			w.decode(b)
			all = w.events(all[:0])
			benign := w.benign(all)
			var classes []class
			if s.graph != nil {
				classes = s.graph.node(w, all)
			}
			if !w.waits() && w.arrived > 0 && w.endless {
				continue
			}
			if s.notHarmless(w, b, key[:0]) {
				s.tell(n, w.bad)
				return
			}
			if benign < 0 && (w.n > 0 || w.line.step != Idle) {
				s.tell(n, "nothing happens any more, though some wait")
				return
			}
			for i, e := range all {
				w.decode(b)
				w.apply(e)
				if w.bad != "" {
					s.tell(n, w.bad, e)
					return
				}
				to := s.found(w.encode(key[:0]), n, e)
				s.edges++
				if i == benign {
					s.next[n] = to
					if to == n {
						s.tell(n, "the same happens for ever", e)
						return
					}
				}
				if s.graph != nil {
					s.graph.edge(to, classes[i])
				}
			}
		}
	}
	s.allEnd()
}

// notHarmless reports whether an event that must have no effect has one.
func (s *search) notHarmless(w *world, b, key []byte) bool {
	w.decode(b)
	w.harmless()
	if w.bad == "" && !bytes.Equal(w.encode(key), b) {
		w.bad = "something changes because of nothing"
	}
	return w.bad != ""
}

// allEnd checks that benign events alone lead from each moment to one in which all callers are
// answered. Each moment with callers has a next one, so it suffices that there is no circle.
func (s *search) allEnd() {
	state := make([]bool, len(s.next)) // moments that are known to lead to the end
	var path []uint32
	for n := range s.next {
		path = path[:0]
		at := uint32(n)
		for !state[at] && s.next[at] != at {
			if len(path) > 1000 { // no path is so long
				s.tell(at, "though nothing hinders it, this goes on for ever")
				return
			}
			path = append(path, at)
			at = s.next[at]
		}
		state[at] = true
		for _, n := range path {
			state[n] = true
		}
	}
}

// tell describes the path to a moment and the event after it.
func (s *search) tell(n uint32, what string, then ...event) {
	var b strings.Builder
	w := newWorld(s.setup)
	for _, e := range append(s.story(n), then...) {
		words := w.words(e)
		w.decode(w.encode(nil))
		w.apply(e)
		fmt.Fprintf(&b, "  %-50s %s\n", words, w.sketch())
	}
	s.bad = fmt.Sprintf("%s\n%s", what, b.String())
}

// story describes the path to a moment.
func (s *search) story(n uint32) (events []event) {
	for ; n != 0; n = s.parent[n] {
		events = append([]event{eventOf(s.via[n])}, events...)
	}
	return events
}

var (
	steps = []string{"idle", "lock", "wait", "read", "run", "stage", "publish", "confirm", "settle",
		"pause"}
	ways = []string{"as it is", "conflict", "late conflict", "failed", "not durable",
		"unknown, done", "unknown, not done"}
	whats = []string{"comes", "returns", "context ends", "is tired", "alarm",
		"effect of", "report of", "foreign write", "foreign lock", "foreign unlock"}
	does   = []string{"+1", "-1", "+0", "keeps", "refuses", "gone", "+1 and over"}
	states = []string{"waits", "runs", "cut", "built", "answered"}
	locks  = []string{"free", "ours", "theirs"}
	came   = []string{"OK", "busy", "conflict", "failed", "not durable", "unknown"}
)

// words describes an event.
func (w *world) words(e event) string {
	switch e.what {
	case arrives:
		return fmt.Sprintf("%s %s", w.kinds[e.who].name, whats[e.what])
	case returns:
		return fmt.Sprintf("#%d %s: %s", e.who, whats[e.what], does[e.how])
	case ends, tires:
		return fmt.Sprintf("#%d %s", e.who, whats[e.what])
	case acts:
		return fmt.Sprintf("%s %s: %s", whats[e.what], steps[w.out], ways[e.how])
	case reports:
		return fmt.Sprintf("%s %s: %s, time %d", whats[e.what], steps[w.out], came[w.came], e.how)
	}
	return whats[e.what]
}

// sketch describes a moment.
func (w *world) sketch() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, lock %s, document %d", steps[w.line.step], locks[w.holder], w.doc)
	if w.read {
		fmt.Fprintf(&b, ", read %d", w.base)
	}
	for i := range w.n {
		m := &w.member[i]
		fmt.Fprintf(&b, "; #%d %s", i, states[m.state])
		if m.gone {
			fmt.Fprintf(&b, " and is told %+v", m.Answer)
		}
	}
	return b.String()
}
