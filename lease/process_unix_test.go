//go:build unix

// Real processes that hold a lease: some are killed, some are stopped and go on.
//
//	JSONSTORE_LEASE_ROUNDS=1000 go test -run TestKilledHolders -timeout 1h -v ./lease

package lease_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/sjson"

	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

const workerVariable = "JSONSTORE_LEASE_WORKER"

func TestMain(m *testing.M) {
	if todo, ok := os.LookupEnv(workerVariable); ok {
		if err := work(todo); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// task is what a process does: acquire the lease, write the guarded document, report, and
// wait to be killed, or for a line on standard input; then write again.
type task struct {
	Dir  string
	TTL  time.Duration
	Keep bool // renew in the background
	Late bool // do not look whether the lease is lost before the line
}

func (k task) open() (lock, data *store.Doc, err error) {
	opts := &store.Options{Durability: store.Volatile}
	lock, err = store.OpenFile(filepath.Join(k.Dir, "lease.json"), opts)
	if err == nil {
		data, err = store.OpenFile(filepath.Join(k.Dir, "data.json"), opts)
	}
	return lock, data, err
}

type change = func(old []byte) ([]byte, error)

// put is a guarded write.
func put(data *store.Doc, guard func(change) change) error {
	_, err := data.Update(context.Background(), guard(func(old []byte) ([]byte, error) {
		var d struct{ N int }
		if old == nil {
			old = []byte("{}")
		}
		if err := json.Unmarshal(old, &d); err != nil {
			return nil, err
		}
		return sjson.SetBytes(old, "n", d.N+1)
	}))
	return err
}

func byToken(token uint64) func(change) change {
	return func(fn change) change { return lease.Guard(token, fn) }
}

func work(todo string) error {
	var k task
	if err := json.Unmarshal([]byte(todo), &k); err != nil {
		return err
	}
	lock, data, err := k.open()
	if err != nil {
		return err
	}
	opts := &lease.Options{TTL: k.TTL, MaxPoll: k.TTL / 10}
	go func() { // ends with the test
		_, _ = io.Copy(io.Discard, os.NewFile(3, "alive"))
		os.Exit(1)
	}()
	input := bufio.NewReader(os.Stdin)
	for {
		l, err := lease.Acquire(context.Background(), lock, opts)
		if err != nil {
			return err
		}
		work, stop := context.Background(), func() {}
		if k.Keep {
			work, stop = l.Keep(work)
		}
		witness, err := lockWitness(k)
		if err != nil {
			return err
		}
		if err := put(data, byToken(l.Token())); err != nil && !errors.Is(err, lease.ErrFenced) {
			return err
		}
		fmt.Println("got", l.Token())
		line := make(chan error, 1)
		go func() { _, err := input.ReadString('\n'); line <- err }()
		lost := work.Done()
		if k.Late {
			lost = nil
		}
		select {
		case <-lost: // this process was starved
			witness.Close()
			stop()
			fmt.Println("lost", l.Token())
			if err := <-line; err != nil {
				return nil
			}
			continue
		case err := <-line:
			if err != nil {
				return nil
			}
		}
		// Late, perhaps.
		fmt.Println("token", outcome(put(data, byToken(l.Token()))))
		fmt.Println("clock", outcome(put(data, l.Guard)))
		if k.Keep {
			<-work.Done()
			fmt.Println("work", outcome(context.Cause(work)))
		}
		fmt.Println("renew", outcome(l.Renew(context.Background())))
		stop()
		witness.Close()
		return nil
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, lease.ErrFenced):
		return "fenced"
	case errors.Is(err, lease.ErrLost):
		return "lost"
	}
	return err.Error()
}

// lockWitness locks a file that every owner locks as long as it is one. The kernel unlocks
// it when its process dies. A starved process may be late.
func lockWitness(k task) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(k.Dir, "witness"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * k.TTL); ; time.Sleep(time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("two owners: %w", err)
	}
	return f, nil
}

// process is a running one.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed at its end
}

func (k task) start(t *testing.T) *process {
	t.Helper()
	encoded, err := json.Marshal(k)
	must(t, err)
	alive, mine, err := os.Pipe()
	must(t, err)
	p := &process{cmd: exec.Command(os.Args[0]), lines: make(chan string, 100)}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(encoded))
	p.cmd.Stderr = os.Stderr
	p.cmd.ExtraFiles = []*os.File{alive}
	p.in, err = p.cmd.StdinPipe()
	must(t, err)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	alive.Close()
	seen := p.lines
	go func() {
		defer close(seen)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			seen <- lines.Text()
		}
	}()
	t.Cleanup(func() { p.kill(); mine.Close() })
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	for range p.lines { // Wait closes the pipe
	}
	_ = p.cmd.Wait()
}

// next is the next line of a process.
func (p *process) next(t *testing.T) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatal("a process has ended")
		}
		return line
	case <-time.After(30 * time.Second):
		t.Fatal("a process does not go on")
	}
	return ""
}

// TestKilledHolders: the holder is killed, and one of eight waiters gets the lease; again
// and again.
func TestKilledHolders(t *testing.T) {
	rounds := 10
	if text := os.Getenv("JSONSTORE_LEASE_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		must(t, err)
	}
	k := task{Dir: t.TempDir(), TTL: 200 * time.Millisecond, Keep: true}
	const waiters = 8
	type event struct {
		of   *process
		line string
	}
	events := make(chan event, 1000)
	begin := func() *process {
		p := k.start(t)
		seen := make(chan string, 100)
		lines := p.lines
		p.lines = seen
		go func() {
			defer close(seen)
			for line := range lines {
				events <- event{p, line}
			}
		}()
		return p
	}
	for range waiters + 1 {
		begin()
	}
	var holder *process
	newest, grants, starved := uint64(0), 0, 0
	began, longest := time.Now(), time.Duration(0)
	killed := time.Time{}
	for round := 0; round <= rounds; {
		select {
		case e := <-events:
			what, text, _ := strings.Cut(e.line, " ")
			switch what {
			case "got":
				token, err := strconv.ParseUint(text, 10, 64)
				must(t, err)
				if token <= newest {
					t.Fatalf("token %d after %d", token, newest)
				}
				if holder != nil {
					// It was starved, and says so when it goes on; the witness was free.
					starved++
				}
				if !killed.IsZero() {
					longest = max(longest, time.Since(killed))
				}
				holder, newest = e.of, token
				grants++
				round++
				if round > rounds {
					break
				}
				holder.kill()
				holder, killed = nil, time.Now()
				begin()
			case "lost":
				starved++
				if holder == e.of {
					holder = nil
				}
				_, _ = io.WriteString(e.of.in, "\n")
			default:
				t.Fatalf("round %d: %s", round, e.line)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("round %d: nobody gets the lease", round)
		}
	}
	_, data, err := k.open()
	must(t, err)
	defer data.Close()
	fence, _, err := data.Get(t.Context(), "fence")
	must(t, err)
	n, _, err := data.Get(t.Context(), "n")
	must(t, err)
	if string(fence) != strconv.FormatUint(newest, 10) ||
		string(n) != strconv.Itoa(grants) && starved == 0 {
		t.Errorf("the guarded document has fence %s and %s writes, want %d and %d",
			fence, n, newest, grants)
	}
	t.Logf("%d holders killed, %d waiters, %d grants, never two owners; %d times a holder was "+
		"starved; the longest gap was %v at a TTL of %v; %v", rounds, waiters, grants, starved,
		longest.Round(time.Millisecond), k.TTL, time.Since(began).Round(time.Second))
}

// TestStoppedHolder: a holder is stopped for longer than its TTL, another one gets the
// lease, and then the first one goes on: all of its writes are refused.
func TestStoppedHolder(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keep=%v", keep), func(t *testing.T) {
			k := task{Dir: t.TempDir(), TTL: 500 * time.Millisecond, Keep: keep, Late: true}
			first := k.start(t)
			if line := first.next(t); !strings.HasPrefix(line, "got ") {
				t.Fatal(line)
			}
			must(t, first.cmd.Process.Signal(syscall.SIGSTOP))
			lock, data, err := k.open()
			must(t, err)
			defer lock.Close()
			defer data.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			l, err := lease.Acquire(ctx, lock, &lease.Options{TTL: time.Minute})
			must(t, err)
			must(t, put(data, l.Guard))
			before, _, err := data.Read(ctx)
			must(t, err)
			// It goes on, with a write that it was about to make.
			_, err = io.WriteString(first.in, "\n")
			must(t, err)
			must(t, first.cmd.Process.Signal(syscall.SIGCONT))
			want := []string{"token fenced", "clock lost", "work lost", "renew lost"}
			if !keep {
				want = []string{"token fenced", "clock lost", "renew lost"}
			}
			for _, want := range want {
				if line := first.next(t); line != want {
					t.Errorf("%q, want %q", line, want)
				}
			}
			if after, _, err := data.Read(ctx); err != nil || string(after) != string(before) {
				t.Errorf("%s became %s, %v", before, after, err)
			}
			must(t, l.Valid())
			must(t, l.Release(ctx))
		})
	}
}
