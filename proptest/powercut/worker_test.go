// Package powercut cuts real file systems off from power while processes write documents on them, mounts them again
// and looks whether what was promised is there. It also storms them with processes that are killed.
//
// This file has the processes: the test binary starts itself again. What they are to do is in their environment, what
// they were acknowledged goes to their standard output, a number a line.
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

// job is what a process does until it is killed or cannot.
type job struct {
	Kind   kind
	File   string
	Member string // of the document, which the process counts up
	Opts   store.Options
}

type kind string

const (
	counting kind = "count"  // counts its member of a document up
	cycling  kind = "cycle"  // creates a document of its own at odd numbers and deletes it at even ones
	keeping  kind = "keep"   // makes volatile documents, one after the other, and sees to them again as Opts say
	flushing kind = "flush"  // writes files and flushes them, so that the file system commits all the time
	byHand   kind = "hand"   // counts up by a temporary file and a rename, and flushes nothing but the directory
	noDir    kind = "no dir" // the same, and flushes the file but not the directory
)

func (j job) run() error {
	ctx := context.Background()
	switch j.Kind {
	case flushing:
		return j.flush()
	case byHand, noDir:
		return j.countByHand()
	}
	j.Opts.Logger = slog.New(slog.DiscardHandler)
	if j.Kind == keeping {
		return j.keep(ctx)
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
			_, err = fmt.Println(n) // one write: a line is told whole or not at all
		}
		if err != nil {
			return err
		}
	}
}

// keep makes sure of a document twice: volatile, and then again, when there is nothing to
// be changed, which is acknowledged all the same. Other processes do so with the same documents.
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

// keptFile is the nth document that is kept.
func keptFile(prefix string, n int) string { return fmt.Sprintf("%s%d.json", prefix, n) }

// kept is what is in it: more than fits in an inode.
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

// cycle does the next step: it creates the document with the step's number in it, or deletes it, which is the
// step with the number after.
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

// begin tells that a step is begun, which may be done from then on, acknowledged or not.
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

// countByHand is what many programs do, each process on a file of its own.
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

// process is a job that runs.
type process struct {
	job
	cmd          *exec.Cmd
	from         int64        // where it began
	acknowledged atomic.Int64 // the last number that we have read
	begun        atomic.Int64 // the last step that we have read to be begun; cycling only
	ended        sync.WaitGroup
}

func (j job) start(from int64) (*process, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	p := &process{job: j, from: from, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(text), cycleVariable+"="+strconv.FormatInt(from, 10))
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

// progressed reports whether anything was acknowledged.
func (p *process) progressed() bool { return p.acknowledged.Load() > p.from }

// kill is SIGKILL; afterwards acknowledged has all that the process wrote.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.ended.Wait()
	_ = p.cmd.Wait()
}
