//go:build unix

// The verb edit in a real terminal, which tmux is, with a real editor. Skipped where one of
// them is missing.

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// terminal is a tmux server with one window, in which a command runs.
type terminal struct {
	*testing.T
	socket, dir string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	for _, name := range []string{"tmux", "vim"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs tmux and vim: the terminal is not tested: %v", err)
		}
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "tmux")
	if len(socket) > 90 { // the system's limit is 108
		short, err := os.MkdirTemp("", "tmux")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(short) })
		socket = filepath.Join(short, "s")
	}
	return &terminal{T: t, socket: socket, dir: dir}
}

func (t *terminal) tmux(args ...string) string {
	t.Helper()
	args = append([]string{"-S", t.socket, "-f", "/dev/null"}, args...)
	out, err := exec.Command("tmux", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// edit starts to edit a document with vim, and waits until it shows it.
func (t *terminal) edit(content string, flags ...string) {
	t.Helper()
	if content != "" {
		t.write(content)
	}
	bin := filepath.Join(t.dir, "jsonstore")
	if _, err := os.Lstat(bin); err != nil {
		if err := os.Symlink(os.Args[0], bin); err != nil { // testscript.Main goes by the name
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf("cd %s; XDG_STATE_HOME=%[1]s/state VISUAL='vim -u NONE -i NONE -N' "+
		"%s edit doc.json %s; echo exit=$?; exec sleep 600", t.dir, bin, strings.Join(flags, " "))
	// A server of its own: another one may be about to end.
	t.socket += "+"
	socket := t.socket
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", socket, "kill-server").Run() })
	t.tmux("new-session", "-d", "-x", "200", "-y", "30", script)
	t.shows("doc.json\" ")
}

func (t *terminal) doc() string { return filepath.Join(t.dir, "doc.json") }

func (t *terminal) write(content string) {
	t.Helper()
	if err := os.WriteFile(t.doc(), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (t *terminal) wants(content string) {
	t.Helper()
	if data, err := os.ReadFile(t.doc()); err != nil || string(data) != content {
		t.Fatalf("the document is %q, %v, want %q", data, err, content)
	}
}

// keys types; tmux knows Enter, Escape and C-c by name.
func (t *terminal) keys(keys ...string) {
	t.Helper()
	t.tmux(append([]string{"send-keys"}, keys...)...)
}

// shows waits until the terminal shows a text.
func (t *terminal) shows(text string) string {
	t.Helper()
	screen := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		screen = t.tmux("capture-pane", "-p", "-J")
		if strings.Contains(screen, text) {
			return screen
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
	t.Fatalf("the terminal does not show %q:\n%s", text, screen)
	return ""
}

// draft is the only one that is left.
func (t *terminal) draft() string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(t.dir, "state/jsonstore/drafts/*/doc.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("drafts: %q, %v", found, err)
	}
	return found[0]
}

// draftHas checks that the draft is kept, and has the text.
func (t *terminal) draftHas(text string) {
	t.Helper()
	data, err := os.ReadFile(t.draft())
	if err != nil || !strings.Contains(string(data), text) {
		t.Errorf("the draft is %q, %v", data, err)
	}
}

func (t *terminal) noDraft() {
	t.Helper()
	if found, _ := os.ReadDir(filepath.Join(t.dir, "state/jsonstore/drafts")); len(found) > 0 {
		t.Fatalf("drafts are left: %v", found)
	}
}

// set changes the document as another program does.
func (t *terminal) set(path string, value any) {
	t.Helper()
	doc, err := store.OpenFile(t.doc(), &store.Options{AllowNetwork: true})
	if err == nil {
		defer doc.Close()
		_, err = doc.Set(context.Background(), path, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestEditInTerminal(t *testing.T) {
	const before = "{\n  \"a\": 1,\n  \"b\": 1.10\n}\n"
	t.Run("an edit", func(t *testing.T) {
		term := newTerminal(t)
		term.edit(before)
		term.keys(":%s/1,/2,/", "Enter", ":wq", "Enter")
		term.shows("exit=0")
		term.wants("{\n  \"a\": 2,\n  \"b\": 1.10\n}\n")
		term.noDraft()
	})
	t.Run("keys that signal are the editor's", func(t *testing.T) {
		term := newTerminal(t)
		term.edit(before)
		term.keys("C-c", "C-c")
		term.shows("to exit Vim")
		term.keys(":%s/1,/3,/", "Enter", ":wq", "Enter")
		term.shows("exit=0")
		term.wants("{\n  \"a\": 3,\n  \"b\": 1.10\n}\n")
	})
	t.Run("a conflict", func(t *testing.T) {
		term := newTerminal(t)
		term.edit(before)
		term.set("a", 5)
		term.set("b", 2)
		term.keys(":%s/1,/4,/", "Enter", ":wq", "Enter")
		term.shows("merge conflict at a: base 1, ours 4, theirs 5")
		term.keys("Enter")
		term.shows(`"theirs": 5`)
		term.keys(":wq", "Enter") // not resolved
		term.shows("exit=6")
		term.wants("{\n  \"a\": 5,\n  \"b\": 2\n}\n")
		draft := term.draft()
		term.tmux("kill-server")
		term.edit("", "--resume", draft)
		term.keys(`:%s/: {\_s*"<<<\_.*theirs.*\_s*}\_s*}/: 45/`, "Enter", ":wq", "Enter")
		term.shows("exit=0")
		term.wants("{\n  \"a\": 45,\n  \"b\": 2\n}\n")
		term.noDraft()
	})
	t.Run("invalid JSON", func(t *testing.T) {
		term := newTerminal(t)
		term.edit(before)
		term.keys(":%s/1.10/1,10/", "Enter", ":wq", "Enter")
		term.shows("line 3, column 10: ")
		term.keys("Enter")
		term.shows(`"b": 1,10`)
		term.keys(":s/1,10/1/", "Enter", ":wq", "Enter") // in the line of the error
		term.shows("exit=0")
		term.wants("{\n  \"a\": 1,\n  \"b\": 1\n}\n")
		term.noDraft()
	})
	t.Run("invalid JSON, and no more", func(t *testing.T) {
		term := newTerminal(t)
		term.edit(before)
		term.keys(":%s/1.10/1,10/", "Enter", ":wq", "Enter")
		term.shows("Press Enter")
		term.keys("C-c")
		term.shows("exit=5")
		term.wants(before)
		term.draftHas("1,10")
	})
	t.Run("an editor that fails", func(t *testing.T) {
		term := newTerminal(t)
		term.edit(before)
		term.keys(":%s/1,/6,/", "Enter", ":w", "Enter", ":cq", "Enter")
		term.shows("exit=8")
		term.wants(before)
		term.draftHas("6,")
	})
	for _, signal := range []string{"-KILL", "-TERM"} {
		t.Run("an editor that is killed by "+signal, func(t *testing.T) {
			term := newTerminal(t)
			term.edit(before)
			term.keys(":%s/1,/7,/", "Enter", "oMORE", "Escape")
			term.shows("MORE")
			term.keys(":preserve", "Enter")
			term.shows("File preserved")
			// The shell of the window, the command, the editor.
			pid := strings.TrimSpace(term.tmux("display-message", "-p", "#{pane_pid}"))
			for range 2 {
				out, err := exec.Command("ps", "-o", "pid=", "--ppid", pid).Output()
				if err != nil {
					t.Skipf("needs ps: %v", err)
				}
				pid = strings.Fields(string(out))[0]
			}
			if err := exec.Command("kill", signal, pid).Run(); err != nil {
				t.Fatal(err)
			}
			term.shows("exit=8")
			term.wants(before)
			swap, _ := filepath.Glob(filepath.Join(filepath.Dir(term.draft()), ".doc.json.sw*"))
			if len(swap) == 0 {
				t.Error("what the editor has not saved is lost")
			}
		})
	}
	t.Run("a full disk", func(t *testing.T) {
		term := newTerminal(t)
		small := filepath.Join(term.dir, "small")
		if err := os.Mkdir(small, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := mountSmall(small); err != nil {
			t.Skipf("needs root, and a system where it may mount a tmpfs: %v", err)
		}
		t.Cleanup(func() {
			if err := unmount(small); err != nil {
				t.Error(err)
			}
		})
		if err := os.Symlink("small/doc.json", term.doc()); err != nil {
			t.Fatal(err)
		}
		term.edit(before)
		fill := filepath.Join(small, "fill")
		if err := os.WriteFile(fill, make([]byte, 4<<20), 0o600); err == nil {
			t.Fatal("the disk is not full")
		}
		term.keys(":%s/1,/9,/", "Enter", ":wq", "Enter")
		term.shows("no space left on device; nothing was changed, and the draft is kept")
		term.shows("exit=8")
		term.wants(before)
		draft := term.draft()
		term.tmux("kill-server")
		if err := os.Remove(fill); err != nil {
			t.Fatal(err)
		}
		term.edit("", "--resume", draft)
		term.keys(":q", "Enter")
		term.shows("exit=0")
		term.wants("{\n  \"a\": 9,\n  \"b\": 1.10\n}\n")
		term.noDraft()
	})
	t.Run("the command is killed", func(t *testing.T) {
		term := newTerminal(t)
		term.edit(before)
		term.keys(":%s/1,/8,/", "Enter", ":w", "Enter")
		term.shows("written")
		term.tmux("kill-server")
		term.wants(before)
		draft := term.draft()
		term.edit("", "--resume", draft)
		term.keys(":q", "Enter")
		term.shows("exit=0")
		term.wants("{\n  \"a\": 8,\n  \"b\": 1.10\n}\n")
		term.noDraft()
	})
}
