package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// TestMain: the test binary is the program, and the command that it runs.
func TestMain(m *testing.M) {
	switch os.Getenv("QUEUE") {
	case "program":
		os.Setenv("QUEUE", "command")
		main()
	case "command":
		job := os.Args[len(os.Args)-1]
		os.Stdout.WriteString(job + "\n")
		if job == "last" { // of its worker
			worker, err := os.FindProcess(os.Getppid())
			if err == nil {
				err = worker.Kill()
			}
			if err != nil {
				panic(err)
			}
		}
	default:
		os.Exit(m.Run())
	}
}

func program(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	// The race detector makes each process wait for a second at its end.
	cmd.Env = append(os.Environ(), "QUEUE=program", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	t.Cleanup(func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
	})
	return cmd
}

// TestWorkers: four processes do all jobs, each once.
func TestWorkers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.json")
	want := []string{}
	for i := range 40 {
		want = append(want, strconv.Itoa(i+100))
	}
	if err := run(t.Context(), time.Minute, append([]string{file, "add"}, want...)); err != nil {
		t.Fatal(err)
	}
	var processes []*exec.Cmd
	var outputs []*strings.Builder
	for range 4 {
		cmd, out := program(t, file, "work", os.Args[0]), &strings.Builder{}
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes, outputs = append(processes, cmd), append(outputs, out)
	}
	var did []string
	for i, cmd := range processes {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		did = append(did, strings.Fields(outputs[i].String())...)
	}
	slices.Sort(did)
	if !slices.Equal(did, want) {
		t.Errorf("done: %v", did)
	}
	if left := jobs(t, file); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func jobs(t *testing.T, file string) []job {
	t.Helper()
	doc, err := store.OpenFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	q, _, err := store.Read[queue](context.Background(), doc)
	if err != nil {
		t.Fatal(err)
	}
	return q.Jobs
}

// TestKilledWorker: the job of a worker that was killed is done by another one, when its claim is
// over and not before.
func TestKilledWorker(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.json")
	if err := run(t.Context(), time.Minute, []string{file, "add", "last"}); err != nil {
		t.Fatal(err)
	}
	out, err := program(t, "-claim", "2s", file, "work", os.Args[0]).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || string(out) != "last\n" {
		t.Fatalf("%q, %v", out, err)
	}
	doc, err := store.OpenFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	claimed := jobs(t, file)[0]
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		now := time.Now()
		j, err := take(t.Context(), doc, time.Minute)
		if err != nil || now.After(end) {
			t.Fatalf("nobody got the job: %v", err)
		}
		if j == nil {
			continue
		}
		if time.Now().Before(claimed.Until) || j.Claims != 2 {
			t.Errorf("%+v was claimed again at %v: %+v", claimed, now, j)
		}
		break
	}
	// The killed one's word would come too late.
	if err := change(t.Context(), doc, claimed, func(*queue, int) {}); !errors.Is(err, errOver) {
		t.Errorf("an old claim counts: %v", err)
	}
}

// TestDoOne: a claim is renewed while the job is done, a lost claim ends the work, and a job that
// fails goes back at once.
func TestDoOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.json")
	doc, err := store.OpenFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	ctx := t.Context()
	if err := add(ctx, doc, "a"); err != nil {
		t.Fatal(err)
	}
	const claim = 3 * time.Second // renewed after a third of it
	failure := errors.New("no")
	err = work(ctx, doc, claim, func(context.Context, job) error { return failure })
	if left := jobs(t, file); !errors.Is(err, failure) || !left[0].Until.IsZero() {
		t.Errorf("%v, %+v", err, left)
	}
	err = work(ctx, doc, claim, func(ctx context.Context, j job) error {
		for !jobs(t, file)[0].Until.After(j.Until) { // until it is renewed
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
		if other, err := take(ctx, doc, claim); other != nil || err != nil {
			t.Errorf("another worker got the job: %+v, %v", other, err)
		}
		err := change(ctx, doc, j, func(q *queue, i int) { q.Jobs[i].Claims++ })
		if err != nil {
			t.Error(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Minute):
			return errors.New("the work goes on without its claim")
		}
	})
	if left := jobs(t, file); !errors.Is(err, errOver) || len(left) != 1 {
		t.Errorf("%v, %+v", err, left)
	}
	for _, bad := range [][]string{nil, {file}, {file, "add"}, {file, "do", "x"}} {
		if err := run(ctx, claim, bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
