//go:build unix

// The test of the commands in docs/recipes.md.
package recipes

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
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

// prints is the end of a line that says what its command prints.
var prints = regexp.MustCompile(`(?m)^(.*\S) +# prints (.*)$`)

// script makes a program of a block: a line that says what its command prints fails if it prints
// something else.
func script(block string) string {
	return "set -eu\n" + prints.ReplaceAllString(block,
		`out=$$($1); [ "$$out" = '$2' ] || { echo "$$out is not $2"; exit 1; }`)
}

// TestRecipes runs each block of shell commands, in an empty directory of its own.
func TestRecipes(t *testing.T) {
	page, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	expected := 0
	for i, block := range blocks {
		expected += len(prints.FindAllString(block[1], -1))
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for _, needed := range []string{"bash", "flock", "jq", "timeout"} {
				call := regexp.MustCompile(`\b` + needed + ` `)
				if needed != "bash" && !call.MatchString(block[1]) {
					continue
				}
				if _, err := exec.LookPath(needed); err != nil {
					t.Skipf("no %s", needed)
				}
			}
			cmd := exec.Command("bash", "-c", script(block[1]))
			cmd.Dir = t.TempDir()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, block[1], out)
			}
		})
	}
	if len(blocks) < 5 || expected < 5 {
		t.Errorf("%d blocks with %d expected lines were found", len(blocks), expected)
	}
}

// TestScript: a command that prints something else, or fails, is noticed.
func TestScript(t *testing.T) {
	for block, want := range map[string]bool{
		"echo a  # prints a": true, "echo a  # prints b": false, "false": false,
		"echo 'a b' | cat  # prints a b": true, "false  # prints ": false,
	} {
		err := exec.Command("bash", "-c", script(block)).Run()
		if (err == nil) != want {
			t.Errorf("%s: %v", strings.TrimSpace(block), err)
		}
	}
}
