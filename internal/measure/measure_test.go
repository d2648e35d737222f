package measure

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

const workerVariable = "JSONSTORE_MEASURE_WORKER"

// TestMain runs the work of a process if the test binary was started for it.
func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		if err := Work(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func config(t *testing.T, dir string, last time.Duration) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{Files: fsys.New(), Dir: dir, Time: last, Processes: 2, Version: "test",
		Command: "again",
		Program: crew.Program{Path: self, Args: os.Args[:1],
			Env: append(os.Environ(), workerVariable+"=1")}}
}

// runWhole runs the measurement, and again with more time if a row has no update: on a busy
// machine an update can take longer than the time of its row.
func runWhole(t *testing.T, c Config) (r *Report, told int) {
	t.Helper()
	for ; ; c.Time *= 4 {
		told = 0
		c.Progress = func(done, all int, _ string) {
			if done != told || done >= all {
				t.Errorf("progress %d of %d after %d", done, all, told)
			}
			told++
		}
		r, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		missing := slices.IndexFunc(r.Updates, func(u Update) bool {
			return !u.Measured() && u.Mode != "mtime"
		})
		switch {
		case missing < 0:
			return r, told
		case c.Time > 30*time.Second:
			t.Fatalf("not measured: %+v", r.Updates[missing])
		}
	}
}

// TestRun measures for a short time: all rows have figures, no update is lost, and no file is left.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	r, told := runWhole(t, config(t, dir, time.Second))
	sections := map[string]int{}
	for _, u := range r.Updates {
		sections[u.Section]++
		if u.Lost != 0 || u.Failed != 0 {
			t.Errorf("%+v", u)
		}
		if u.Measured() &&
			(u.RatePerS <= 0 || u.MedianUs <= 0 || u.P999Us < u.MedianUs ||
				u.LongestUs < 0.97*u.P999Us || u.Fairness < 0 || u.Fairness > 1) {
			t.Errorf("%+v", u)
		}
	}
	if want := fmt.Sprint(map[string]int{byProcesses: 18, byGoroutines: 9, bySize: 15,
		byDocuments: 12, byTransaction: 27}); fmt.Sprint(sections) != want {
		t.Errorf("sections %v, want %v", sections, want)
	}
	if len(r.Reads) != len(sizes) || told != len(r.Updates)+len(r.Reads) || len(r.Advice) < 4 {
		t.Errorf("%d reads, told %d, advice %q", len(r.Reads), told, r.Advice)
	}
	for _, read := range r.Reads {
		if read.FirstUs <= 0 || read.UnchangedUs <= 0 {
			t.Errorf("%+v", read)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v (%v)", entries, err)
	}
}

// TestLossesAreCounted: an acknowledged update that is in no document is lost.
func TestLossesAreCounted(t *testing.T) {
	r := &runner{Config: config(t, t.TempDir(), 0), share: 20 * time.Millisecond}
	u := Update{Mode: "hash", Sync: "volatile", Processes: 2, Goroutines: 1, Documents: 2,
		Bytes: smallest}
	dir := t.TempDir() + "/d"
	if err := r.update(t.Context(), &u, dir); err != nil || u.Lost != 0 || u.Updates == 0 {
		t.Fatalf("%+v, %v", u, err)
	}
	of := Update{Mode: "hash", Sync: "volatile", Processes: 2, Goroutines: 1, Documents: 6,
		Bytes: smallest, Transaction: 3}
	if err := r.update(t.Context(), &of, t.TempDir()+"/d"); err != nil || of.Lost != 0 ||
		of.Updates == 0 {
		t.Fatalf("%+v, %v", of, err)
	}
	// This worker acknowledges updates that it does not make.
	r.Program.Path, r.Program.Args = "/bin/sh", []string{"sh", "-c",
		`read t; echo ready; read go; echo '{"acknowledged": 7, "latency": {"classes": {}}}'`}
	if _, err := os.Stat(r.Program.Path); err != nil {
		t.Skip("there is no shell: ", err)
	}
	if err := r.update(t.Context(), &u, dir); err != nil || u.Lost != 14 {
		t.Errorf("%+v, %v", u, err)
	}
	if err := r.update(t.Context(), &of, t.TempDir()+"/d"); err != nil || of.Lost != 42 {
		t.Errorf("%+v, %v", of, err)
	}
}

// TestInterrupted: a measurement ends with its context, and leaves no file.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	c := config(t, dir, time.Hour)
	c.Progress = func(done, _ int, _ string) {
		if done == 0 {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
	}
	// The errors of the killed workers do not say why the measurement ended.
	if _, err := Run(ctx, c); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v (%v)", entries, err)
	}
}

func TestWorkerWithoutATask(t *testing.T) {
	for _, input := range []string{"", "{"} {
		in, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.WriteString(input + "\n"); err != nil {
			t.Fatal(err)
		}
		if input == "" {
			if err := in.Truncate(0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := in.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		if err := Work(t.Context(), in, os.Stdout); err == nil {
			t.Errorf("%q was taken for a task", input)
		}
		in.Close()
	}
}

func TestUpdateIsSet(t *testing.T) {
	var fast, slow tally
	for range 30 {
		fast.Latency.Add(time.Millisecond)
		fast.Acknowledged++
	}
	slow.Latency.Add(time.Second)
	slow.Acknowledged, slow.Failed, slow.Failure = 10, 1, "why"
	var u Update
	u.set([]tally{fast, slow}, 2*time.Second)
	if u.Updates != 40 || u.RatePerS != 20 || u.Fairness != 0.333 || u.Failed != 1 ||
		u.Failure != "why" || u.LongestUs != 1e6 || u.MedianUs < 1000 || u.MedianUs > 1040 {
		t.Errorf("%+v", u)
	}
}
