// The processes that storm a document. The test binary starts itself again as a worker: what
// it does is in its environment, what it was acknowledged goes to its standard output.

package proptest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

const workerVariable = "JSONSTORE_TEST_WORKER"

func TestMain(m *testing.M) {
	if task, ok := os.LookupEnv(workerVariable); ok {
		if err := work(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// task is what a worker does: count up a member of an object.
type task struct {
	File    string
	Member  string
	Times   int // 0: until it is killed
	Options store.Options
}

func work(encoded string) error {
	var t task
	if err := json.Unmarshal([]byte(encoded), &t); err != nil {
		return err
	}
	// That many conflicts are worth a warning, and what a worker says is taken for a failure.
	t.Options.Logger = slog.New(slog.DiscardHandler)
	doc, err := store.OpenFile(t.File, &t.Options)
	if err != nil {
		return err
	}
	defer doc.Close()
	for n := 0; t.Times == 0 || n < t.Times; n++ {
		value := 0
		_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
			counters := map[string]int{}
			if old != nil {
				if err := json.Unmarshal(old, &counters); err != nil {
					return nil, err
				}
			}
			counters[t.Member]++
			value = counters[t.Member]
			return json.Marshal(counters)
		})
		if err != nil {
			return err
		}
		// One write: a line is told whole or not at all.
		if _, err := os.Stdout.WriteString(strconv.Itoa(value) + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// process is a worker that runs.
type process struct {
	cmd  *exec.Cmd
	out  io.ReadCloser
	errs bytes.Buffer
}

func startWorker(t *testing.T, todo task) *process {
	t.Helper()
	encoded, err := json.Marshal(todo)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(encoded))
	p.cmd.Stderr = &p.errs
	if p.out, err = p.cmd.StdoutPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

// acknowledged reads what the worker was told until it ends, passing each line to seen, and returns
// the last value that was acknowledged. A line that a kill cut off does not count.
func (p *process) acknowledged(seen func(n int)) (last int) {
	lines := bufio.NewReader(p.out)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			return last
		}
		if value, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			last = value
		}
		if seen != nil {
			seen(n)
		}
	}
}
