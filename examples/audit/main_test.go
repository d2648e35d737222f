package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func TestAudit(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			args := []string{dir, "ada", fmt.Sprint("login ", i)}
			if err := run(t.Context(), args, io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var out strings.Builder
	if err := run(t.Context(), []string{dir, "bob", "logout"}, &out); err != nil ||
		out.String() != "9\n" {
		t.Fatalf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := run(t.Context(), []string{dir, "8"}, &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^8 [0-9: -]{19} ada: login [0-7]\n9 [0-9: -]{19} bob: logout\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("%q", out.String())
	}

	// Damage is named, and the rest is listed.
	path := filepath.Join(dir, "audit.jsonl")
	data, err := os.ReadFile(path)
	if err == nil {
		data[0] = 'x'
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	err = run(t.Context(), []string{dir}, &out)
	if err == nil || !strings.Contains(err.Error(), "record 1: corrupt") ||
		strings.Count(out.String(), "\n") != 8 {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := run(t.Context(), nil, io.Discard); err == nil {
		t.Error("no arguments were taken")
	}
}
