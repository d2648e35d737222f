// Liveness. The moments of a world and the events between them are a graph. An endless run
// stays in one of its strongly connected components in the end.
//
// In a fair run, an event that can happen all the time happens at last: a function returns, a
// step of the engine has its effect and reports it, a foreign program unlocks, a pause ends, or
// the time of a batch ends. So a fair run leaves a component in which such an event can happen
// in every moment, and happens in none. There must be no other component in which the caller in
// question waits.
//
// If the number of callers and obstacles is limited, there is no endless run at all.

package combine

import (
	"fmt"
	"slices"
)

// class is a class of events. In a fair run, an event of a class happens at last if one can
// happen all the time.
type class = uint8

const (
	effect class = iota
	report
	unlock
	pauseEnds
	batchIsLong
	functionOf       // a caller of kind 0, and so on
	unfair     class = 15
)

// graph has all moments and events.
type graph struct {
	first []uint32 // the number of each moment's first event
	to    []uint32 // the moment after each event
	class []class
	can   []uint16 // the classes of the events that can happen in each moment
	waits []bool   // whether the caller in question waits in each moment

	classes []class
}

// classOf returns the class of an event that can happen now.
func (w *world) classOf(e event) class {
	switch e.what {
	case acts:
		return effect
	case reports:
		return report
	case foreignUnlocks:
		return unlock
	case returns:
		return functionOf + w.member[e.who].kind
	case alarm:
		if w.line.step == Pause {
			return pauseEnds
		}
		if w.line.built > 0 {
			return batchIsLong
		}
	}
	return unfair
}

// waits reports whether the caller in question waits: the one that comes once or, without one, any.
func (w *world) waits() bool {
	for i := range w.n {
		if !w.endless || w.member[i].kind == 0 {
			return true
		}
	}
	return false
}

// node adds the next moment, and edge each of its events. Node returns the classes of these.
func (g *graph) node(w *world, all []event) []class {
	can := uint16(0)
	g.classes = g.classes[:0]
	for _, e := range all {
		c := w.classOf(e)
		g.classes = append(g.classes, c)
		can |= 1 << c
	}
	g.first = append(g.first, uint32(len(g.to)))
	g.can = append(g.can, can)
	g.waits = append(g.waits, w.waits())
	return g.classes
}

func (g *graph) edge(to uint32, c class) {
	g.to = append(g.to, to)
	g.class = append(g.class, c)
}

// edges returns the number of the first event of a moment, and of the one after its last.
func (g *graph) edges(n uint32) (from, to uint32) {
	if int(n) == len(g.first)-1 {
		return g.first[n], uint32(len(g.to))
	}
	return g.first[n], g.first[n+1]
}

// components calls yield for each strongly connected component of the moments in which the caller
// waits, until it returns false. It is Tarjan's algorithm, without recursion.
func (g *graph) components(yield func(component []uint32) bool) {
	type frame struct{ n, edge uint32 }
	var (
		// The order in which they were reached, from 1 on.
		order = make([]uint32, len(g.first))
		// The lowest order that is known to be in the component; 0 when that is done.
		low   = make([]uint32, len(g.first))
		stack []uint32
		calls []frame
		count uint32
	)
	enter := func(n uint32) {
		count++
		order[n], low[n] = count, count
		stack = append(stack, n)
		calls = append(calls, frame{n, g.first[n]})
	}
	for root := range g.first {
		if order[root] != 0 || !g.waits[root] {
			continue
		}
		for enter(uint32(root)); len(calls) > 0; {
			f := &calls[len(calls)-1]
			n := f.n
			if _, end := g.edges(n); f.edge < end {
				to := g.to[f.edge]
				f.edge++
				switch {
				case !g.waits[to]:
				case order[to] == 0:
					enter(to)
				case low[to] != 0:
					low[n] = min(low[n], order[to])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				caller := calls[len(calls)-1].n
				low[caller] = min(low[caller], low[n])
			}
			if low[n] != order[n] {
				continue
			}
			at := len(stack) - 1
			for stack[at] != n {
				at--
			}
			component := stack[at:]
			if !yield(component) {
				return
			}
			for _, n := range component {
				low[n] = 0
			}
			stack = stack[:at]
		}
	}
}

// endless looks for a component that a run need not leave: a fair run, or any run. It returns a
// moment of the component, and a circle through it, as the index of the event of each moment.
func (g *graph) endless(fair bool) (found bool, n uint32, circle []uint32) {
	in := make([]bool, len(g.first))
	g.components(func(component []uint32) bool {
		for _, n := range component {
			in[n] = true
		}
		always, inside, happens := ^uint16(0), false, uint16(0)
		for _, n := range component {
			always &= g.can[n]
			for e, end := g.edges(n); e < end; e++ {
				if in[g.to[e]] {
					inside = true
					happens |= 1 << g.class[e]
				}
			}
		}
		if inside && (!fair || always&^happens&^(1<<unfair) == 0) {
			found, n = true, component[0]
			circle = g.circle(n, in, fair)
		}
		for _, n := range component {
			in[n] = false
		}
		return !found
	})
	return found, n, circle
}

// circle returns a fair path from a moment to itself through the given moments.
func (g *graph) circle(n uint32, in []bool, fair bool) (way []uint32) {
	at := n
	walk := func(there func(from, e uint32) bool) bool {
		part, to, found := g.way(at, in, there)
		way, at = append(way, part...), to
		return found
	}
	for c := effect; fair && c < unfair; c++ {
		if !walk(func(_, e uint32) bool { return g.class[e] == c }) {
			walk(func(from, _ uint32) bool { return g.can[from]>>c&1 == 0 })
		}
	}
	walk(func(_, e uint32) bool { return g.to[e] == n })
	return way
}

// way returns the shortest path through the given moments that ends with a wanted event, and
// the moment after it, if there is one.
func (g *graph) way(
	at uint32, in []bool, wanted func(from, e uint32) bool,
) (_ []uint32, to uint32, found bool) {
	type step struct{ from, event uint32 }
	by := map[uint32]step{} // the event that led to each
	for queue := []uint32{at}; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		for e, end := g.edges(from); e < end; e++ {
			to := g.to[e]
			if !in[to] {
				continue
			}
			if wanted(from, e) {
				way := []uint32{e - g.first[from]}
				for ; from != at; from = by[from].from {
					before := by[from]
					way = append(way, before.event-g.first[before.from])
				}
				slices.Reverse(way)
				return way, to, true
			}
			if _, known := by[to]; !known && to != at {
				by[to] = step{from, e}
				queue = append(queue, to)
			}
		}
	}
	return nil, at, false
}

// neverEnds looks for an endless run in which the caller waits.
func (s *search) neverEnds() {
	if s.bad != "" || s.graph == nil {
		return
	}
	found, n, circle := s.graph.endless(s.setup.endless)
	if !found {
		return
	}
	w := newWorld(s.setup)
	for _, e := range s.story(n) {
		w.apply(e)
		w.decode(w.encode(nil))
	}
	var events []event
	for _, i := range circle {
		events = append(events, w.events(nil)[i])
		w.apply(events[len(events)-1])
		w.decode(w.encode(nil))
	}
	what := fmt.Sprintf("one can wait for ever; the last %d are a circle", len(circle))
	s.tell(n, what, events...)
}
