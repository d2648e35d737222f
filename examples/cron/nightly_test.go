//go:build unix

// The tests of the script, with several that start at once.
package cron

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jsonstore/jsonstore/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"jsonstore": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestNightly: of five that cron starts at once, one runs the job, and nobody later on
// that day.
func TestNightly(t *testing.T) {
	dir := t.TempDir()
	ran, gate := filepath.Join(dir, "ran"), filepath.Join(dir, "gate")
	job := filepath.Join(dir, "job")
	// The job notes that it has begun, and ends when somebody writes to its pipe.
	script := "#!/bin/sh\necho x >>'" + ran + "'\nread line <'" + gate + "'\n"
	if err := os.WriteFile(job, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfifo", gate).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pipe, err := os.OpenFile(gate, os.O_RDWR, 0) // does not wait for a reader
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	start := func() (*exec.Cmd, *bytes.Buffer) {
		cmd, out := exec.Command("./nightly.sh", dir, job), &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd, out
	}
	type ended struct {
		err error
		out string
	}
	results := make(chan ended)
	for range 5 {
		cmd, out := start()
		go func() {
			err := cmd.Wait()
			results <- ended{err, out.String()}
		}()
	}
	for n := range 5 {
		if n == 4 { // all others have ended
			if _, err := pipe.WriteString("go on\n"); err != nil {
				t.Fatal(err)
			}
		}
		if r := <-results; r.err != nil || r.out != "" {
			t.Errorf("%v: %s", r.err, r.out)
		}
	}
	// Once more, when it has run.
	cmd, out := start()
	if err := cmd.Wait(); err != nil || out.Len() > 0 {
		t.Errorf("%v: %s", err, out)
	}
	if text, err := os.ReadFile(ran); err != nil || strings.Count(string(text), "x") != 1 {
		t.Errorf("the job has run %d times, %v", strings.Count(string(text), "x"), err)
	}
}
