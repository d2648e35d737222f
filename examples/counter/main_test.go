package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

func TestMain(m *testing.M) {
	if os.Getenv("COUNTER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestCounter: three processes count in one document, and every word counts.
func TestCounter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words.json")
	const lines = 100
	var processes []*exec.Cmd
	for range 3 {
		cmd := exec.Command(os.Args[0], path)
		cmd.Env = append(os.Environ(), "COUNTER=1")
		cmd.Stdin = strings.NewReader(strings.Repeat("The cat and the dog\n\n", lines))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes = append(processes, cmd)
	}
	for _, cmd := range processes {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	doc, err := store.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	counts, _, err := store.Read[map[string]int](context.Background(), doc)
	if err != nil || counts["the"] != 6*lines || counts["dog"] != 3*lines || len(counts) != 4 {
		t.Errorf("%v, %v", counts, err)
	}
	if err := run(t.Context(), nil, nil); err == nil {
		t.Error("no file was taken")
	}
}
