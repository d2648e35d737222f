// A client of a history: it does random things to documents and records them.

package proptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// document is what a client works on: a *store.Doc, or one that is broken on purpose.
type document interface {
	Read(ctx context.Context) ([]byte, store.Version, error)
	Create(ctx context.Context, data []byte) (store.Version, error)
	CompareAndSwap(ctx context.Context, old store.Version, data []byte) (store.Version, error)
	CompareAndDelete(ctx context.Context, old store.Version) error
	Delete(ctx context.Context) error
	Update(ctx context.Context, fn func(old []byte) ([]byte, error)) (store.Version, error)
}

// client is one of those whose operations are recorded; it is for one goroutine.
type client struct {
	id     int
	random *rand.Rand
	few    bool // contents come again: only for versions that stand for contents
	tell   func(record)
	number int
	made   int
	known  map[string]knowledge
}

// knowledge is what the client last saw of a document.
type knowledge struct {
	version store.Version
	content string
}

func newClient(id int, seed uint64, few bool, tell func(record)) *client {
	random := rand.New(rand.NewPCG(seed, uint64(id)))
	return &client{id: id, random: random, few: few, tell: tell, known: map[string]knowledge{}}
}

func now() int64 {
	t, _ := sharedClock()
	return t
}

// begin tells of an operation before it is called: if it is cut short, that is all that is known.
func (c *client) begin(r record) record {
	c.number++
	r.Client, r.Number, r.Outcome = c.id, c.number, pending
	if r.Call == 0 {
		r.Call = now()
	}
	c.tell(r)
	return r
}

// end tells how an operation went. Its own error is for one that nobody expected.
func (c *client) end(r record, version store.Version, err error) error {
	if r.Return == 0 {
		r.Return = now()
	}
	var lost *store.ConflictError
	switch {
	case err == nil:
		r.Outcome = done
		if r.Kind != deleteKind {
			r.Version = version.String()
		}
	case errors.As(err, &lost):
		r.Outcome, r.Have = conflict, lost.Have.String()
		if r.Kind != swapKind {
			r.Outcome = nothing // a blind delete that gave up
		}
	case errors.Is(err, store.ErrNotExist) && r.Kind == deleteKind:
		r.Outcome = absent
	case endedEarly(err):
		r.Outcome = nothing
	default:
		return err
	}
	c.tell(r)
	return nil
}

func (c *client) content() string {
	if c.few {
		return fmt.Sprintf(`{"n":%d}`, c.random.IntN(3))
	}
	c.made++
	return fmt.Sprintf(`{"c":%d,"n":%d}`, c.id, c.made)
}

// do does one random thing.
func (c *client) do(name string, doc document) error {
	ctx := context.Background()
	if c.random.IntN(12) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.random.IntN(300))*time.Microsecond)
		defer cancel()
	}
	switch n := c.random.IntN(100); {
	case n < 25:
		return c.read(ctx, name, doc)
	case n < 50:
		return c.swap(ctx, name, doc)
	case n < 85:
		return c.update(ctx, name, doc)
	case n < 93:
		r := c.begin(record{Doc: name, Kind: swapKind, New: c.content()})
		version, err := doc.Create(ctx, []byte(r.New))
		c.learn(name, version, r.New, err)
		return c.end(r, version, err)
	case n < 96:
		r := c.begin(record{Doc: name, Kind: deleteKind})
		err := doc.Delete(ctx)
		c.learn(name, store.Absent, "", err)
		return c.end(r, store.Absent, err)
	}
	old := c.known[name]
	if old.version.IsAbsent() {
		return c.read(ctx, name, doc)
	}
	r := c.begin(record{Doc: name, Kind: swapKind, Expected: old.content})
	err := doc.CompareAndDelete(ctx, old.version)
	c.learn(name, store.Absent, "", err)
	return c.end(r, store.Absent, err)
}

func (c *client) learn(name string, version store.Version, content string, err error) {
	if err == nil {
		c.known[name] = knowledge{version, content}
	}
}

func (c *client) read(ctx context.Context, name string, doc document) error {
	r := c.begin(record{Doc: name, Kind: readKind})
	data, version, err := doc.Read(ctx)
	if errors.Is(err, store.ErrNotExist) {
		err = nil // and the content is the empty text
	}
	r.Found = string(data)
	c.learn(name, version, r.Found, err)
	return c.end(r, version, err)
}

// swap from what was last seen, which others may have replaced meanwhile.
func (c *client) swap(ctx context.Context, name string, doc document) error {
	old := c.known[name]
	r := c.begin(record{Doc: name, Kind: swapKind, Expected: old.content, New: c.content()})
	version, err := doc.CompareAndSwap(ctx, old.version, []byte(r.New))
	c.learn(name, version, r.New, err)
	if errors.Is(err, store.ErrConflict) {
		// Whoever lost looks before the next try.
		if err := c.end(r, version, err); err != nil {
			return err
		}
		return c.read(ctx, name, doc)
	}
	return c.end(r, version, err)
}

// update tells of its outcome. What a run of the function was given that is not the last one may never have been published: another
// update of the same process has made it, and they are published together or not at all.
func (c *client) update(ctx context.Context, name string, doc document) error {
	keep := c.random.IntN(8) == 0
	content := c.content()
	var last record // the latest swap, or, where nothing is to be written, the read
	from := now()
	version, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
		if last.Kind == swapKind {
			// It is run again, so that swap has not happened.
			last.Outcome, last.Return = nothing, now()
			c.tell(last)
		}
		if keep || string(old) == content {
			c.number++
			last = record{Client: c.id, Number: c.number, Doc: name, Kind: readKind, Call: from, Found: string(old)}
			return old, nil
		}
		// From the beginning: together with other updates it may come to no change, of what was read before the function ran.
		last = c.begin(record{Doc: name, Kind: swapKind, Call: from, Expected: string(old), New: content})
		return []byte(content), nil
	})
	switch {
	case last.Kind == swapKind && errors.Is(err, store.ErrConflict):
		// It gave up. What it has met is not told: that was where the updates began that it was done together with.
		last.Outcome, last.Return = nothing, now()
		c.tell(last)
		return nil
	case last.Kind == swapKind:
		c.learn(name, version, last.New, err)
		return c.end(last, version, err)
	case endedEarly(err) || errors.Is(err, store.ErrConflict):
		return nil // nothing was to be written, but perhaps what it was to be seen after; or the function has not run
	case last.Kind == readKind && err == nil:
		c.learn(name, version, last.Found, nil)
		return c.end(last, version, nil)
	}
	return fmt.Errorf("update, %v: %w", last, err)
}

// endedEarly: by the context or by the limit of the wait for the lock.
func endedEarly(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrLocked)
}

// part is what one process of a history does.
type part struct {
	Dir     string
	Docs    []string
	Single  bool // open the documents one by one, not their directory
	Clients []int
	Steps   int
	Seed    uint64
	Few     bool
	Blind   bool // write without looking: see blindWriter
	Options store.Options
}

// takePart is the job: it tells each record on its standard output.
func takePart(encoded []byte) error {
	var p part
	if err := json.Unmarshal(encoded, &p); err != nil {
		return err
	}
	docs, closeAll, err := p.open()
	if err != nil {
		return err
	}
	defer closeAll()
	if err := awaitStart(); err != nil {
		return err
	}
	var writing sync.Mutex
	return p.run(docs, func(r record) {
		line, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		writing.Lock()
		defer writing.Unlock()
		// One write: a line is told whole or not at all.
		if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
			panic(err)
		}
	})
}

func (p *part) open() (docs map[string]document, closeAll func(), err error) {
	p.Options.Logger = slog.New(slog.DiscardHandler)
	docs = map[string]document{}
	if !p.Single {
		db, err := store.Open(p.Dir, &p.Options)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range p.Docs {
			docs[name] = db.Doc(name)
		}
		return docs, func() { db.Close() }, nil
	}
	var all []*store.Doc
	closeAll = func() {
		for _, doc := range all {
			doc.Close()
		}
	}
	for _, name := range p.Docs {
		doc, err := store.OpenFile(filepath.Join(p.Dir, name+".json"), &p.Options)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		all = append(all, doc)
		docs[name] = doc
		if p.Blind {
			docs[name] = &blindWriter{document: doc, file: filepath.Join(p.Dir, name+".json")}
		}
	}
	return docs, closeAll, nil
}

// run lets each client of the part do its steps, all at once.
func (p *part) run(docs map[string]document, tell func(record)) error {
	errs := make([]error, len(p.Clients))
	var all sync.WaitGroup
	for i, id := range p.Clients {
		all.Go(func() {
			c := newClient(id, p.Seed, p.Few, tell)
			for range p.Steps {
				name := p.Docs[c.random.IntN(len(p.Docs))]
				if errs[i] = c.do(name, docs[name]); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
