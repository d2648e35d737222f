// The worker: what each process of a test does. It gets a task on its standard input, says "ready", begins with the
// next line that it gets, tells on its standard output what it was acknowledged, and ends when its input does: so
// none outlives the process that started it.

package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

type role string

const (
	roleAsk    role = "ask"    // can the lock be had?
	roleHold   role = "hold"   // take and give back the lock, again and again
	roleKeep   role = "keep"   // take the lock and keep it
	roleCount  role = "count"  // update, again and again
	roleRead   role = "read"   // read as a program that has never heard of us
	roleCreate role = "create" // create the documents that are named
)

type task struct {
	Role   role   `json:"role"`
	File   string `json:"file"`
	Member string `json:"member,omitempty"`
	Way    Way    `json:"way"`
}

// Way is one of the ways in which a document can be written.
type Way struct {
	Mode       string           `json:"mode"` // hash, mtime or locking
	Durability store.Durability `json:"durability"`
}

func (w Way) String() string { return w.Mode + ", " + w.Durability.String() }

func (w Way) options() *store.Options {
	opts := &store.Options{Durability: w.Durability, AllowNetwork: true, Logger: slog.New(slog.DiscardHandler)}
	switch w.Mode {
	case "mtime":
		opts.Versions = store.VersionMtime
	case "locking":
		opts.Locking = true
	}
	return opts
}

// Tools are what a worker tests. Tests put in their place some that do not work.
type Tools struct {
	// Hold runs a function while it holds the document's lock.
	Hold func(ctx context.Context, doc *store.Doc, inside func()) error
	// Update replaces the content of the document by what a function makes of it.
	Update func(ctx context.Context, doc *store.Doc, change func(old []byte) ([]byte, error)) error
	// Create creates the document; store.ErrConflict if it is there.
	Create func(ctx context.Context, doc *store.Doc, data []byte) error
}

// StoreTools are those of the store.
var StoreTools = Tools{
	Hold: func(ctx context.Context, doc *store.Doc, inside func()) error {
		locking, err := doc.With(func(o *store.Options) { o.Locking = true })
		if err != nil {
			return err
		}
		// Nothing is changed, so nothing is written.
		_, err = locking.Update(ctx, func(old []byte) ([]byte, error) { inside(); return old, nil })
		return err
	},
	Update: func(ctx context.Context, doc *store.Doc, change func([]byte) ([]byte, error)) error {
		_, err := doc.Update(ctx, change)
		return err
	},
	Create: func(ctx context.Context, doc *store.Doc, data []byte) error {
		_, err := doc.Create(ctx, data)
		return err
	},
}

// worker is a process of a test, seen from inside.
type worker struct {
	task
	tools  Tools
	lines  chan string // of its input; closed at the end of it
	ended  atomic.Bool // its input has ended
	stdout io.Writer
}

// Work is what a worker process does with its life.
func Work(ctx context.Context, stdin io.Reader, stdout io.Writer, tools Tools) error {
	input := bufio.NewReader(stdin)
	first, err := input.ReadString('\n')
	if err != nil {
		return errors.New("a worker of jsonstore verify has to be given a task: run jsonstore verify DIR")
	}
	w := &worker{tools: tools, lines: make(chan string), stdout: stdout}
	if err := json.Unmarshal([]byte(first), &w.task); err != nil {
		return fmt.Errorf("the task of a worker of jsonstore verify: %w", err)
	}
	go func() {
		defer close(w.lines)
		for {
			line, err := input.ReadString('\n')
			if err != nil {
				w.ended.Store(true)
				return
			}
			w.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	roles := map[role]func(context.Context) error{
		roleAsk: w.ask, roleHold: w.hold, roleKeep: w.keep, roleCount: w.count, roleRead: w.read, roleCreate: w.create,
	}
	do := roles[w.Role]
	if do == nil {
		return fmt.Errorf("the task of a worker of jsonstore verify: no role %q", w.Role)
	}
	return do(ctx)
}

// tell writes a line at once: whole or not at all, also if the process is killed.
func (w *worker) tell(text string) error {
	_, err := io.WriteString(w.stdout, text+"\n")
	return err
}

// begin says that the worker is ready, and waits until all are.
func (w *worker) begin() error {
	if err := w.tell("ready"); err != nil {
		return err
	}
	<-w.lines
	return nil
}

// open opens the document and begins.
func (w *worker) open() (*store.Doc, error) {
	doc, err := store.OpenFile(w.File, w.Way.options())
	if err != nil {
		return nil, err
	}
	if err := w.begin(); err != nil {
		doc.Close()
		return nil, err
	}
	return doc, nil
}

func (w *worker) ask(context.Context) error {
	file, err := fsys.New().Open(w.File, fsys.OpenLock, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	free, err := file.TryLock()
	if err != nil {
		return err
	}
	return w.tell(strconv.FormatBool(free))
}

func (w *worker) hold(ctx context.Context) error {
	doc, err := w.open()
	if err != nil {
		return err
	}
	defer doc.Close()
	var out []byte // told in one go now and then, since the lock is what is to be waited for
	// However short the time, the lock goes round: each process has it some times.
	for n := 0; n < 10 || !w.ended.Load(); n++ {
		var from, to int64
		err := w.tools.Hold(ctx, doc, func() {
			from = sharedClock()
			// Some work inside, so that two who are there at once meet.
			for to = from; to < from+2000; {
				to = sharedClock()
			}
		})
		if err != nil {
			return err
		}
		out = fmt.Appendf(out, "%d %d\n", from, to)
		if len(out) > 4000 {
			if _, err := w.stdout.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	_, err = w.stdout.Write(out)
	return err
}

func (w *worker) keep(ctx context.Context) error {
	doc, err := w.open()
	if err != nil {
		return err
	}
	defer doc.Close()
	var told error
	err = w.tools.Hold(ctx, doc, func() {
		told = w.tell("held")
		for range w.lines { // until the end of the input, or a violent one
		}
	})
	return errors.Join(err, told)
}

func (w *worker) count(ctx context.Context) error {
	doc, err := w.open()
	if err != nil {
		return err
	}
	defer doc.Close()
	for n := 0; n == 0 || !w.ended.Load(); n++ {
		var value int
		err := w.tools.Update(ctx, doc, func(old []byte) (changed []byte, err error) {
			changed, value, err = increment(old, w.Member)
			return changed, err
		})
		if err != nil {
			return err
		}
		if err := w.tell(strconv.Itoa(value)); err != nil {
			return err
		}
	}
	return nil
}

// watched is what a reader tells at its end.
type watched struct {
	Watch
	Fault string `json:"fault"`
}

func (w *worker) read(context.Context) error {
	if err := w.begin(); err != nil {
		return err
	}
	var seen watched
	for last := false; !last && seen.Fault == ""; {
		last = w.ended.Load() // one more look at what is there at the end
		// The one place that opens a file past the store: here it plays a program that knows nothing of it.
		data, err := os.ReadFile(w.File)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := seen.See(data); err != nil {
			seen.Fault = err.Error()
		}
	}
	result, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	return w.tell(string(result))
}

func (w *worker) create(ctx context.Context) error {
	if err := w.tell("ready"); err != nil {
		return err
	}
	for file := range w.lines {
		doc, err := store.OpenFile(file, w.Way.options())
		if err != nil {
			return err
		}
		err = w.tools.Create(ctx, doc, strconv.AppendQuote(nil, w.Member))
		doc.Close()
		switch {
		case err == nil:
			err = w.tell("created")
		case errors.Is(err, store.ErrConflict):
			err = w.tell("conflict")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
