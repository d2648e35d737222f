// Runs the user's editor.

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// editorCommand is what $VISUAL or $EDITOR says, with its arguments. Without either it is
// the system's own, which needs a terminal.
func editorCommand(terminal bool) (string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if command := strings.TrimSpace(os.Getenv(name)); command != "" {
			return command, nil
		}
	}
	if !terminal {
		return "", usage("there is no editor: set VISUAL or EDITOR, or run it on a terminal")
	}
	if runtime.GOOS == "windows" {
		return "notepad", nil
	}
	return "vi", nil
}

// takesLine reports whether an editor goes to a line if the argument before the file is a
// plus sign and its number.
func takesLine(editor string) bool {
	switch filepath.Base(editor) {
	case "vi", "vim", "nvim", "gvim", "nano", "pico", "emacs", "emacsclient", "joe", "jed", "mg",
		"micro", "kak", "ne":
		return true
	}
	return false
}

// editorArgs splits a command as git does: words, unless it needs a shell.
func editorArgs(command, path string, line int) []string {
	words := strings.Fields(command)
	var more []string
	if line > 0 && takesLine(words[0]) {
		more = append(more, "+"+strconv.Itoa(line))
	}
	more = append(more, path)
	if runtime.GOOS != "windows" && strings.ContainsAny(command, "|&;<>()$`\\\"'*?[#~=%\n") {
		return append([]string{"/bin/sh", "-c", command + ` "$@"`, command}, more...)
	}
	return append(words, more...)
}

// runEditor runs the editor on a file, and waits until it ends. The keys of the terminal that
// signal are the editor's meanwhile. Another signal that ends this process is passed on,
// and returned as an error.
func (a *app) runEditor(command, path string, line int) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	args := editorArgs(command, path, line)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	if !isTerminal(a.stdout) {
		cmd.Stdout = a.stderr // standard output is for data
	}
	if err := cmd.Start(); err != nil {
		// Not %w: an editor that does not exist is no document that does not exist.
		return fmt.Errorf("run the editor: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var by os.Signal
	for {
		select {
		case err := <-ended:
			switch {
			case by != nil:
				return &signalError{by}
			case err != nil:
				return fmt.Errorf("the editor %s failed: %w", command, err)
			}
			return nil
		case s := <-signals:
			if s == syscall.SIGTERM || s == syscall.SIGHUP {
				by = s
				_ = cmd.Process.Signal(s)
			}
		}
	}
}
