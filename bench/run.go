// One cell of the tables: the processes and goroutines that update documents for some time, and
// the result.

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// work is the order to one process.
type work struct {
	Peer       string
	Setting    setting
	Goroutines int
	Time       time.Duration
	Read       bool // instead of updating

	Transaction int  // documents that are updated at once; 0 for one, picked by chance
	Disjoint    bool // each goroutine of each process has such documents of its own
	Process     int  // the number of this process
}

// done is the result of a work.
type done struct {
	Operations int
	Latency    load.Histogram
	Failed     int
	Failure    string // the first one
}

func (w work) find() (peer, error) {
	for _, p := range peers() {
		if p.name == w.Peer {
			return p, nil
		}
	}
	return peer{}, fmt.Errorf("no peer %q", w.Peer)
}

// operation is what a goroutine does again and again.
func (w work) operation(h handle, goroutine int) (func() error, error) {
	if w.Transaction > 0 {
		first := 0
		if w.Disjoint {
			first = (w.Process*w.Goroutines + goroutine) * w.Transaction
		}
		if w.Transaction == 1 {
			return func() error { return h.Update(first) }, nil
		}
		t, ok := h.(transactor)
		if !ok {
			return nil, errNotOffered
		}
		documents := make([]int, w.Transaction)
		for i := range documents {
			documents[i] = first + i
		}
		return func() error { return t.Transact(documents) }, nil
	}
	pick := func() int { return rand.IntN(w.Setting.Documents) }
	if w.Read {
		return func() error {
			_, err := h.Read(pick())
			return err
		}, nil
	}
	return func() error { return h.Update(pick()) }, nil
}

// run does the work as soon as begin returns.
func (w work) run(begin func() error) (done, error) {
	p, err := w.find()
	if err != nil {
		return done{}, err
	}
	h, err := p.open(w.Setting)
	if err != nil {
		return done{}, err
	}
	defer h.Close()
	if err := begin(); err != nil {
		return done{}, err
	}
	var operations []func() error
	for i := range w.Goroutines {
		operation, err := w.operation(h, i)
		if err != nil {
			return done{}, err
		}
		operations = append(operations, operation)
	}
	end := time.Now().Add(w.Time)
	var all done
	var mu sync.Mutex
	var working sync.WaitGroup
	for _, operation := range operations {
		working.Go(func() {
			var mine done
			for last := time.Now(); last.Before(end); {
				err := operation()
				now := time.Now()
				mine.Latency.Add(now.Sub(last))
				last = now
				if err != nil {
					mine.Failed++
					mine.Failure = err.Error()
					continue
				}
				mine.Operations++
			}
			mu.Lock()
			defer mu.Unlock()
			all.Operations += mine.Operations
			all.Failed += mine.Failed
			all.Latency.Merge(&mine.Latency)
			if all.Failure == "" {
				all.Failure = mine.Failure
			}
		})
	}
	working.Wait()
	return all, nil
}

// workerVariable names the environment variable with the work of a process that this program
// starts.
const workerVariable = "JSONSTORE_BENCH_WORK"

// beWorker is the main function of such a process. It prints that it is ready, begins at the next
// line of its input, and prints what it has done.
func beWorker(encoded string) error {
	var w work
	if err := json.Unmarshal([]byte(encoded), &w); err != nil {
		return err
	}
	d, err := w.run(func() error {
		fmt.Println("ready")
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		return err
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(d)
}

// cell is one figure of a table, before it is measured.
type cell struct {
	Peer       string
	Durability store.Durability
	Processes  int
	Goroutines int
	Documents  int // 0 means 1
	Size       int
	Read       bool

	Transaction int    // as in work
	Disjoint    bool   // as in work
	Label       string // instead of the name of the peer
}

// documents is how many documents there are.
func (c cell) documents() int {
	if c.Transaction > 0 && c.Disjoint {
		return c.Processes * c.Goroutines * c.Transaction
	}
	return max(c.Documents, c.Transaction, 1)
}

// name is the first column of the table.
func (c cell) name() string {
	if c.Label != "" {
		return c.Label
	}
	return c.Peer
}

// measured is the result of a cell in one round.
type measured struct {
	Rate    float64 // operations a second
	Latency load.Histogram
	Share   float64 // operations of the slowest process over those of the fastest
	Lost    int     // updates that were acknowledged and are not in the documents
	Failed  int
	Failure string
}

// measure runs a cell in a new directory. The error is errNotOffered if the peer cannot do it.
func (c cell) measure(top string, last time.Duration) (m measured, err error) {
	dir, err := os.MkdirTemp(top, "cell-")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(dir)
	w := work{
		Peer: c.Peer, Goroutines: c.Goroutines, Time: last, Read: c.Read,
		Transaction: c.Transaction, Disjoint: c.Disjoint,
		Setting: setting{
			Path: filepath.Join(dir, "document.json"), Documents: c.documents(),
			Durability: c.Durability, Shared: c.Processes > 1,
		},
	}
	p, err := w.find()
	if err != nil {
		return m, err
	}
	if c.Goroutines > 1 && !p.goroutines || w.Setting.Documents > 1 && !p.many ||
		c.Transaction > 1 && !p.transacts {
		return m, errNotOffered
	}
	create := p.create
	if create == nil {
		create = writeFiles
	}
	if err := create(w.Setting, load.Document(c.Size)); err != nil {
		return m, err
	}
	if !w.Setting.Shared {
		h, err := p.open(w.Setting)
		if err != nil {
			return m, err
		}
		h.Close()
	} else if h, err := p.open(w.Setting); errors.Is(err, errNotOffered) {
		return m, err
	} else if err == nil {
		h.Close()
	}
	all, err := startAll(w, c.Processes)
	if err != nil {
		return m, err
	}
	slowest, fastest, total := -1, 0, 0
	for _, d := range all {
		total += d.Operations
		m.Failed += d.Failed
		m.Latency.Merge(&d.Latency)
		if m.Failure == "" {
			m.Failure = d.Failure
		}
		if slowest < 0 || d.Operations < slowest {
			slowest = d.Operations
		}
		fastest = max(fastest, d.Operations)
	}
	m.Rate = float64(total) / last.Seconds()
	m.Share = float64(slowest) / float64(max(fastest, 1))
	if c.Read {
		return m, nil
	}
	w.Setting.Shared = false
	h, err := p.open(w.Setting)
	if err != nil {
		return m, err
	}
	defer h.Close()
	m.Lost, err = lostUpdates(h, w.Setting.Documents, total*max(c.Transaction, 1))
	return m, err
}

// lostUpdates counts the acknowledged updates that are not in the documents.
func lostUpdates(h handle, documents, acknowledged int) (lost int, err error) {
	lost = acknowledged
	for i := range documents {
		data, err := h.Read(i)
		if err != nil {
			return 0, err
		}
		n, err := load.Count(data)
		if err != nil {
			return 0, err
		}
		lost -= n
	}
	return lost, nil
}

// process is a process that works.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a process that does the work as soon as it is told to.
func (w work) start() (p *process, err error) {
	encoded, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p = &process{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(encoded))
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// isReady waits until the process is ready.
func (p *process) isReady() error {
	if line, err := p.out.ReadString('\n'); err != nil || line != "ready\n" {
		return fmt.Errorf("a process said %q (%v)", line, err)
	}
	return nil
}

func (p *process) begin() error {
	_, err := io.WriteString(p.in, "go\n")
	return err
}

// startAll has some processes do the work at once, and returns their results.
func startAll(w work, processes int) (all []done, err error) {
	var started []*process
	defer func() {
		for _, p := range started {
			if err != nil {
				_ = p.cmd.Process.Kill()
			}
			p.in.Close()
			if waitErr := p.cmd.Wait(); err == nil {
				err = waitErr
			}
		}
	}()
	for i := range processes {
		w.Process = i
		p, err := w.start()
		if err != nil {
			return nil, err
		}
		started = append(started, p)
	}
	for _, p := range started {
		if err := p.isReady(); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Peer, err)
		}
	}
	for _, p := range started {
		if err := p.begin(); err != nil {
			return nil, err
		}
	}
	for _, p := range started {
		var d done
		if err := json.NewDecoder(p.out).Decode(&d); err != nil {
			return nil, fmt.Errorf("%s: a process ended early: %w", w.Peer, err)
		}
		all = append(all, d)
	}
	return all, nil
}
