// The processes that storm a document. The test binary starts itself again as a worker. Its
// environment names its job, and it prints what was acknowledged to it.

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

// jobs has the jobs of workers, by name. Each gets its task as JSON.
var jobs = map[string]func(task []byte) error{
	"count":   count,
	"history": takePart,
	"chain":   writeChain,
	"foreign": writeForeign,

	"transactions": takePartInTransactions,
	"journal":      appendToJournal,
}

func doJob(todo string) error {
	name, task, _ := strings.Cut(todo, " ")
	job, ok := jobs[name]
	if !ok {
		return fmt.Errorf("%s: there is no such job", name)
	}
	return job([]byte(task))
}

// awaitStart reports that this worker is ready, and waits for all others. Starting a process
// takes longer than a small task, so without this the workers would work one after the other.
func awaitStart() error {
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startTogether ends awaitStart in all workers.
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

// task is the task of the job "count": increment a member of an object.
type task struct {
	File    string
	Member  string
	Times   int // 0 means until the process is killed
	Options store.Options
}

func count(encoded []byte) error {
	var t task
	if err := json.Unmarshal(encoded, &t); err != nil {
		return err
	}
	// So many conflicts cause a warning in the log, and any message of a worker fails the test.
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
		// One system call writes the line, so that a kill leaves a whole line or none.
		if _, err := os.Stdout.WriteString(strconv.Itoa(value) + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// process is a running worker.
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
	p, err := launch(job, todo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

// launch starts a worker, which the caller ends.
func launch(job string, todo any) (*process, error) {
	encoded, err := json.Marshal(todo)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+job+" "+string(encoded),
		// Without this the race detector delays the end of a process by a second.
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=20")
	p.cmd.Stderr = &p.errs
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

// acknowledged reads the output of the worker until it ends, passes each line to seen, and
// returns the last value that was acknowledged. An incomplete last line does not count.
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

// lines passes on each whole line of the worker's output until it ends.
func (p *process) lines(seen func(line string)) {
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			return
		}
		seen(strings.TrimSuffix(line, "\n"))
	}
}
