// Every order of the calls of several holders, with time that passes and contexts that
// end in between: at most one grant is valid at any time, tokens grow, late writes are
// refused, and in the end the lease can be had.

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/sjson"

	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// depthFirst tries all choices, one after the other.
type depthFirst struct {
	path  []int // of this run
	width []int // choices at each step of it
	depth int   // steps done
	known map[uint64]bool
	runs  int
}

func (d *depthFirst) choose(n int) int {
	if d.depth == len(d.path) {
		d.path, d.width = append(d.path, 0), append(d.width, n)
	}
	if d.width[d.depth] != n {
		panic(fmt.Sprintf("not deterministic: %d choices, then %d", d.width[d.depth], n))
	}
	d.depth++
	return d.path[d.depth-1]
}

func (d *depthFirst) seen(state uint64) bool {
	if d.depth < len(d.path) {
		return false // on the way to the new choice
	}
	if d.known[state] {
		return true
	}
	d.known[state] = true
	return false
}

// next goes to the next run. It reports false after the last one.
func (d *depthFirst) next() bool {
	d.runs++
	d.path, d.width, d.depth = d.path[:d.depth], d.width[:d.depth], 0
	for len(d.path) > 0 {
		last := len(d.path) - 1
		if d.path[last]++; d.path[last] < d.width[last] {
			return true
		}
		d.path, d.width = d.path[:last], d.width[:last]
	}
	return false
}

// at random.
type atRandom struct{ *rand.Rand }

// choose prefers the last choice, which is that time passes.
func (r atRandom) choose(n int) int { return min(r.IntN(n+n/2+1), n-1) }
func (atRandom) seen(uint64) bool   { return false }

func (w *world) report(t *testing.T) {
	t.Helper()
	if len(w.broken) > 0 {
		t.Fatalf("%s\n%s", strings.Join(w.broken, "\n"), strings.Join(w.trace, "\n"))
	}
}

// hold notes a grant, for the checks.
func (p *holder) hold(l *lease.Lease, work context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grant, p.work = l, work
	if l != nil && work == nil {
		p.got++
	}
}

// acquire waits for the lease; nil if it does not get it.
func (p *holder) acquire() *lease.Lease {
	l, err := lease.Acquire(p.ctx, p.lease, &p.opts)
	if err != nil {
		return nil
	}
	p.hold(l, nil)
	return l
}

// write is a guarded write. It reports whether the holder may go on.
func (p *holder) write(l *lease.Lease) bool {
	_, err := p.data.Update(p.ctx, lease.Guard(l.Token(), func(old []byte) ([]byte, error) {
		if old == nil {
			old = []byte("{}")
		}
		return sjson.SetBytes(old, "by", l.Token())
	}))
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.writes++
	case errors.Is(err, lease.ErrFenced):
		p.fenced++
	}
	return err == nil
}

func try(p *holder) {
	p.opts.Wait = -1
	p.acquire()
}

// once acquires, writes, and releases.
func once(p *holder) {
	if l := p.acquire(); l != nil {
		p.write(l)
		_ = l.Release(p.ctx)
	}
}

// renewing acquires, writes, renews, writes, and dies.
func renewing(p *holder) {
	if l := p.acquire(); l != nil {
		p.write(l)
		if l.Renew(p.ctx) == nil {
			p.write(l)
		}
	}
}

// late acquires and writes, however late that is.
func late(p *holder) {
	if l := p.acquire(); l != nil {
		p.write(l)
	}
}

// twice acquires, releases, and does so again.
func twice(p *holder) {
	for range 2 {
		l := p.acquire()
		if l == nil || l.Release(p.ctx) != nil {
			return
		}
	}
}

// kept works for longer than the TTL, under background renewal.
func kept(p *holder) {
	_ = lease.With(p.ctx, p.lease, &p.opts, func(ctx context.Context, l *lease.Lease) error {
		p.hold(l, nil)
		p.hold(l, ctx)
		select {
		case <-time.After(ttl * 3 / 2):
			p.write(l)
		case <-ctx.Done():
		}
		p.hold(l, nil)
		return nil
	})
}

// unsure is a holder whose first renewal has an unknown outcome.
func unsure(p *holder) {
	l := p.acquire()
	if l == nil {
		return
	}
	p.unknown = 1
	if err := l.Renew(p.ctx); !errors.Is(err, store.ErrUnknown) {
		return
	}
	p.write(l)
}

// unsureAtFirst is one whose grant has an unknown outcome: it does not have it.
func unsureAtFirst(p *holder) {
	p.unknown = 1
	if p.acquire() == nil {
		p.acquire()
	}
}

// deleter breaks the rules: it deletes the lease, and then acquires it.
func deleter(p *holder) {
	_ = p.lease.Delete(p.ctx)
	after(late)(p)
}

// planter replaces the lease by a document that is none.
func planter(p *holder) {
	_, _ = p.lease.Update(p.ctx, func([]byte) ([]byte, error) { return []byte(`{"a":1}`), nil })
}

// stale is a lease of a dead holder, renewed in 1999; virtual time begins in 2000.
const stale = `{"token":7,"owner":"dead","host":"h","pid":1,"nonce":"dead",` +
	`"granted":"1999-12-31T22:00:00Z","renewed":"1999-12-31T23:00:00Z","ttl_ms":8}`

// fresh is one that a holder has renewed just now, or whose clock is ahead.
const fresh = `{"token":7,"owner":"dead","host":"h","pid":1,"nonce":"dead",` +
	`"granted":"1999-12-31T22:00:00Z","renewed":"2000-01-01T00:00:00Z","ttl_ms":8}`

var (
	behind = clock{ahead: -time.Millisecond}
	ahead  = clock{ahead: time.Millisecond}
	slow   = clock{rate: -0.0004}
	fast   = clock{rate: 0.0004}
)

var scenarios = []scenario{
	{name: "two stealers of one stale lease", planted: stale, scripts: []script{try, try}, winners: 1},
	{name: "three stealers of one stale lease", planted: stale, scripts: []script{try, try, try}, winners: 1},
	{name: "two that wait for a dead holder", planted: fresh, scripts: []script{late, late}, ticks: 5},
	{name: "two that wait for a dead holder, at any time", long: true, planted: fresh, scripts: []script{late, late}, ticks: 3, anyTime: true},
	{name: "two of an absent lease", scripts: []script{try, try}, winners: 1},
	{name: "two of a free lease", planted: `{"token":3}`, scripts: []script{try, try}, winners: 1},
	{name: "one dies, one waits", scripts: []script{renewing, late}, ticks: 3},
	{name: "one is late, one waits", scripts: []script{late, late}, ticks: 4},
	{name: "one is late, one waits, contexts end", long: true, scripts: []script{once, late}, ticks: 2, cancels: 1},
	{name: "clocks apart", scripts: []script{renewing, late}, ticks: 3, clocks: []clock{behind, ahead}, skew: 2 * time.Millisecond},
	{name: "clocks apart the other way", long: true, scripts: []script{renewing, late}, ticks: 3, clocks: []clock{ahead, behind}, skew: 2 * time.Millisecond},
	{name: "clocks of different rates", scripts: []script{late, late}, ticks: 4, clocks: []clock{slow, fast}, skew: time.Millisecond},
	{name: "one comes later, clocks apart", scripts: []script{late, after(late)}, ticks: 4, clocks: []clock{behind, ahead}, skew: 2 * time.Millisecond},
	{name: "background renewal", scripts: []script{kept, late}, ticks: 4},
	{name: "background renewal, contexts end", long: true, scripts: []script{kept, late}, ticks: 3, cancels: 1},
	{name: "a renewal with an unknown outcome", long: true, scripts: []script{unsure, late}, ticks: 3},
	{name: "a grant with an unknown outcome", scripts: []script{unsureAtFirst, late}, ticks: 2},
	{name: "twice each", large: true, scripts: []script{twice, twice}, ticks: 1},
	{name: "a deleter", scripts: []script{late, after(deleter)}, ticks: 5, foreign: true},
	{name: "a planter", large: true, scripts: []script{once, planter, once}, ticks: 1, foreign: true},
	{name: "planted: garbage", planted: `[1`, scripts: []script{once}, ticks: 2},
	{name: "planted: another document", planted: `{"theme":"dark"}`, scripts: []script{once}, ticks: 2},
	{name: "planted: a TTL beyond all", planted: strings.Replace(stale, `8}`, `9223372036854775807}`, 1), scripts: []script{once}, ticks: 2},
	{name: "planted: a holder of the future", planted: strings.Replace(stale, `1999-12-31T23`, `2999-12-31T23`, 1), scripts: []script{late, late}, ticks: 5},
}

// after runs a script half a TTL later.
func after(s script) script {
	return func(p *holder) {
		select {
		case <-time.After(ttl / 2):
			s(p)
		case <-p.ctx.Done():
		}
	}
}

// TestEveryOrder explores the scenarios exhaustively.
func TestEveryOrder(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			_, exhaustive := os.LookupEnv("JSONSTORE_EXHAUSTIVE")
			switch {
			case s.large && !exhaustive:
				t.Skip("takes many seconds: set JSONSTORE_EXHAUSTIVE=1")
			case s.long && testing.Short():
				t.Skip("takes seconds")
			}
			if exhaustive && s.ticks > 0 {
				s.ticks++
			} else if testing.Short() && s.ticks > 1 {
				s.ticks--
			}
			d := &depthFirst{known: map[uint64]bool{}}
			fenced, began := 0, time.Now()
			for more := true; more; more = d.next() {
				w := s.run(t, d)
				w.report(t)
				for _, p := range w.holders {
					fenced += p.fenced
				}
			}
			t.Logf("%d runs, %d states, %d late writes refused, %v", d.runs, len(d.known), fenced,
				time.Since(began).Round(time.Millisecond))
			if strings.Contains(s.name, "late,") && fenced == 0 {
				t.Error("no late write was refused: the scenario shows nothing")
			}
		})
	}
}

// TestSampledOrders: more holders, for longer, at random.
func TestSampledOrders(t *testing.T) {
	runs := 300
	if text := os.Getenv("JSONSTORE_LEASE_RUNS"); text != "" {
		var err error
		if runs, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	first := rand.Uint64()
	if text := os.Getenv("JSONSTORE_SEED"); text != "" {
		var err error
		if first, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("JSONSTORE_SEED=%d", first)
	all := []script{once, renewing, late, twice, kept}
	got, fenced := 0, 0
	for i := range runs {
		r := rand.New(rand.NewPCG(first, uint64(i)))
		s := scenario{ticks: 60, cancels: r.IntN(3), skew: 2 * time.Millisecond}
		for range 3 + r.IntN(4) {
			s.scripts = append(s.scripts, all[r.IntN(len(all))])
			s.clocks = append(s.clocks, clock{
				ahead: time.Duration(r.Int64N(int64(s.skew))) - s.skew/2,
				rate:  (r.Float64() - 0.5) / 1100,
			})
		}
		first, n := r.IntN(1000), len(s.scripts)
		s.frozen = func(step int) int { return (first + step/20*7) % n } // one after the other
		w := s.run(t, atRandom{r})
		w.report(t)
		for _, p := range w.holders {
			got, fenced = got+p.got, fenced+p.fenced
		}
	}
	t.Logf("%d runs, %d grants, %d late writes refused", runs, got, fenced)
	if got == 0 || fenced == 0 {
		t.Error("the runs show nothing")
	}
}
