// Whole commands.

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/load"
)

// increment is the expression by which commands update a document.
const increment = ".count += 1"

// commands measures whole processes, one after the other.
func (c config) commands(top, program string) (string, error) {
	ours, plain := filepath.Join(top, "ours.json"), filepath.Join(top, "plain.json")
	for _, path := range []string{ours, plain} {
		if err := os.WriteFile(path, load.Document(200), 0o600); err != nil {
			return "", err
		}
	}
	type command struct {
		name string
		args []string
	}
	var all []command
	for _, level := range allLevels {
		all = append(all, command{"jsonstore update, " + level.String(),
			[]string{program, "update", ours, "--expr", increment, "--sync", level.String()}})
	}
	all = append(all, command{"jsonstore get", []string{program, "get", ours, "count"}})
	if jq, err := exec.LookPath("jq"); err == nil {
		const replace = `jq "$1" "$2" > "$2.tmp" && mv "$2.tmp" "$2"`
		all = slices.Insert(all, 0,
			command{"jq, to nowhere", []string{jq, increment, plain}},
			command{"jq > tmp && mv", []string{"sh", "-c", replace, "sh", increment, plain}})
	}
	runs := max(3, int(c.time/(5*time.Millisecond)))
	times := make([][]float64, len(all))
	for range runs {
		for i, command := range all {
			begin := time.Now()
			if err := execute(command.args); err != nil {
				return "", err
			}
			times[i] = append(times[i], float64(time.Since(begin)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#### whole commands, 200 bytes, medians of %d\n\n", runs)
	fmt.Fprintf(&b, "| | takes | x %s |\n| --- | ---: | ---: |\n", all[0].name)
	for i, command := range all {
		takes := median(times[i])
		fmt.Fprintf(&b, "| %s | %s | %.2f |\n",
			command.name, duration(time.Duration(takes)), takes/median(times[0]))
	}
	return b.String() + "\n", nil
}

// execute runs a command to its end.
func execute(args []string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// built builds the command in dir, as it is released.
func built(dir string) (string, error) {
	program := filepath.Join(dir, "jsonstore")
	return program, goBuild(program)
}

// goBuild builds the command into the file program.
func goBuild(program string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program,
		"./cmd/jsonstore")
	cmd.Dir = ".." // of the directory of this module, where go run is called
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the command: %w: %s", err, out)
	}
	return nil
}
