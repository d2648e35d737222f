// A world of several holders on one engine in memory, in virtual time. Each call of the
// engine waits until the scheduler lets it go on, so that every order of them can be
// tried. A holder whose call does not go on while time passes is a paused one.

package lease_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

const (
	leaseKey = "lease"
	dataKey  = "data"
	ttl      = 8 * time.Millisecond
)

// scenario is what one exploration is about.
type scenario struct {
	name    string
	planted string // the lease document at the beginning
	scripts []script
	clocks  []clock // of the holders; the last one is that of all others
	skew    time.Duration
	cancels int  // contexts that may end at any step
	ticks   int  // how often time may pass
	anyTime bool // also before a look at the lease
	// frozen is the holder whose calls do not go on at a step; nil if all do.
	frozen  func(step int) int
	foreign bool // a script breaks the rules: only tokens and fences must hold
	long    bool // not in -short
	large   bool // only with JSONSTORE_EXHAUSTIVE
	winners int  // of all scripts, exactly so many must get the lease; 0 is any
}

// script is what a holder does. It returns at the first error of the engine.
type script func(p *holder)

// clock is the error of a holder's clock.
type clock struct {
	ahead time.Duration
	rate  float64 // parts by which it runs faster
}

// holder is one process: a handle of its own, a clock of its own.
type holder struct {
	w           *world
	id          int
	ctx         context.Context
	cancel      context.CancelCauseFunc
	lease, data *store.Doc
	opts        lease.Options
	clock       clock

	mu       sync.Mutex
	grant    *lease.Lease
	work     context.Context
	got      int    // grants
	writes   int    // guarded writes that succeeded
	fenced   int    // those that were refused
	finished bool   // the script has returned
	history  []look // what it has seen
	nonces   byte
	unknown  int // so many of its next writes to the lease have an unknown outcome
}

// world is one run.
type world struct {
	scenario
	mem     *memdriver.Driver
	start   time.Time
	holders []*holder

	all      sync.WaitGroup // of all goroutines
	mu       sync.Mutex
	pending  []*call
	arrived  chan struct{}
	over     bool
	newest   uint64 // token that was granted
	nonce    string
	lastData uint64
	broken   []string
	trace    []string
}

// call is one call of the engine that waits.
type call struct {
	who *holder
	op  string
	let chan struct{}
}

func (w *world) wrong(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// tell adds a line to the trace.
func (w *world) tell(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprint(time.Since(w.start), ": ", fmt.Sprintf(format, args...)))
}

// gate is the engine as one holder sees it.
type gate struct {
	who *holder
}

var errOver = fmt.Errorf("the run is over")

func (g *gate) pass(op string, do func() error) error {
	w := g.who.w
	c := &call{who: g.who, op: op, let: make(chan struct{})}
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return errOver
	}
	w.pending = append(w.pending, c)
	w.mu.Unlock()
	select {
	case w.arrived <- struct{}{}:
	default:
	}
	<-c.let
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return errOver
	}
	err := do()
	w.tell("%d %s: %v", g.who.id, op, err)
	return err
}

// look is what a holder got from a call, and, of looks that all got the same, the times of
// the first and the last one: a waiter depends on nothing else.
type look struct {
	seen        string
	first, last time.Duration
	times       int
}

func (g *gate) note(seen ...any) {
	g.who.mu.Lock()
	defer g.who.mu.Unlock()
	now := look{fmt.Sprint(seen...), time.Since(g.who.w.start), time.Since(g.who.w.start), 1}
	if n := len(g.who.history); n > 0 && g.who.history[n-1].seen == now.seen {
		now.first, now.times = g.who.history[n-1].first, g.who.history[n-1].times+1
		g.who.history = g.who.history[:n-1]
	}
	g.who.history = append(g.who.history, now)
}

func (g *gate) Read(ctx context.Context, key string) (
	data []byte, v driver.Version, err error,
) {
	err = g.pass("read "+key, func() error {
		data, v, err = g.who.w.mem.Read(ctx, key)
		g.note(string(data), v.String(), err)
		return err
	})
	return data, v, err
}

func (g *gate) Swap(ctx context.Context, key string, old driver.Version, data []byte) (
	v driver.Version, err error,
) {
	if key == leaseKey && g.who.unknown > 0 {
		// It takes effect at any time, or never.
		g.who.unknown--
		g.note("unknown")
		data = bytes.Clone(data)
		g.who.w.all.Go(func() {
			_, _ = g.Swap(context.Background(), key, old, data)
		})
		return driver.Absent, driver.ErrUnknown
	}
	err = g.pass("swap "+key, func() error {
		v, err = g.who.w.mem.Swap(ctx, key, old, data)
		g.note(v.String(), err)
		if err == nil {
			g.who.w.swapped(key, data)
		}
		return err
	})
	return v, err
}

func (g *gate) Delete(ctx context.Context, key string, old driver.Version) error {
	return g.pass("delete "+key, func() error {
		err := g.who.w.mem.Delete(ctx, key, old)
		g.note(err)
		return err
	})
}

func (g *gate) List(context.Context, string) iter.Seq2[string, error] { return nil }

func (g *gate) Caps() driver.Caps { return g.who.w.mem.Caps() }
func (g *gate) Close() error      { return nil }

// swapped looks at what was published: tokens grow strictly, and no data of an older token
// follows those of a newer one.
func (w *world) swapped(key string, data []byte) {
	if key == dataKey {
		var d struct{ By uint64 }
		if err := json.Unmarshal(data, &d); err != nil {
			w.wrong("data: %v", err)
		}
		if d.By < w.lastData {
			w.wrong("a write with token %d follows one with token %d", d.By, w.lastData)
		}
		w.lastData = d.By
		return
	}
	var r lease.Record
	if err := json.Unmarshal(data, &r); err != nil {
		return // a foreign one
	}
	if r.Nonce != "" && r.Nonce != w.nonce && strings.HasPrefix(r.Nonce, ours) {
		if r.Token <= w.newest {
			w.wrong("token %d was granted after %d", r.Token, w.newest)
		}
		w.newest = r.Token
	}
	w.nonce = r.Nonce
}

// ours begins all nonces of the holders here.
const ours = "a0a0"

// Read makes nonces: different ones, but the same in each run.
func (p *holder) Read(b []byte) (int, error) {
	clear(b)
	p.nonces++
	copy(b, []byte{0xa0, 0xa0, byte(p.id), p.nonces})
	return len(b), nil
}

func (p *holder) now() time.Time {
	now := time.Now()
	return now.Add(p.clock.ahead + time.Duration(p.clock.rate*float64(now.Sub(p.w.start))))
}

func (s scenario) world() *world {
	w := &world{
		scenario: s, mem: memdriver.New(), start: time.Now(),
		arrived: make(chan struct{}, 1),
	}
	if s.planted != "" {
		_, err := w.mem.Swap(context.Background(), leaseKey, driver.Absent, []byte(s.planted))
		if err != nil {
			panic(err)
		}
	}
	for i := range s.scripts {
		p := &holder{w: w, id: i}
		if len(s.clocks) > 0 {
			p.clock = s.clocks[min(i, len(s.clocks)-1)]
		}
		p.ctx, p.cancel = context.WithCancelCause(context.Background())
		db, err := store.New(&gate{p}, &store.Options{
			Logger: slog.New(slog.DiscardHandler),
			Retry:  store.Retry{MinBackoff: 1, MaxBackoff: 1}, // no pauses of random length
		})
		if err != nil {
			panic(err)
		}
		p.lease, p.data = db.Doc(leaseKey), db.Doc(dataKey)
		p.opts = lease.Options{
			TTL: ttl, MaxSkew: s.skew, MaxPoll: ttl, Owner: fmt.Sprint("holder ", i), PID: i,
			Now: p.now, Rand: p,
		}
		if s.skew == 0 {
			p.opts.MaxSkew = time.Nanosecond
		}
		w.holders = append(w.holders, p)
	}
	return w
}

// chooser picks one of n choices.
type chooser interface {
	choose(n int) int
	// seen reports whether a state was explored before, so that the run can end.
	seen(state uint64) bool
}

// run does one run, in a bubble of its own, and returns what went wrong.
func (s scenario) run(t *testing.T, c chooser) *world {
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = s.world()
		for i, p := range w.holders {
			w.all.Go(func() {
				s.scripts[i](p)
				p.mu.Lock()
				p.finished = true
				p.mu.Unlock()
			})
		}
		whole := w.explore(c)
		w.mu.Lock()
		w.over = true
		for _, c := range w.pending {
			close(c.let)
		}
		w.pending = nil
		w.mu.Unlock()
		for _, p := range w.holders {
			p.cancel(nil)
		}
		w.all.Wait()
		if whole && len(w.broken) == 0 {
			w.checkEnd()
		}
	})
	return w
}

const maxSteps = 400

// explore lets the calls go on one by one, until all scripts have returned. It reports
// false if the state was explored before, or time is up.
func (w *world) explore(c chooser) (whole bool) {
	ticks, cancels := 0, 0
	cancelled := make([]bool, len(w.holders))
	for step := range maxSteps {
		synctest.Wait()
		w.checkNow()
		if len(w.broken) > 0 {
			return false
		}
		w.mu.Lock()
		slices.SortStableFunc(w.pending, func(a, b *call) int {
			return strings.Compare(fmt.Sprint(a.who.id, a.op), fmt.Sprint(b.who.id, b.op))
		})
		pending := slices.Clone(w.pending)
		w.mu.Unlock()
		unfinished := 0
		var alive []*holder
		for i, p := range w.holders {
			p.mu.Lock()
			if !p.finished {
				unfinished++
				if !cancelled[i] && cancels < w.cancels {
					alive = append(alive, p)
				}
			}
			p.mu.Unlock()
		}
		if unfinished == 0 && len(pending) == 0 {
			return true
		}
		if c.seen(w.state(pending, ticks, cancels)) {
			return false
		}
		if w.frozen != nil && ticks < w.ticks {
			pending = slices.DeleteFunc(pending, func(c *call) bool {
				return c.who.id == w.frozen(step)
			})
		}
		choices := len(pending) + len(alive)
		// A look of a waiter that is late is as good as a later look: unless all is to be
		// tried, time passes only while nobody is about to read the lease.
		tick := ticks < w.ticks && (w.anyTime || !slices.ContainsFunc(pending,
			func(c *call) bool { return c.op == "read "+leaseKey }))
		if tick {
			choices++
		}
		if choices == 0 {
			return false
		}
		switch n := c.choose(choices); {
		case n < len(pending):
			w.let(pending[n])
		case n < len(pending)+len(alive):
			p := alive[n-len(pending)]
			w.tell("%d's context ends", p.id)
			p.cancel(nil)
			cancelled[p.id] = true
			cancels++
		default:
			ticks++
			w.tick()
		}
	}
	w.wrong("no end after %d steps", maxSteps)
	return false
}

// let lets a call go on.
func (w *world) let(c *call) {
	w.mu.Lock()
	w.pending = slices.DeleteFunc(w.pending, func(other *call) bool { return other == c })
	w.mu.Unlock()
	close(c.let)
}

// tick lets time pass until a holder calls the engine, or one TTL is over.
func (w *world) tick() {
	select {
	case <-w.arrived:
	default:
	}
	select {
	case <-w.arrived:
	case <-time.After(ttl):
	}
}

// state is a hash of all that the future depends on.
func (w *world) state(pending []*call, ticks, cancels int) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	fmt.Fprint(&h, time.Since(w.start), ticks, cancels)
	for _, key := range []string{leaseKey, dataKey} {
		data, _, _ := w.mem.Read(context.Background(), key)
		_ = binary.Write(&h, binary.BigEndian, uint64(len(data)))
		h.Write(data)
	}
	for _, p := range w.holders {
		p.mu.Lock()
		fmt.Fprint(&h, p.finished, p.ctx.Err(), p.got, len(p.history), p.history)
		p.mu.Unlock()
	}
	for _, c := range pending {
		fmt.Fprint(&h, c.who.id, c.op)
	}
	return h.Sum64()
}

var seed = maphash.MakeSeed()

// checkNow: at most one grant is valid, and one work may go on.
func (w *world) checkNow() {
	var valid, working []int
	for _, p := range w.holders {
		p.mu.Lock()
		if p.grant != nil && p.grant.Valid() == nil {
			valid = append(valid, p.id)
		}
		if p.work != nil && p.work.Err() == nil {
			working = append(working, p.id)
			if p.grant.Valid() != nil && p.clock.rate == 0 {
				w.wrong("the work of %d goes on, and its grant is not valid", p.id)
			}
		}
		p.mu.Unlock()
	}
	if !w.foreign && len(valid) > 1 {
		w.wrong("several valid owners: %v", valid)
	}
	if !w.foreign && len(working) > 1 {
		w.wrong("several at work: %v", working)
	}
}

// checkEnd: the lease can be had again.
func (w *world) checkEnd() {
	got := 0
	for _, p := range w.holders {
		got += p.got
	}
	if w.winners > 0 && got != w.winners {
		w.wrong("%d got the lease, want %d", got, w.winners)
	}
	db, err := store.New(w.mem, &store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.wrong("%v", err)
		return
	}
	defer db.Close()
	if r, err := lease.Status(context.Background(), db.Doc(leaseKey)); err == nil {
		if r.TTL() > ttl {
			return // planted
		}
	} else if (w.foreign || w.planted != "") && errors.Is(err, store.ErrInvalid) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*ttl)
	defer cancel()
	l, err := lease.Acquire(ctx, db.Doc(leaseKey), &lease.Options{TTL: ttl, MaxPoll: ttl / 8})
	if err != nil {
		w.wrong("in the end: %v", err)
	} else if l.Token() <= w.newest {
		w.wrong("in the end, token %d after %d", l.Token(), w.newest)
	}
}
