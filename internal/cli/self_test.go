//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// Without /proc the program is found by its name, as a shell finds it.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "jsonstore")
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"./jsonstore": "./jsonstore", "/bin/jsonstore": "/bin/jsonstore",
		"jsonstore": program, "data": "", "other": "",
	} {
		if got := find(name, "/nonexistent:"+dir); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
