//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

func TestMain(m *testing.M) {
	if os.Getenv("LEADER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestLeaders: of three processes one leads. It is killed, then the next one is ended.
func TestLeaders(t *testing.T) {
	dir := t.TempDir()
	type turn struct {
		name  string
		token uint64
	}
	turns := make(chan turn, 100)
	processes := map[string]*exec.Cmd{}
	for _, name := range []string{"a", "b", "c"} {
		cmd := exec.Command(os.Args[0], "-name", name, "-ttl", "1s", dir)
		cmd.Env = append(os.Environ(), "LEADER=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		processes[name] = cmd
		go func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				var next turn
				_, err := fmt.Sscanf(lines.Text(), "%s leads with token %d",
					&next.name, &next.token)
				if err != nil {
					t.Errorf("%q: %v", lines.Text(), err)
				}
				turns <- next
			}
		}()
	}
	newest := uint64(0)
	for range 3 {
		var now turn
		select {
		case now = <-turns:
		case <-time.After(30 * time.Second):
			t.Fatal("nobody leads")
		}
		if now.token <= newest || processes[now.name] == nil {
			t.Fatalf("%+v after token %d", now, newest)
		}
		newest = now.token
		cmd := processes[now.name]
		if len(processes) == 3 {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		} else {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s: %v", now.name, err)
			}
		}
		delete(processes, now.name)
	}
	db, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	w, _, err := store.Read[work](context.Background(), db.Doc("work"))
	if err != nil || w.Beats < 3 || uint64(w.Fence) != newest {
		t.Errorf("%+v, %v", w, err)
	}
}
