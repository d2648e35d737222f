//go:build unix

package lock_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/lock"
)

// writerBound is how long a writer may wait, on a busy machine, as docs/locks.md says.
const writerBound = 5 * time.Second

// holdFor is how long each reader holds the lock.
const holdFor = 2 * time.Millisecond

// TestMain is also the work of a reader: it takes the shared lock all the time.
func TestMain(m *testing.M) {
	path := os.Getenv("LOCK_TEST_READS")
	if path == "" {
		os.Exit(m.Run())
	}
	l, err := lock.Open(path, nil)
	for err == nil {
		var unlock func()
		if unlock, err = l.LockShared(context.Background()); err == nil {
			fmt.Println("has it")
			time.Sleep(holdFor)
			unlock()
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestReadersAndWriter: 32 readers that hold a shared lock nearly all the time do not starve a
// writer: goroutines of one process, and processes.
func TestReadersAndWriter(t *testing.T) {
	const readers, rounds = 32, 20
	for _, kind := range []string{"goroutines", "processes"} {
		t.Run(kind, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "l")
			l := open(t, path, nil)
			ctx, cancel := context.WithCancel(context.Background())
			started := make(chan error, readers)
			ended := make(chan struct{}, readers)
			for range readers {
				go func() {
					defer func() { ended <- struct{}{} }()
					if kind == "processes" {
						started <- readInProcess(ctx, path)
						<-ctx.Done()
						return
					}
					for first := true; ; first = false {
						unlock, err := l.LockShared(ctx)
						if first {
							started <- err
						}
						if err != nil {
							return
						}
						time.Sleep(holdFor)
						unlock()
					}
				}()
			}
			for range readers {
				if err := <-started; err != nil {
					t.Error(err)
				}
			}
			var waits []time.Duration
			for range rounds {
				ctx, cancel := context.WithTimeout(ctx, writerBound)
				start := time.Now()
				unlock, err := l.Lock(ctx)
				cancel()
				if err != nil {
					t.Errorf("the writer is starved: %v", err)
					break
				}
				waits = append(waits, time.Since(start))
				unlock()
				time.Sleep(holdFor) // so that all readers have it again
			}
			cancel()
			for range readers {
				<-ended
			}
			if slices.Sort(waits); len(waits) < rounds {
				return
			}
			t.Logf("%d %s hold it for %v again and again; the writer waits %v, at the most %v",
				readers, kind, holdFor, waits[rounds/2], waits[rounds-1])
		})
	}
}

// readInProcess starts a process that reads until the context ends, and waits until it has
// begun.
func readInProcess(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "LOCK_TEST_READS="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	err = lines.Err()
	go func() {
		for lines.Scan() { // so that it can go on
		}
		_ = cmd.Wait()
	}()
	return err
}
