// The test of the tests: each mutant is a defect of the store, and the tests that it names must
// fail with it.

package proptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutant is a defect of a package.
type mutant struct {
	name   string
	killer string // the expression for the tests of the package that must fail
	file   string // one or more files, separated by spaces; in store unless it names a directory
	edits  []edit
}

// edit replaces from, which the files have exactly once, by to.
type edit struct{ from, to string }

// TestMutants takes long, mostly for compiling. It runs if JSONSTORE_MUTANTS is set: to 1 for all
// of them, or to 0/3, 1/3 or 2/3 for every third.
func TestMutants(t *testing.T) {
	setting, ok := os.LookupEnv("JSONSTORE_MUTANTS")
	if !ok {
		t.Skip("takes long: set JSONSTORE_MUTANTS=1")
	}
	part, parts := 0, 1
	_, err := fmt.Sscanf(setting, "%d/%d", &part, &parts)
	if setting != "1" && (err != nil || part < 0 || part >= parts) {
		t.Fatalf("JSONSTORE_MUTANTS=%s: want 1, or a part such as 0/3", setting)
	}
	for i, m := range allMutants() {
		if setting == "1" || i%parts == part {
			t.Run(m.name, func(t *testing.T) { m.mustBeKilled(t) })
		}
	}
}

func allMutants() []mutant {
	return slices.Concat(mutants, combineMutants, shellMutants, keepMutants, trustMutants,
		txMutants, viewMutants, listMutants, largeMutants, engineMutants, unfinishedMutants,
		leaseMutants, journalMutants, mergeMutants, watchMutants, lockMutants, recoverMutants,
		historyMutants, snapshotMutants)
}

// TestMutantsApply: each text that a mutant replaces exists exactly once. A change of the code that
// moves such a text fails here at once.
func TestMutantsApply(t *testing.T) {
	for _, m := range allMutants() {
		if _, err := m.apply(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// dir returns the directory of the mutant's package.
func (m mutant) dir() (string, error) {
	dir, _ := filepath.Split(m.file)
	if dir == "" {
		dir = "store"
	}
	return filepath.Abs(filepath.Join("..", dir))
}

// apply returns the changed files of the mutant, by path.
func (m mutant) apply() (map[string][]byte, error) {
	dir, err := m.dir()
	if err != nil {
		return nil, err
	}
	sources := map[string][]byte{}
	for _, file := range strings.Fields(m.file) {
		path := filepath.Join(dir, filepath.Base(file))
		if sources[path], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	for _, e := range m.edits {
		places := 0
		for path, source := range sources {
			if n := bytes.Count(source, []byte(e.from)); n > 0 {
				places += n
				sources[path] = bytes.Replace(source, []byte(e.from), []byte(e.to), 1)
			}
		}
		if places != 1 {
			return nil, fmt.Errorf("%s has %d places like %q, want 1", m.file, places, e.from)
		}
	}
	return sources, nil
}

func (m mutant) mustBeKilled(t *testing.T) {
	dir, err := m.dir()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := m.apply()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	overlay, replace := filepath.Join(temp, "overlay.json"), map[string]string{}
	for path, source := range sources {
		replace[path] = filepath.Join(temp, filepath.Base(path))
		if err := os.WriteFile(replace[path], source, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err == nil {
		err = os.WriteFile(overlay, encoded, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(temp, "package.test")
	build := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start := time.Now()
	cmd := exec.Command(binary, "-test.run", m.killer, "-test.failfast", "-test.timeout", "2m")
	if base := filepath.Base(dir); base == "store" || base == "lease" || base == "splice" {
		cmd.Args = append(cmd.Args, "-rapid.nofailfile")
	}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "JSONSTORE_SLOW=also")
	out, err := cmd.CombinedOutput()
	seconds := time.Since(start).Seconds()
	_, failed, _ := strings.Cut(string(out), "--- FAIL: ")
	if err == nil || failed == "" {
		t.Fatalf("%s does not notice (%v, %.1f s)\n%s", m.killer, err, seconds, out)
	}
	by, _, _ := strings.Cut(failed, "\n")
	if _, sub, ok := strings.Cut(failed, "    --- FAIL: "); ok {
		by, _, _ = strings.Cut(sub, "\n")
	}
	t.Logf("killed in %.2f s by %s", seconds, by)
}
