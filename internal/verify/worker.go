// The worker: the program of the processes of a test. A worker reads its task from standard
// input, prints "ready", begins at the next line of its input, and prints what was acknowledged
// to it. It ends when its input ends, so that no worker outlives the process that started it.

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
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

type role string

const (
	roleAsk      role = "ask"      // report whether the lock is free
	roleHold     role = "hold"     // take and release the lock, again and again
	roleKeep     role = "keep"     // take the lock and keep it
	roleCount    role = "count"    // update, again and again
	roleRead     role = "read"     // read like a program that knows nothing of the store
	roleCreate   role = "create"   // create the documents that the input names
	roleTransfer role = "transfer" // move units between the documents of a directory
)

type task struct {
	Role   role   `json:"role"`
	File   string `json:"file"`
	Member string `json:"member,omitempty"`
	Way    Way    `json:"way"`
}

// Way is a way to write a document.
type Way struct {
	Mode       string           `json:"mode"` // hash, mtime or locking
	Durability store.Durability `json:"durability"`
}

func (w Way) String() string { return w.Mode + ", " + w.Durability.String() }

func (w Way) options() *store.Options {
	opts := &store.Options{
		Durability: w.Durability, AllowNetwork: true, Logger: slog.New(slog.DiscardHandler),
	}
	switch w.Mode {
	case "mtime":
		opts.Versions = store.VersionMtime
	case "locking":
		opts.Locking = true
	}
	return opts
}

// Tools are the operations that a worker tests. Tests replace them by broken ones.
type Tools struct {
	// Hold runs a function while it holds the document's lock.
	Hold func(ctx context.Context, doc *store.Doc, inside func()) error
	// Update replaces the content of the document by the result of a function.
	Update func(ctx context.Context, doc *store.Doc, change func(old []byte) ([]byte, error)) error
	// Create creates the document. It is store.ErrConflict if the document exists.
	Create func(ctx context.Context, doc *store.Doc, data []byte) error
	// Transfer moves a unit from one document to another.
	Transfer func(ctx context.Context, from, to *store.Doc) error
}

// StoreTools are the operations of the store.
var StoreTools = Tools{
	Hold: func(ctx context.Context, doc *store.Doc, inside func()) error {
		locking, err := doc.With(func(o *store.Options) { o.Locking = true })
		if err != nil {
			return err
		}
		// The function changes nothing, so the store writes nothing.
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
	Transfer: transfer,
}

// worker is the state of a worker process.
type worker struct {
	task
	tools  Tools
	lines  chan string // the lines of its input; closed at its end
	ended  atomic.Bool // its input has ended
	stdout io.Writer
}

// Work is the main function of a worker process.
func Work(ctx context.Context, stdin io.Reader, stdout io.Writer, tools Tools) error {
	input := bufio.NewReader(stdin)
	first, err := input.ReadString('\n')
	if err != nil {
		return errors.New("this command is a worker of jsonstore verify and needs a task: " +
			"run jsonstore verify DIR")
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
		roleAsk: w.ask, roleHold: w.hold, roleKeep: w.keep,
		roleCount: w.count, roleRead: w.read, roleCreate: w.create,
		roleTransfer: w.transfer,
	}
	do := roles[w.Role]
	if do == nil {
		return fmt.Errorf("the task of a worker of jsonstore verify: no role %q", w.Role)
	}
	return do(ctx)
}

// tell writes a line by one system call: a kill leaves a whole line or none.
func (w *worker) tell(text string) error {
	_, err := io.WriteString(w.stdout, text+"\n")
	return err
}

// begin reports that the worker is ready, and waits for all others.
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
	var out []byte // written rarely, so that the worker mostly waits for the lock
	// However short the time is, each process holds the lock several times.
	for n := 0; n < 10 || !w.ended.Load(); n++ {
		var from, to int64
		err := w.tools.Hold(ctx, doc, func() {
			from = sharedClock()
			// Some work, so that two processes that hold the lock at once overlap.
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
		for range w.lines { // until the input ends or the process is killed
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

// watched is the report of a reader at its end.
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
		last = w.ended.Load() // read once more after the end
		data, err := readPlainly(w.File)
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

// readPlainly reads a document without the store, like a program that does not know the
// store; but on Windows one that lets others rename what it has open.
func readPlainly(path string) ([]byte, error) {
	file, err := fsys.New().Open(path, fsys.OpenExisting, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
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
