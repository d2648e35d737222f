// The drafts of the verb edit.

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jsonstore/jsonstore/store"
)

func draftFor(t *testing.T) *draft {
	t.Helper()
	d, err := newDraft(filepath.Join(t.TempDir(), "doc.json"), []byte("draft"), []byte("base"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.remove() })
	return d
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDraftIsPrivate: neither a draft nor what an editor puts beside it is for others, and
// all of it is removed.
func TestDraftIsPrivate(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	d := draftFor(t)
	dir := filepath.Dir(d.path)
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{dir: 0o700, d.path: 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want %o", path, info.Mode(), err, want)
			}
		}
	}
	if !d.isAlone() {
		t.Error("something is beside the draft")
	}
	if err := os.WriteFile(filepath.Join(dir, ".doc.json.swp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d.isAlone() {
		t.Error("the file of an editor is not seen")
	}
	if err := d.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is left: %v", err)
	}
}

// TestDraftComesFirst: if a draft and its base cannot both be replaced, the base is the old
// one. The new base with the old draft would take back what others have changed.
func TestDraftComesFirst(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	d := draftFor(t)
	base := filepath.Join(filepath.Dir(d.path), draftBase)
	for _, broken := range []string{d.path, base} {
		old := content(t, broken)
		// Nothing can replace a directory that is not empty.
		err := errors.Join(os.Remove(broken), os.MkdirAll(filepath.Join(broken, "x"), 0o700))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.write([]byte("new draft"), []byte("new base")); err == nil {
			t.Fatal("no error")
		}
		if broken == d.path {
			if got := content(t, base); got != "base" {
				t.Errorf("the draft was not written, the base is %q", got)
			}
		} else if got := content(t, d.path); got != "new draft" {
			t.Errorf("the draft is %q", got)
		}
		err = errors.Join(os.RemoveAll(broken), os.WriteFile(broken, []byte(old), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	if !d.isAlone() {
		t.Error("temporary files are left")
	}
	if string(d.base) != "base" {
		t.Errorf("the base in use is %q", d.base)
	}
}

// TestDraftIsHeld: a draft that is being edited is not resumed, and not named as left.
func TestDraftIsHeld(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	d := draftFor(t)
	document := content(t, filepath.Join(filepath.Dir(d.path), draftDocument))
	if _, err := openDraft(d.path, document); !errors.Is(err, store.ErrLocked) {
		t.Errorf("it is resumed while it is edited: %v", err)
	}
	if left := leftDrafts(document); len(left) > 0 {
		t.Errorf("it is named while it is edited: %q", left)
	}
	d.close()
	if left := leftDrafts(document); !slices.Equal(left, []string{d.path}) {
		t.Errorf("left are %q, want %q", left, d.path)
	}
	if left := leftDrafts(document + "x"); len(left) > 0 {
		t.Errorf("another document has %q", left)
	}
	again, err := openDraft(d.path, document)
	if err != nil || string(again.base) != "base" {
		t.Fatalf("%v", err)
	}
	again.close()
}

// TestDraftName: whatever the name of the document, the draft is none of the files beside it,
// and its directory has a name.
func TestDraftName(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	for _, name := range []string{
		draftBase, draftLock, draftDocument, "*.json", strings.Repeat("é", 100) + ".json",
		"x" + strings.Repeat("é", 100) + ".json",
	} {
		if runtime.GOOS == "windows" && strings.Contains(name, "*") {
			continue // no name there
		}
		document := filepath.Join(t.TempDir(), name)
		d, err := newDraft(document, []byte("draft"), []byte("base"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d.close()
		dir := filepath.Base(filepath.Dir(d.path))
		if again, err := openDraft(d.path, document); err != nil || string(again.base) != "base" ||
			content(t, d.path) != "draft" || !utf8.ValidString(dir) {
			t.Errorf("%s: %v, in %q", name, err, dir)
		} else {
			again.close()
		}
		if left := leftDrafts(document); !slices.Equal(left, []string{d.path}) {
			t.Errorf("%s: left are %q", name, left)
		}
	}
}

func TestDraftsDir(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it is in %LocalAppData% there")
	}
	for _, test := range []struct{ state, home, want string }{
		{"/s", "/h", "/s/jsonstore/drafts"},
		{"", "/h", "/h/.local/state/jsonstore/drafts"},
		{"relative", "/h", "/h/.local/state/jsonstore/drafts"},
		{"", "", ""},
		{"", "relative", ""},
	} {
		t.Setenv("XDG_STATE_HOME", test.state)
		t.Setenv("HOME", test.home)
		got, err := draftsDir()
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q, %q: %q, %v, want %q", test.state, test.home, got, err, test.want)
		}
	}
}

func TestEditorArgs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no shell")
	}
	for _, test := range []struct {
		command string
		line    int
		want    []string
	}{
		{"vim", 0, []string{"vim", "f"}},
		{"/usr/bin/vim -n", 3, []string{"/usr/bin/vim", "-n", "+3", "f"}},
		{"code --wait", 3, []string{"code", "--wait", "f"}},
		{"vim '+set et'", 3, []string{"/bin/sh", "-c", `vim '+set et' "$@"`, "vim '+set et'", "+3", "f"}},
	} {
		if got := editorArgs(test.command, "f", test.line); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.command, got, test.want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"a/b-1.json": "a/b-1.json", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'",
	} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
