package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSettings: an absent document has the defaults; a change keeps what this program does not
// know, and the text around it; what is refused changes nothing.
func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	show := func(want string) {
		t.Helper()
		var out strings.Builder
		if err := run(t.Context(), []string{path}, &out); err != nil || out.String() != want {
			t.Errorf("%q, %v", out.String(), err)
		}
	}
	show("color light\nsize 12\n")
	const before = "{\n  \"zoom\": 1.10,\n" +
		"  \"theme\": {\"font\": \"mono\", \"color\": \"light\"}\n}\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]string{{"color", "red"}, {"size", "5"}, {"size", "x"}, {"name", "x"}} {
		if err := run(t.Context(), append([]string{path}, bad...), io.Discard); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != before {
		t.Errorf("%q, %v", now, err)
	}
	if err := run(t.Context(), []string{path, "color", "dark"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "light", "dark", 1)
	if now, err := os.ReadFile(path); err != nil || string(now) != want {
		t.Errorf("%q, %v", now, err)
	}
	show("color dark\nsize 12\n")
	if err := run(t.Context(), []string{path, "size", "14"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	show("color dark\nsize 14\n")
	if err := run(t.Context(), nil, io.Discard); err == nil {
		t.Error("no file was taken")
	}
}
