//go:build unix

// The tests of the programs before and after a migration: the ones before lose updates of other
// processes, the ones after do not, and both have the same file.
package migrate

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jsonstore/jsonstore/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"jsonstore": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// modulesVariable names a directory node_modules with lowdb and conf.
const modulesVariable = "JSONSTORE_NODE_MODULES"

// here is a copy of this directory, which may have packages of Node.
func here(t *testing.T, module string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	if module == "" {
		return dir
	}
	modules := os.Getenv(modulesVariable)
	if _, err := os.Stat(filepath.Join(modules, module)); modules == "" || err != nil {
		t.Skipf("no package %s: npm install it, and name its node_modules in %s", module,
			modulesVariable)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// count runs commands at once, each with a file and a number as arguments. It returns how many of
// their updates are in the file, 0 if that is broken, and how many commands failed.
func count(t *testing.T, dir string, times int, commands ...[]string) (kept, failed int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data.json")
	// What else is in the file stays.
	const before = "{\n  \"visits\": 0,\n  \"a\": 1\n}\n"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	var started []*exec.Cmd
	for _, command := range commands {
		args := append([]string{file, strconv.Itoa(times)}, command[2:]...)
		for i, arg := range args {
			if arg == "FILE.lock" {
				args[i] = file + ".lock"
			}
		}
		cmd := exec.Command(command[0], append([]string{command[1]}, args...)...)
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		started = append(started, cmd)
	}
	for _, cmd := range started {
		if err := cmd.Wait(); err != nil {
			failed++ // as on content that another one is writing
		}
	}
	data, err := os.ReadFile(file)
	var found struct{ Visits, A int }
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil || found.A != 1 {
		t.Logf("the file is broken: %q, %v", data, err)
		return 0, failed
	}
	return found.Visits, failed
}

func TestMigrations(t *testing.T) {
	const processes, tries = 3, 20
	times := 50
	if testing.Short() {
		times = 15 // with the race detector a command takes a second to start
	}
	for _, test := range []struct {
		needs         []string // programs
		module        string   // of Node
		before, after []string
	}{
		{[]string{"node"}, "", []string{"node", "writefile-before.mjs"},
			[]string{"node", "writefile-after.mjs"}},
		{[]string{"node"}, "lowdb", []string{"node", "lowdb-before.mjs"},
			[]string{"node", "lowdb-after.mjs"}},
		{[]string{"node"}, "conf", []string{"node", "conf-before.mjs"},
			[]string{"node", "conf-after.mjs"}},
		{[]string{"flock", "jq"}, "", []string{"sh", "flock-before.sh"},
			[]string{"sh", "flock-after.sh"}},
	} {
		for i, side := range [][]string{test.before, test.after} {
			t.Run(side[1], func(t *testing.T) {
				module := test.module
				if i == 1 {
					module = ""
				}
				for _, program := range test.needs {
					if _, err := exec.LookPath(program); err != nil {
						t.Skipf("no %s", program)
					}
				}
				dir, all := here(t, module), make([][]string, processes)
				for j := range all {
					all[j] = side
				}
				if kept, _ := count(t, dir, times, all[0]); kept != times {
					t.Fatalf("one process alone keeps %d of %d", kept, times)
				}
				for try := 1; ; try++ {
					kept, failed := count(t, dir, times, all...)
					t.Logf("%d of %d updates, %d of %d processes failed", kept, processes*times,
						failed, processes)
					wrong := kept != processes*times || failed > 0
					if i == 0 && !wrong && try < tries {
						continue
					}
					if wrong != (i == 0) {
						t.Error("updates should be missing before, and none after")
					}
					return
				}
			})
		}
	}
}

// TestBesideFlock: scripts that lock a file of their own exclude jsonstore, and are excluded.
func TestBesideFlock(t *testing.T) {
	for _, program := range []string{"flock", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s", program)
		}
	}
	const times = 20
	old, migrated := []string{"sh", "flock-beside.sh"},
		[]string{"sh", "flock-after.sh", "--lock-file", "FILE.lock"}
	kept, failed := count(t, here(t, ""), times, old, migrated, old, migrated)
	if kept != 4*times || failed > 0 {
		t.Errorf("%d of %d updates, %d failed", kept, 4*times, failed)
	}
}
