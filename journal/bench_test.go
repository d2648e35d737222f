package journal

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

// The rate of appends, beside a plain file that is written with O_APPEND and flushed:
//
//	TMPDIR=DIR go test -run '^$' -bench . ./journal
//
// measures it in the directory DIR. A record has 106 bytes.

// workerVariable has the way to append and the file, for the processes of BenchmarkProcesses.
const workerVariable = "JSONSTORE_JOURNAL_WORKER"

func TestMain(m *testing.M) {
	if todo, ok := os.LookupEnv(workerVariable); ok {
		if err := benchWorker(todo); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// appenders are ways to append a record to a file and to make it durable.
var appenders = map[string]func(path string) (func(line []byte) error, error){
	"plain": func(path string) (func(line []byte) error, error) {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		return func(line []byte) error {
			_, err := file.Write(append(line, '\n'))
			if err == nil {
				err = file.Sync()
			}
			return err
		}, err
	},
	"journal": func(path string) (func(line []byte) error, error) {
		j, err := Open(path, nil)
		return func(line []byte) error {
			_, err := j.Append(context.Background(), line)
			return err
		}, err
	},
}

// benchWorker is a process: it says that it is ready, and appends as often as it is told.
func benchWorker(todo string) error {
	how, path, _ := strings.Cut(todo, " ")
	add, err := appenders[how](path)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	times := 0
	if _, err := fmt.Scanln(&times); err != nil {
		return err
	}
	line := padded(1)
	for range times {
		if err := add(line); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkProcesses: durable appends of processes to one file.
func BenchmarkProcesses(b *testing.B) {
	for _, how := range []string{"plain", "journal"} {
		for _, processes := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/%d", how, processes), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "a.jsonl")
				var all []*exec.Cmd
				begin := func() {}
				for i := range processes {
					cmd := exec.Command(os.Args[0])
					cmd.Env = append(os.Environ(), workerVariable+"="+how+" "+path)
					cmd.Stderr = os.Stderr
					in, inErr := cmd.StdinPipe()
					out, outErr := cmd.StdoutPipe()
					if inErr != nil || outErr != nil {
						b.Fatal(inErr, outErr)
					}
					if err := cmd.Start(); err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { _ = cmd.Process.Kill() })
					if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
						b.Fatal(line, err)
					}
					all = append(all, cmd)
					before := begin
					begin = func() { before(); fmt.Fprintln(in, (b.N+i)/processes) }
				}
				b.ResetTimer()
				begin()
				for _, cmd := range all {
					if err := cmd.Wait(); err != nil {
						b.Error(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// BenchmarkGoroutines: appends of goroutines through one handle.
func BenchmarkGoroutines(b *testing.B) {
	for _, durability := range durabilities {
		for _, goroutines := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%v/%d", durability, goroutines), func(b *testing.B) {
				benchGoroutines(b, durability, goroutines)
			})
		}
	}
}

func benchGoroutines(b *testing.B, durability store.Durability, goroutines int) {
	j, err := Open(filepath.Join(b.TempDir(), "a.jsonl"), &Options{Durability: durability})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	value := padded(1)
	var all sync.WaitGroup
	b.ResetTimer()
	for g := range goroutines {
		all.Go(func() {
			for range (b.N + g) / goroutines {
				if _, err := j.Append(b.Context(), value); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
