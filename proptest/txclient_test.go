// A client of a history of transactions: it does random operations and records them.

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
	"slices"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// txPart is the task of a process of a history of transactions.
type txPart struct {
	Dir     string
	Single  bool // open the documents one by one, not their directory
	Clients []int
	Steps   int
	Seed    uint64
	Few     bool
	InParts bool // make each change of a transaction by itself, which is wrong
	Options store.Options
}

// txClient is a client whose operations are recorded. One goroutine uses it.
type txClient struct {
	*txPart
	id     int
	random *rand.Rand
	tell   func(txRecord)
	db     *store.DB // nil if the documents were opened one by one
	docs   map[string]*store.Doc
	number int
	made   int
	known  map[string]knowledge
}

// takePartInTransactions is the job. It prints each record.
func takePartInTransactions(encoded []byte) error {
	var p txPart
	if err := json.Unmarshal(encoded, &p); err != nil {
		return err
	}
	db, docs, closeAll, err := p.open()
	if err != nil {
		return err
	}
	defer closeAll()
	if err := awaitStart(); err != nil {
		return err
	}
	var writing sync.Mutex
	return p.run(db, docs, func(r txRecord) {
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

func (p *txPart) open() (db *store.DB, docs map[string]*store.Doc, closeAll func(), err error) {
	p.Options.Logger = slog.New(slog.DiscardHandler)
	docs = map[string]*store.Doc{}
	if !p.Single {
		if db, err = store.Open(p.Dir, &p.Options); err != nil {
			return nil, nil, nil, err
		}
		for _, name := range txDocs {
			docs[name] = db.Doc(name)
		}
		return db, docs, func() { db.Close() }, nil
	}
	closeAll = func() {
		for _, doc := range docs {
			doc.Close()
		}
	}
	for _, name := range txDocs {
		file := filepath.Join(p.Dir, filepath.FromSlash(name)+".json")
		if docs[name], err = store.OpenFile(file, &p.Options); err != nil {
			delete(docs, name)
			closeAll()
			return nil, nil, nil, err
		}
	}
	return nil, docs, closeAll, nil
}

// run has all clients of the part do their steps at once.
func (p *txPart) run(
	db *store.DB, docs map[string]*store.Doc, tell func(txRecord),
) error {
	errs := make([]error, len(p.Clients))
	var all sync.WaitGroup
	for i, id := range p.Clients {
		all.Go(func() {
			c := &txClient{txPart: p, id: id, random: rand.New(rand.NewPCG(p.Seed, uint64(id))),
				tell: tell, db: db, docs: docs, known: map[string]knowledge{}}
			for range p.Steps {
				if errs[i] = c.do(); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// begin records an operation before its call. If the process is killed, that is the only record.
func (c *txClient) begin(r txRecord) txRecord {
	c.number++
	r.Client, r.Number, r.Outcome, r.Call = c.id, c.number, pending, now()
	c.tell(r)
	return r
}

// end records the result of an operation. It returns an error that was not expected.
func (c *txClient) end(r txRecord, err error) error {
	r.Return = now()
	switch {
	case err == nil:
		r.Outcome = done
	case endedEarly(err):
		r.Outcome = nothing
	default:
		return fmt.Errorf("%s: %w", r.What, err)
	}
	c.tell(r)
	return nil
}

// gotVersion notes the token for a content that a client was given.
func (r *txRecord) gotVersion(doc string, version store.Version, content string) {
	if r.Versions == nil {
		r.Versions, r.Stand = map[string]string{}, contents{}
	}
	r.Versions[doc], r.Stand[doc] = version.String(), content
}

func (c *txClient) content() string {
	if c.Few {
		return fmt.Sprintf(`{"n":%d}`, c.random.IntN(3))
	}
	c.made++
	return fmt.Sprintf(`{"c":%d,"n":%d}`, c.id, c.made)
}

// do does one random operation.
func (c *txClient) do() error {
	ctx := context.Background()
	if c.random.IntN(12) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.random.IntN(800))*time.Microsecond)
		defer cancel()
	}
	name := txDocs[c.random.IntN(len(txDocs))]
	switch n := c.random.IntN(100); {
	case n < 10:
		return c.read(ctx, name)
	case n < 18:
		return c.swap(ctx, name)
	case n < 26:
		return c.update(ctx, name)
	case n < 30:
		r := c.begin(txRecord{What: "delete", Writes: contents{name: ""}, Exists: name})
		err := c.docs[name].Delete(ctx)
		if errors.Is(err, store.ErrNotExist) {
			r.Writes, r.Exists, r.Reads, err = nil, "", contents{name: ""}, nil
		}
		return c.end(r, c.gaveUp(err))
	case n < 50:
		return c.view(ctx)
	}
	return c.transact(ctx)
}

func (c *txClient) read(ctx context.Context, name string) error {
	r := c.begin(txRecord{What: "read"})
	data, version, err := c.docs[name].Read(ctx)
	if errors.Is(err, store.ErrNotExist) {
		err = nil
	}
	if err == nil {
		r.Reads = contents{name: string(data)}
		r.gotVersion(name, version, string(data))
		c.known[name] = knowledge{version, string(data)}
	}
	return c.end(r, err)
}

// swap from the last state that was seen, which others may have replaced meanwhile.
func (c *txClient) swap(ctx context.Context, name string) error {
	old, content := c.known[name], c.content()
	r := c.begin(txRecord{What: "swap", Reads: contents{name: old.content},
		Writes: contents{name: content}})
	version, err := c.docs[name].CompareAndSwap(ctx, old.version, []byte(content))
	switch {
	case errors.Is(err, store.ErrConflict):
		r.Unlike = r.Reads // the conflict must be a true one
		r.Reads, r.Writes, err = nil, nil, nil
		delete(c.known, name)
	case err == nil:
		r.gotVersion(name, version, content)
		c.known[name] = knowledge{version, content}
	}
	return c.end(r, err)
}

func (c *txClient) update(ctx context.Context, name string) error {
	r := c.begin(txRecord{What: "update"})
	content := c.content()
	version, err := c.docs[name].Update(ctx, func(old []byte) ([]byte, error) {
		r.Reads, r.Writes = contents{name: string(old)}, contents{name: content}
		c.tell(r)
		return []byte(content), nil
	})
	if err == nil {
		r.gotVersion(name, version, content)
	}
	return c.end(r, c.gaveUp(err))
}

// gaveUp takes a conflict of an operation that tries again for one that the context ended: both
// promise that nothing was applied.
func (c *txClient) gaveUp(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return context.DeadlineExceeded
	}
	return err
}

// view reads some documents, or all that a listing names.
func (c *txClient) view(ctx context.Context) error {
	chosen := c.choose(1)
	r := c.begin(txRecord{What: "view"})
	read := func(tx *store.Tx, names []string) error {
		r.Reads, r.Versions, r.Stand = contents{}, nil, nil
		for _, name := range names {
			data, version, err := tx.Read(c.docs[name])
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				return err
			}
			r.Reads[name] = string(data)
			r.gotVersion(name, version, string(data))
		}
		return nil
	}
	var err error
	if c.db != nil && c.random.IntN(2) == 0 {
		r.What = "view of all keys"
		err = c.db.View(ctx, func(tx *store.Tx) error {
			keys, err := tx.Keys("")
			if err != nil {
				return err
			}
			err = read(tx, keys)
			for _, name := range txDocs {
				if !slices.Contains(keys, name) {
					r.Reads[name] = ""
				}
			}
			return err
		})
	} else {
		err = store.View(ctx, func(tx *store.Tx) error { return read(tx, chosen) })
	}
	return c.end(r, c.gaveUp(err))
}

// choose returns at least some of the documents, in any order.
func (c *txClient) choose(least int) (names []string) {
	for _, i := range c.random.Perm(len(txDocs))[:least+c.random.IntN(len(txDocs)-least+1)] {
		names = append(names, txDocs[i])
	}
	return names
}

// The ways in which a transaction uses a document.
const (
	reads = iota
	reads2
	rewrites // reads it, and writes what it may have been
	rewrites2
	overwrites // writes it unread
	toggles    // deletes what is there, creates what is not
	ways
)

var errTxDeclined = errors.New("declined")

// transact makes a transaction. Each run of its function is recorded when it is over: if it runs
// again, the run before has changed nothing.
func (c *txClient) transact(ctx context.Context) error {
	chosen, declines := c.choose(2), c.random.IntN(10) == 0
	if c.random.IntN(6) == 0 {
		chosen = c.choose(1)
	}
	var how []int
	var writes []string
	for range chosen {
		how, writes = append(how, c.random.IntN(ways)), append(writes, c.content())
	}
	r := c.begin(txRecord{What: "transaction"})
	var last *store.Tx
	err := c.inTransaction(ctx, func(tx *store.Tx) error {
		last = tx
		if len(r.Writes) > 0 {
			r.Outcome = nothing
			c.tell(r)
		}
		r.Reads, r.Writes = contents{}, contents{}
		for i, name := range chosen {
			if err := c.use(tx, &r, name, how[i], writes[i]); err != nil {
				return err
			}
		}
		if declines {
			r.Writes = contents{}
			return errTxDeclined
		}
		r.Outcome = pending
		c.tell(r)
		return nil
	})
	if declines && errors.Is(err, errTxDeclined) {
		// What it saw was so at one time, but nothing is said of versions.
		r.What, err = "transaction that declines", nil
		return c.end(r, err)
	}
	if err == nil && !c.InParts {
		for _, name := range chosen {
			content, written := r.Writes[name]
			if !written {
				content = r.Reads[name]
			}
			r.gotVersion(name, last.Version(c.docs[name]), content)
		}
	}
	return c.end(r, c.gaveUp(err))
}

// use does with one document what the transaction is to do with it.
func (c *txClient) use(tx *store.Tx, r *txRecord, name string, how int, content string) error {
	doc := c.docs[name]
	if how == overwrites {
		r.Writes[name] = content
		return tx.Write(doc, []byte(content))
	}
	data, _, err := tx.Read(doc)
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		return err
	}
	r.Reads[name] = string(data)
	switch how {
	case reads, reads2:
		return nil
	case toggles:
		if data != nil {
			r.Writes[name] = ""
			return tx.Delete(doc)
		}
		r.Writes[name] = content
		return tx.Create(doc, []byte(content))
	}
	r.Writes[name] = content
	err = tx.Update(doc, func(old []byte) ([]byte, error) {
		if string(old) != string(data) {
			return nil, fmt.Errorf("%s is %q for an update, and was read as %q", name, old, data)
		}
		return []byte(content), nil
	})
	if again, _, readErr := tx.Read(doc); err == nil && (readErr != nil ||
		string(again) != content) {
		return fmt.Errorf("%s is %q, %v, for the transaction that has written %q", name, again,
			readErr, content)
	}
	return err
}

// inTransaction runs the function of a transaction; or, where a broken store is wanted, makes its
// changes one after the other.
func (c *txClient) inTransaction(ctx context.Context, fn func(tx *store.Tx) error) error {
	if !c.InParts {
		return store.Transact(ctx, fn)
	}
	made := map[string]string{}
	err := store.View(ctx, func(tx *store.Tx) error { return nil })
	if err != nil {
		return err
	}
	// The function may write in a transaction that is given up.
	err = store.Transact(context.Background(), func(tx *store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		clear(made)
		for name, doc := range c.docs {
			data, _, err := tx.Read(doc)
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				return err
			}
			made[name] = string(data)
		}
		return errInParts
	})
	if !errors.Is(err, errInParts) {
		return err
	}
	for name, content := range made {
		if content == "" {
			err = c.docs[name].Delete(context.Background())
		} else {
			_, err = c.docs[name].Update(context.Background(),
				func([]byte) ([]byte, error) { return []byte(content), nil })
		}
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			return err
		}
	}
	return nil
}

var errInParts = errors.New("made in parts")
