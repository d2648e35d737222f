// Goroutines of one handle in a simulated process, beside other processes: what they do,
// and what is written down of it.

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// deed is what one call does to the document.
type deed string

const (
	appends deed = "append" // its name, to an array of names
	adds    deed = "add"    // 1, to a number
	takes   deed = "take"   // 1, from a number
	keeps   deed = "keep"
	refuses deed = "refuse"
	panics  deed = "panic"
	deletes deed = "delete" // by Doc.Delete
)

var (
	errRefused  = errors.New("refused")
	errPanicked = errors.New("panicked")
)

// done is what the document becomes.
func (d deed) done(name string, old []byte) ([]byte, error) {
	switch d {
	case appends:
		return appendName(name)(old)
	case adds, takes:
		n := 0
		if old != nil {
			if err := json.Unmarshal(old, &n); err != nil {
				return nil, err
			}
		}
		if d == adds {
			return []byte(strconv.Itoa(n + 1)), nil
		}
		return []byte(strconv.Itoa(n - 1)), nil
	case refuses:
		return nil, errRefused
	case panics:
		return nil, errPanicked
	case deletes:
		if old == nil {
			return nil, ErrNotExist
		}
		return nil, nil
	}
	return old, nil
}

// caller is a goroutine that does one thing.
type caller struct {
	deed
	leaves bool // its context ends at some moment
	slow   bool // others go on while its function runs
}

// crowd is the callers of one handle, and who is beside them.
type crowd struct {
	opts    Options
	callers []caller
	second  []caller // of another process's handle
	others  []deed   // each of a process with nothing else to do
	holder  bool     // a program that holds the lock for a while
	lasting bool     // namely until those who leave have left
	start   string
	deaths  int
	fine    bool // others go on before each event of the line
	flushes bool // and before each flush
	sweeps  bool
}

// callMade is a call and what came of it.
type callMade struct {
	caller
	name       string
	process    *simfs.Process
	try        *try // in which its function has run last
	begun, end int  // moments; 0 if it did not
	err        error
	version    Version
	ran        bool
	saw, made  []byte // in its last run
	returned   []byte // the same bytes as made as long as nobody has changed them
}

// runMade is a run of a function.
type runMade struct {
	by        *callMade
	saw, made []byte
}

// crowdRun is what happens to a crowd in one order.
type crowdRun struct {
	crowd
	w         *simfs.World
	moment    int
	calls     []*callMade
	runs      map[string][]runMade // by the name of the process, since it has published
	processes []*simfs.Process
	found     error
}

// notes notes the first thing that is wrong.
func (r *crowdRun) notes(format string, args ...any) {
	if r.found == nil {
		r.found = fmt.Errorf(format, args...)
	}
}

func (s crowd) quiet(op, name string) bool {
	switch {
	case strings.HasPrefix(op, "sync"):
		return !s.flushes
	case op == "readdir" || strings.HasSuffix(name, ".tmp"):
		return !s.sweeps || op == "lstat"
	}
	if name == names.Intent(simulated) {
		return true // there are no guards
	}
	return name == simulatedLock && op != "unlock" && op != "close"
}

func (s crowd) setup(w *simfs.World) (check func() error) {
	r := &crowdRun{crowd: s, w: w, runs: map[string][]runMade{}}
	w.Quiet = s.quiet
	w.Put(simulatedLock, "")
	if s.start != "" {
		w.Put(simulated, s.start)
	}
	w.OnPublish = func(by *simfs.Process, _ string, old, new []byte) error {
		return r.published(by, old, new)
	}
	r.handle("p", s.callers)
	if s.second != nil {
		r.handle("q", s.second)
	}
	for i, d := range s.others {
		c := r.toMake(fmt.Sprint("other", i), caller{deed: d})
		r.opened(c.name, func(p *simfs.Process, doc *Doc) {
			r.make(context.Background(), c, p, doc)
		})
	}
	if s.holder {
		w.Go("holder", func(files fsys.FS) error {
			file, err := files.Open(simulatedLock, fsys.OpenLock, 0o600)
			if err == nil {
				err = file.Lock(0)
			}
			if err == nil {
				over := func() bool { return !s.lasting || !r.someLeave() }
				files.(*simfs.Process).Block("hold the lock", over)
				err = file.Close()
			}
			return err
		})
	}
	return r.check
}

// someLeave reports whether those who leave are not all gone.
func (r *crowdRun) someLeave() bool {
	return slices.ContainsFunc(r.calls, func(c *callMade) bool { return c.leaves && c.end == 0 })
}

// opened runs do on a document in a new process.
func (r *crowdRun) opened(name string, do func(p *simfs.Process, doc *Doc)) {
	p := r.w.Go(name, func(files fsys.FS) error {
		doc, err := openSimulated(files, r.opts)
		if err != nil {
			return err
		}
		if !r.sweeps {
			withoutSweep(doc)
		}
		do(files.(*simfs.Process), doc)
		return doc.Close()
	})
	r.processes = append(r.processes, p)
}

// toMake is a call that will be made. Its place among others is the same in each order.
func (r *crowdRun) toMake(name string, what caller) *callMade {
	c := &callMade{caller: what, name: name}
	r.calls = append(r.calls, c)
	return c
}

// handle is a process with callers that are goroutines.
func (r *crowdRun) handle(name string, callers []caller) {
	var calls []*callMade
	for i, c := range callers {
		calls = append(calls, r.toMake(name+strconv.Itoa(i), c))
	}
	r.opened(name, func(p *simfs.Process, doc *Doc) {
		simulateThreads(p, doc, r.fine)
		left := len(calls)
		for _, c := range calls {
			ctx := context.Background()
			if c.leaves {
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(ctx)
				p.SpawnApart("cancels "+c.name, cancel)
			}
			p.Spawn(c.name, func() {
				r.make(ctx, c, p, doc)
				left--
			})
		}
		p.Block("wait for all", func() bool { return left == 0 })
	})
}

// simulateThreads makes threads of what the shell around the line starts.
func simulateThreads(p *simfs.Process, doc *Doc, fine bool) {
	stop := func() {}
	block := func(ready ...func() bool) int { return p.Block("wait", ready...) }
	doc.drv.files.shared.locks.table.Block = block
	doc.db.lines.longest = time.Hour // time goes by in alarms only
	doc.db.lines.threads = &threads{
		spawn: func(f func()) { p.Spawn("worker", f) },
		block: block,
		pass: func() {
			if p.Sync(); fine {
				p.Block("see to the line")
			}
		},
		after: func(_ time.Duration, f func()) {
			stop()
			stop = p.Alarm("alarm", f)
		},
		stop: func() { stop() },
	}
}

// make makes a call, and writes down what came of it.
func (r *crowdRun) make(ctx context.Context, c *callMade, p *simfs.Process, doc *Doc) {
	// What has ended before is part of what is to be explained, so that states differ in
	// which it does.
	var ended uint64
	for i, other := range r.calls {
		if other.end != 0 {
			ended |= 1 << i
		}
	}
	p.Note(ended)
	c.process = p
	r.moment++
	c.begun = r.moment
	c.version, c.err = r.update(ctx, c, p, doc)
	r.moment++
	c.end = r.moment
	r.answered(c, p, doc)
}

func (r *crowdRun) update(
	ctx context.Context, c *callMade, p *simfs.Process, doc *Doc,
) (v Version, err error) {
	if c.deed == deletes {
		return Absent, doc.Delete(ctx)
	}
	defer func() {
		switch recovered := recover(); recovered {
		case nil:
		case any(errPanicked):
			err = errPanicked
		default:
			panic(recovered)
		}
	}()
	return doc.Update(ctx, func(old []byte) ([]byte, error) { return r.function(c, p, doc, old) })
}

// function is what a caller's function does.
func (r *crowdRun) function(c *callMade, p *simfs.Process, doc *Doc, old []byte) ([]byte, error) {
	c.ran, c.saw, c.try = true, bytes.Clone(old), tryOf(doc)
	made, err := c.done(c.name, old)
	switch {
	case err != nil && !errors.Is(err, errRefused) && !errors.Is(err, errPanicked):
		r.notes("%s was run on %q: %w", c.name, old, err)
	case c.slow:
		p.Block("take long in " + c.name)
		if !bytes.Equal(c.saw, old) {
			r.notes("%s was run on %q, which became %q", c.name, c.saw, old)
		}
	}
	if err == nil {
		c.made, c.returned = bytes.Clone(made), made
		r.runs[p.Name] = append(r.runs[p.Name], runMade{c, c.saw, c.made})
	}
	if c.deed != keeps {
		spoil(old) // what it got is its own
	}
	if errors.Is(err, errPanicked) {
		panic(err)
	}
	return made, err
}

func spoil(data []byte) {
	for i := range data {
		data[i] = '!'
	}
}

// tryOf is what is under way on a document.
func tryOf(doc *Doc) *try {
	l := doc.db.lines.enter(doc.key)
	defer l.leave()
	return l.try
}
