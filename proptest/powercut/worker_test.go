// Package powercut cuts the power of real file systems while processes write documents on them,
// mounts them again and checks that all promises were kept. It also storms them with processes
// that are killed.
//
// This file has the processes: the test binary starts itself again. The environment of a
// process has its job. It prints the number of each acknowledged update in a line.
package powercut

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

const workerVariable = "JSONSTORE_POWERCUT_WORKER"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(workerVariable); ok {
		var j job
		err := json.Unmarshal([]byte(text), &j)
		if err == nil {
			err = j.run()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// job is the work of a process until it is killed or fails.
type job struct {
	Kind   kind
	File   string
	Member string // the member of the document that the process increments
	Opts   store.Options
	Keys   []string // the documents of a process that makes transactions; of a bank, its ledger
	Single bool     // which opens each by itself
}

type kind string

const (
	counting kind = "count" // increments its member of a document
	// creates a document of its own at odd numbers and deletes it at even ones
	cycling kind = "cycle"
	// makes volatile documents, and repeats each update with the options Opts
	keeping kind = "keep"
	// increments a document of its own that keeps the version before, in turn durable and
	// volatile
	alternating kind = "alternate"
	// increments a document that has a history, and prints the number
	remembering kind = "remember"
	// writes and flushes files, so that the file system commits all the time
	flushing kind = "flush"
	// increments by a temporary file and a rename, and flushes only the directory
	byHand kind = "hand"
	noDir  kind = "no dir" // the same, and flushes the file but not the directory

	// increments its member of several documents in one transaction
	transacting kind = "transact"
	// moves a document between two names, and counts that in a third document
	moving kind = "move"
	// writes to each document once, and so finishes what dead processes have left
	finishing kind = "finish"
	// transfers between accounts, and counts that in a document of its own
	banking kind = "bank"
)

func (j job) run() error {
	ctx := context.Background()
	switch j.Kind {
	case flushing:
		return j.flush()
	case byHand, noDir:
		return j.countByHand()
	case journaling:
		return j.journal(ctx)
	}
	j.Opts.Logger = slog.New(slog.DiscardHandler)
	switch j.Kind {
	case keeping:
		return j.keep(ctx)
	case alternating:
		return j.alternate(ctx)
	case transacting, moving:
		return j.transact(ctx)
	case finishing:
		return j.finish(ctx)
	case banking:
		return j.bank(ctx)
	}
	doc, err := store.OpenFile(j.File, &j.Opts)
	if err != nil {
		return err
	}
	defer doc.Close()
	for {
		n := 0
		if j.Kind == cycling {
			n, err = cycle(ctx, doc)
		} else {
			_, err = doc.Update(ctx, func(old []byte) (changed []byte, err error) {
				changed, n, err = countUp(old, j.Member)
				return changed, err
			})
		}
		if err == nil {
			_, err = fmt.Println(n) // one system call: a kill leaves a whole line or none
		}
		if err != nil {
			return err
		}
	}
}

// keep makes the same update of a document twice: first volatile, and then with the options
// Opts, when there is nothing left to change. That is acknowledged too. Other processes do the
// same with the same documents.
func (j job) keep(ctx context.Context) error {
	volatile := j.Opts
	volatile.Durability = store.Volatile
	for n := 1; ; n++ {
		for _, opts := range []*store.Options{&volatile, &j.Opts} {
			doc, err := store.OpenFile(keptFile(j.File, n), opts)
			if err != nil {
				return err
			}
			_, err = doc.Update(ctx, func([]byte) ([]byte, error) { return kept(n), nil })
			doc.Close()
			if err != nil {
				return err
			}
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// alternate increments the document, durable at odd numbers and volatile at even ones. Only
// the former are acknowledged.
func (j job) alternate(ctx context.Context) error {
	durable, err := store.OpenFile(j.File, &j.Opts)
	if err != nil {
		return err
	}
	defer durable.Close()
	volatile, err := durable.With(func(o *store.Options) { o.Durability = store.Volatile })
	if err != nil {
		return err
	}
	for {
		for _, doc := range []*store.Doc{durable, volatile} {
			n := 0
			_, err := doc.Update(ctx, func(old []byte) (changed []byte, err error) {
				changed, n, err = countUp(old, j.Member)
				return append(changed, strings.Repeat(" ", 300)...), err // too large for an inode
			})
			if err == nil && doc == durable {
				_, err = fmt.Println(n)
			}
			if err != nil {
				return err
			}
		}
	}
}

// keptFile returns the file of the nth kept document.
func keptFile(prefix string, n int) string { return fmt.Sprintf("%s%d.json", prefix, n) }

// kept is its content, which is too large for an inode.
func kept(n int) []byte {
	return fmt.Appendf(nil, `{"kept": %d, "long": %q}`, n, strings.Repeat("x", 300))
}

func countUp(old []byte, member string) (changed []byte, n int, err error) {
	counters := map[string]int{}
	if old != nil {
		if err := json.Unmarshal(old, &counters); err != nil {
			return nil, 0, err
		}
	}
	counters[member]++
	changed, err = json.Marshal(counters)
	return changed, counters[member], err
}

// cycle does the next step: it creates the document with the number of the step as its content,
// or deletes it.
func cycle(ctx context.Context, doc *store.Doc) (int, error) {
	data, version, err := doc.Read(ctx)
	if err == nil {
		n, err := strconv.Atoi(string(data))
		if err == nil {
			err = begin(n + 1)
		}
		if err == nil {
			err = doc.CompareAndDelete(ctx, version)
		}
		return n + 1, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	n := int(nextCycle.Add(2))
	if err := begin(n); err != nil {
		return 0, err
	}
	_, err = doc.Create(ctx, []byte(strconv.Itoa(n)))
	return n, err
}

// begin prints that a step begins. From then on the step may be found done, acknowledged or not.
func begin(n int) error {
	_, err := fmt.Printf("+%d\n", n)
	return err
}

var nextCycle = func() *atomic.Int64 {
	n := new(atomic.Int64)
	start, _ := strconv.ParseInt(os.Getenv(cycleVariable), 10, 64)
	n.Store((start+1)/2*2 - 1)
	return n
}()

const cycleVariable = "JSONSTORE_POWERCUT_CYCLE"

func (j job) flush() error {
	for i := 0; ; i++ {
		file, err := os.Create(fmt.Sprintf("%s-%d", j.File, i%16))
		if err == nil {
			_, err = file.WriteString(strings.Repeat("x", 100*(i%50)))
		}
		if err == nil {
			err = file.Sync()
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			return err
		}
	}
}

// countByHand increments like many programs do, each process in a file of its own.
func (j job) countByHand() error {
	for {
		old, err := os.ReadFile(j.File)
		if errors.Is(err, fs.ErrNotExist) {
			old, err = nil, nil
		}
		var changed []byte
		n := 0
		if err == nil {
			changed, n, err = countUp(old, j.Member)
		}
		var file *os.File
		if err == nil {
			file, err = os.Create(j.File + ".new")
		}
		if err != nil {
			return err
		}
		_, err = file.Write(changed)
		if err == nil && j.Kind == noDir {
			err = file.Sync()
		}
		file.Close()
		if err == nil {
			err = os.Rename(j.File+".new", j.File)
		}
		if err == nil && j.Kind == byHand {
			err = syncDir(filepath.Dir(j.File))
		}
		if err == nil {
			_, err = fmt.Println(n)
		}
		if err != nil {
			return err
		}
	}
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// process is a running job.
type process struct {
	job
	cmd          *exec.Cmd
	from         int64        // the number at its start
	acknowledged atomic.Int64 // the last acknowledged number that we have read
	begun        atomic.Int64 // the last begun step that we have read, of a cycling process
	ended        sync.WaitGroup
}

func (j job) start(from int64) (*process, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	p := &process{job: j, from: from, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(text),
		cycleVariable+"="+strconv.FormatInt(from, 10))
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	p.acknowledged.Store(from)
	p.begun.Store(from)
	p.ended.Go(func() {
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			n, err := strconv.ParseInt(line, 10, 64) // takes a plus sign
			switch {
			case err != nil:
			case line[0] == '+':
				p.begun.Store(n)
			default:
				p.acknowledged.Store(n)
			}
		}
	})
	return p, nil
}

// progressed reports whether an update was acknowledged.
func (p *process) progressed() bool { return p.acknowledged.Load() > p.from }

// kill sends SIGKILL. Afterwards acknowledged has the last number that the process printed.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.ended.Wait()
	_ = p.cmd.Wait()
}
