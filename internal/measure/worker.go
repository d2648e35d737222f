// The worker: a process that updates documents for some time. It reads its task from standard
// input, prints "ready", begins at the next line of its input, and prints its results. It ends
// early if its input ends.

package measure

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// task is the task of a worker.
type task struct {
	Dir        string           `json:"dir"`
	Mode       string           `json:"mode"` // hash, mtime or locking
	Durability store.Durability `json:"durability"`
	Goroutines int              `json:"goroutines"`
	Documents  int              `json:"documents"` // updated in turn
	Time       time.Duration    `json:"time_ns"`
	// Transaction is how many documents are updated at once; 0 for no transactions.
	Transaction int `json:"transaction"`
	Process     int `json:"process"` // the number of this process
}

// tally is the result of a worker.
type tally struct {
	Acknowledged int            `json:"acknowledged"`
	Failed       int            `json:"failed"`
	Failure      string         `json:"failure"` // the first error
	Latency      load.Histogram `json:"latency"`
	Stats        store.Stats    `json:"stats"`
}

// modes are the modes of updates, by their names in a task.
var modes = []string{"hash", "mtime", "locking"}

func (t task) options() *store.Options {
	opts := &store.Options{
		Durability: t.Durability, AllowNetwork: true, Logger: slog.New(slog.DiscardHandler),
	}
	switch t.Mode {
	case "mtime":
		opts.Versions = store.VersionMtime
	case "locking":
		opts.Locking = true
	}
	return opts
}

// key returns the key of the nth document. Its file has a suffix.
func key(n int) string { return fmt.Sprintf("d%d", n) }

func file(dir string, n int) string { return filepath.Join(dir, key(n)+".json") }

// open opens the documents: one as a file, several as a directory.
func (t task) open() (docs []*store.Doc, closeAll func() error, err error) {
	if t.Documents == 1 {
		doc, err := store.OpenFile(file(t.Dir, 0), t.options())
		if err != nil {
			return nil, nil, err
		}
		return []*store.Doc{doc}, doc.Close, nil
	}
	db, err := store.Open(t.Dir, t.options())
	if err != nil {
		return nil, nil, err
	}
	for n := range t.Documents {
		docs = append(docs, db.Doc(key(n)))
	}
	return docs, db.Close, nil
}

// Work is the main function of a worker process.
func Work(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	input := bufio.NewReader(stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return errors.New("this command is a worker of jsonstore bench and needs a task: " +
			"run jsonstore bench DIR")
	}
	var t task
	if err := json.Unmarshal(line, &t); err != nil {
		return fmt.Errorf("the task of a worker of jsonstore bench: %w", err)
	}
	docs, closeAll, err := t.open()
	if err != nil {
		return err
	}
	defer closeAll()
	if _, err := io.WriteString(stdout, "ready\n"); err != nil {
		return err
	}
	if _, err := input.ReadByte(); err != nil {
		return err // the process that has started this one is gone
	}
	// The process that has started this one holds the other end as long as it lives.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, input)
		cancel()
	}()
	done := t.run(ctx, docs)
	done.Stats = docs[0].Stats()
	result, err := json.Marshal(done)
	if err != nil {
		return err
	}
	_, err = stdout.Write(append(result, '\n'))
	return err
}

// operation returns the nth operation of a goroutine: an update of the next document, or a
// transaction over the same documents each time, which are its own if there are enough.
func (t task) operation(docs []*store.Doc, goroutine int) func(ctx context.Context, n int) error {
	if t.Transaction == 0 {
		return func(ctx context.Context, n int) error {
			_, err := docs[(goroutine+n)%len(docs)].Update(ctx, load.Increment)
			return err
		}
	}
	first := (t.Process*t.Goroutines + goroutine) * t.Transaction % len(docs)
	mine := docs[first : first+t.Transaction]
	return func(ctx context.Context, _ int) error {
		return store.Transact(ctx, func(tx *store.Tx) error {
			for _, doc := range mine {
				if err := tx.Update(doc, load.Increment); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// run updates until the time is up.
func (t task) run(ctx context.Context, docs []*store.Doc) (all tally) {
	var mu sync.Mutex
	var working sync.WaitGroup
	end := time.Now().Add(t.Time)
	for goroutine := range t.Goroutines {
		operation := t.operation(docs, goroutine)
		working.Go(func() {
			var mine tally
			for n, last := 0, time.Now(); last.Before(end) && ctx.Err() == nil; n++ {
				err := operation(ctx, n)
				now := time.Now()
				if err != nil {
					mine.Failed++
					mine.Failure = err.Error()
				} else {
					mine.Acknowledged++
					mine.Latency.Add(now.Sub(last))
				}
				last = now
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(mine)
		})
	}
	working.Wait()
	return all
}

func (t *tally) add(other tally) {
	t.Acknowledged += other.Acknowledged
	t.Failed += other.Failed
	if t.Failure == "" {
		t.Failure = other.Failure
	}
	t.Latency.Merge(&other.Latency)
	t.Stats.Conflicts += other.Stats.Conflicts
	t.Stats.Retries += other.Stats.Retries
	t.Stats.Escalations += other.Stats.Escalations
	t.Stats.LockWaits += other.Stats.LockWaits
}
