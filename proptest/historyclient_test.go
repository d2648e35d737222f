// A client of a history: it does random operations on documents and records them.

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

// document is the document of a client: a *store.Doc, or a broken one.
type document interface {
	Read(ctx context.Context) ([]byte, store.Version, error)
	Create(ctx context.Context, data []byte) (store.Version, error)
	CompareAndSwap(ctx context.Context, old store.Version, data []byte) (store.Version, error)
	CompareAndDelete(ctx context.Context, old store.Version) error
	Delete(ctx context.Context) error
	Update(ctx context.Context, fn func(old []byte) ([]byte, error)) (store.Version, error)
}

// client is a client whose operations are recorded. One goroutine uses it.
type client struct {
	id     int
	random *rand.Rand
	few    bool // contents repeat: only for versions that stand for contents
	tell   func(record)
	number int
	made   int
	known  map[string]knowledge
}

// knowledge is the last state of a document that the client saw.
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

// begin records an operation before its call. If the process is killed, that is the only record.
func (c *client) begin(r record) record {
	c.number++
	r.Client, r.Number, r.Outcome = c.id, c.number, pending
	if r.Call == 0 {
		r.Call = now()
	}
	c.tell(r)
	return r
}

// end records the result of an operation. It returns an error that was not expected.
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

// do does one random operation.
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
		err = nil // an absent document has the empty content
	}
	r.Found = string(data)
	c.learn(name, version, r.Found, err)
	return c.end(r, version, err)
}

// swap from the last state that was seen, which others may have replaced meanwhile.
func (c *client) swap(ctx context.Context, name string, doc document) error {
	old := c.known[name]
	r := c.begin(record{Doc: name, Kind: swapKind, Expected: old.content, New: c.content()})
	version, err := doc.CompareAndSwap(ctx, old.version, []byte(r.New))
	c.learn(name, version, r.New, err)
	if errors.Is(err, store.ErrConflict) {
		// After a conflict, read before the next attempt.
		if err := c.end(r, version, err); err != nil {
			return err
		}
		return c.read(ctx, name, doc)
	}
	return c.end(r, version, err)
}

// update records an update. The function may have got a state that was never published, except
// in its last run: another update of the same process has made that state, and both are
// published together or not at all.
func (c *client) update(ctx context.Context, name string, doc document) error {
	keep := c.random.IntN(8) == 0
	content := c.content()
	var last record // the last swap, or the read if there is nothing to write
	from := now()
	version, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
		if last.Kind == swapKind {
			// The function runs again, so that swap was not applied.
			last.Outcome, last.Return = nothing, now()
			c.tell(last)
		}
		if keep || string(old) == content {
			c.number++
			last = record{Client: c.id, Number: c.number, Doc: name, Kind: readKind, Call: from,
				Found: string(old)}
			return old, nil
		}
		// The call is that of the update: combined with other updates it may change nothing of a
		// state that was read before the function ran.
		last = c.begin(record{Doc: name, Kind: swapKind, Call: from, Expected: string(old),
			New: content})
		return []byte(content), nil
	})
	switch {
	case last.Kind == swapKind && errors.Is(err, store.ErrConflict):
		// The update gave up. The version in its error is not recorded: it is the one from which
		// the combined updates began.
		last.Outcome, last.Return = nothing, now()
		c.tell(last)
		return nil
	case last.Kind == swapKind:
		c.learn(name, version, last.New, err)
		return c.end(last, version, err)
	case endedEarly(err) || errors.Is(err, store.ErrConflict):
		return nil // the function has not run, or there was nothing to write
	case last.Kind == readKind && err == nil:
		c.learn(name, version, last.Found, nil)
		return c.end(last, version, nil)
	}
	return fmt.Errorf("update, %v: %w", last, err)
}

// endedEarly reports whether the context or the limit of the wait for the lock has ended an
// operation.
func endedEarly(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrLocked)
}

// part is the task of a process of a history.
type part struct {
	Dir     string
	Docs    []string
	Single  bool // open the documents one by one, not their directory
	Clients []int
	Steps   int
	Seed    uint64
	Few     bool
	Blind   bool // write without a comparison: see blindWriter
	Options store.Options
}

// takePart is the job. It prints each record.
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
		// One system call writes the line, so that a kill leaves a whole line or none.
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

// run has all clients of the part do their steps at once.
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
