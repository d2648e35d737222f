// What must hold of a crowd: at each publication, at each answer, and when all have
// ended.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jsonstore/jsonstore/internal/simfs"
)

// published checks that a version is what callers of the process have made of the one
// before, in some order in which their functions ran since it has published.
func (r *crowdRun) published(by *simfs.Process, old, new []byte) error {
	runs := r.runs[by.Name]
	r.runs[by.Name] = nil
	if new == nil && old != nil {
		return nil // the checks at the end tell whose deletion it was
	}
	deleted := old != nil && slices.ContainsFunc(r.calls, func(c *callMade) bool {
		return c.process == by && c.deed == deletes
	})
	made := func(of []byte) bool { return chain(runs, of, new, map[*callMade]bool{}) }
	if !made(old) && !(deleted && made(nil)) {
		return fmt.Errorf("%s put %q in the place of %q, which is not made of it", by.Name, new,
			old)
	}
	return nil
}

// chain reports whether some of the runs, each of another caller, lead from one state to
// another.
func chain(runs []runMade, from, to []byte, used map[*callMade]bool) bool {
	for i := len(runs) - 1; i >= 0; i-- {
		run := runs[i]
		if !bytes.Equal(run.made, to) || used[run.by] {
			continue
		}
		if same(run.saw, from) {
			return true
		}
		used[run.by] = true
		if chain(runs[:i], from, run.saw, used) {
			return true
		}
		used[run.by] = false
	}
	return false
}

// same reports whether two contents are equal, of which nil is that of no document.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// answered checks what a caller is told, as soon as it is.
func (r *crowdRun) answered(c *callMade, p *simfs.Process, doc *Doc) {
	if !bytes.Equal(c.returned, c.made) {
		r.notes("what %s made became %q while its update was under way", c.name, c.returned)
	}
	if c.deed != keeps {
		spoil(c.returned) // nobody may look at it any longer
	}
	switch {
	case c.err == nil && c.deed != deletes:
		r.checkVersion(c)
	case errors.Is(c.err, context.Canceled) && c.leaves,
		errors.Is(c.err, errRefused) && c.deed == refuses,
		errors.Is(c.err, errPanicked) && c.deed == panics,
		errors.Is(c.err, ErrNotExist) && c.deed == deletes,
		c.err == nil:
	default:
		r.notes("%s was told: %w", c.name, c.err)
	}
	now := tryOf(doc)
	later := slices.ContainsFunc(r.calls, func(other *callMade) bool {
		return other.process == p && other.begun != 0 && other.try != c.try &&
			(other.end == 0 || !other.happened())
	})
	if c.holdsStill(p, now) && !later {
		r.notes("%s was answered, and its try still holds the lock", c.name)
	}
}

// holdsStill reports whether the lock may be held by the try that has answered a caller,
// though that is over. One that refuses need not wait for the end of a try.
func (c *callMade) holdsStill(p *simfs.Process, now *try) bool {
	refused := errors.Is(c.err, errRefused) || errors.Is(c.err, ErrNotExist)
	return c.try != nil && !refused && c.happened() && (now == nil || now == c.try) &&
		p.Holds(simulatedLock)
}

// checkVersion checks the version that a caller is told, which is that of what its
// function has made.
func (r *crowdRun) checkVersion(c *callMade) {
	switch {
	case c.version.IsAbsent() != (c.made == nil):
		r.notes("%s made %q and was told version %v", c.name, c.made, c.version)
	case r.opts.Versions != VersionMtime && c.made != nil && c.version != hashVersion(c.made):
		r.notes("%s made %q and was told version %v", c.name, c.made, c.version)
	case r.opts.Versions != VersionMtime || c.deed == keeps || c.made == nil || r.deleting():
	default:
		for _, other := range r.calls {
			told := other.end != 0 && other.err == nil && other.deed != keeps
			if other != c && told && other.version == c.version {
				r.notes("%s and %s were told one version, %v", c.name, other.name, c.version)
			}
		}
	}
}

// deleting reports whether somebody deletes the document, after which there can be the
// same version again, by a clock that stands still.
func (r *crowdRun) deleting() bool {
	return slices.ContainsFunc(r.calls, func(c *callMade) bool { return c.deed == deletes })
}

// check checks what is there when all have ended.
func (r *crowdRun) check() error {
	if r.found != nil {
		return r.found
	}
	for _, p := range r.processes {
		if open := p.OpenFiles(); len(open) > 0 {
			return fmt.Errorf("%s has left open: %q", p.Name, open)
		}
	}
	end := r.w.Content(simulated)
	var start []byte
	if r.start != "" {
		start = []byte(r.start)
	}
	if !r.explained(start, end, 0, map[string]bool{}) {
		return fmt.Errorf("no order of the calls explains %q: %s", end, r.told())
	}
	return scenario{deaths: r.deaths}.noLitter(r.w)
}

// told says what all callers were told.
func (r *crowdRun) told() (text string) {
	for _, c := range r.calls {
		text += fmt.Sprintf("\n  %s %s, %d to %d, saw %q: %v",
			c.name, c.deed, c.begun, c.end, c.saw, c.err)
	}
	return text
}

// explained reports whether the calls can have happened one after the other: each
// between its beginning and its end, as its caller was told; one without an end may have
// happened or not. Placed has a bit for each that is dealt with.
func (r *crowdRun) explained(state, end []byte, placed uint64, tried map[string]bool) bool {
	key := fmt.Sprintf("%d %q %t", placed, state, state == nil)
	if tried[key] {
		return false
	}
	tried[key] = true
	first := r.moment + 1 // of the ends of those that must still come
	for i, c := range r.calls {
		if placed&(1<<i) == 0 && c.end != 0 && c.happened() {
			first = min(first, c.end)
		}
	}
	if first > r.moment && same(state, end) {
		return true
	}
	for i, c := range r.calls {
		if placed&(1<<i) != 0 || c.begun == 0 || c.begun > first || !c.happened() {
			continue
		}
		next, err := c.done(c.name, state)
		fits := c.deed == deletes || c.end == 0 || c.ran && same(c.saw, state)
		if !fits || c.end != 0 && !errors.Is(c.err, err) {
			continue
		}
		if err != nil {
			next = state
		}
		if r.explained(next, end, placed|1<<i, tried) {
			return true
		}
	}
	return false
}

// happened reports whether a call may have had an effect, or have seen the document.
func (c *callMade) happened() bool {
	return !errors.Is(c.err, context.Canceled) && !errors.Is(c.err, errPanicked)
}
