package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	write := func(text string) {
		t.Helper()
		err := os.WriteFile(path+".new", []byte(text), 0o600)
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(`{"hello": "hello"}`)
	var current atomic.Pointer[settings]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, path, &current, writer)
		writer.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(reader)
	says := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("%q, %v, want %q", lines.Text(), lines.Err(), want)
		}
	}
	says(`settings: "hello", 1 workers`)
	if s := current.Load(); s.Schema != 2 {
		t.Errorf("schema %d", s.Schema)
	}
	write(`{"greeting": `)
	says("going on with the last good settings: ")
	write(`{"greeting": 1}`)
	says("going on with the last good settings: ")
	if s := current.Load(); s.Greeting != "hello" {
		t.Errorf("%q", s.Greeting)
	}
	write(`{"greeting": "hi", "workers": 4, "schema": 2}`)
	says(`settings: "hi", 4 workers`)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	says("the settings are gone")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
