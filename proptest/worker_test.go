// The processes that storm a document. The test binary starts itself again as a worker: what it does, its job, is
// in its environment, and what it was acknowledged goes to its standard output.

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
	if todo, ok := os.LookupEnv(workerVariable); ok {
		if err := doJob(todo); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// jobs is what a worker can do, by name. Each gets its task as JSON.
var jobs = map[string]func(task []byte) error{
	"count":   count,
	"history": takePart,
	"chain":   writeChain,
	"foreign": writeForeign,
}

func doJob(todo string) error {
	name, task, _ := strings.Cut(todo, " ")
	job, ok := jobs[name]
	if !ok {
		return fmt.Errorf("%s: there is no such job", name)
	}
	return job([]byte(task))
}

// awaitStart tells the one who started this worker that it is ready, and returns when all others are too: processes
// take longer to start than to do a small task, and would do it one after another.
func awaitStart() error {
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startTogether lets workers that are in awaitStart begin.
func startTogether(t *testing.T, all []*process) {
	t.Helper()
	for i, p := range all {
		if line, err := p.out.ReadString('\n'); err != nil || line != "ready\n" {
			_ = p.cmd.Wait()
			t.Fatalf("worker %d is not ready: %q, %v: %s", i, line, err, p.errs.String())
		}
	}
	for _, p := range all {
		p.in.Close()
	}
}

// task is what the job "count" does: count up a member of an object.
type task struct {
	File    string
	Member  string
	Times   int // 0: until it is killed
	Options store.Options
}

func count(encoded []byte) error {
	var t task
	if err := json.Unmarshal(encoded, &t); err != nil {
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
	in   io.WriteCloser
	out  *bufio.Reader
	errs bytes.Buffer
}

func startWorker(t *testing.T, todo task) *process {
	t.Helper()
	return startJob(t, "count", todo)
}

func startJob(t *testing.T, job string, todo any) *process {
	t.Helper()
	encoded, err := json.Marshal(todo)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+job+" "+string(encoded),
		// Under the race detector a program that has ended stays for a second, unless it is asked not to.
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=20")
	p.cmd.Stderr = &p.errs
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
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
	n := 0
	p.lines(func(line string) {
		n++
		if value, err := strconv.Atoi(line); err == nil {
			last = value
		}
		if seen != nil {
			seen(n)
		}
	})
	return last
}

// lines passes on each whole line that the worker writes, until it ends.
func (p *process) lines(seen func(line string)) {
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			return
		}
		seen(strings.TrimSuffix(line, "\n"))
	}
}
