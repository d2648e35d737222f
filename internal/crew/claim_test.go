//go:build unix

package crew

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

const forEver = time.Duration(math.MaxInt64 - int64(Patience))

// A directory stays in use until the last process of its crew has ended, also when the process that
// made it has ended before.
func TestClaim(t *testing.T) {
	files, dir := fsys.New(), t.TempDir()
	claim, err := NewClaim(files, dir, BenchPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if Abandoned(files, claim.Dir) {
		t.Error("a directory that was just made is abandoned")
	}
	const script = "read task; echo ready; read end"
	shell := claim.Share(Program{Path: "/bin/sh", Args: []string{"sh", "-c", script}})
	crew, err := shell.StartAll(t.Context(), []Task{{What: "wait"}}, forEver)
	if err != nil {
		t.Fatal(err)
	}
	claim.lock.Close() // as the kernel does when the process dies
	Sweep(files, dir)
	if Abandoned(files, claim.Dir) {
		t.Error("the directory is abandoned while a process of the crew lives")
	}
	crew.Kill()
	if !Abandoned(files, claim.Dir) {
		t.Error("the directory is in use after all processes have ended")
	}
	Sweep(files, dir)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v (%v)", entries, err)
	}
}

// A new directory may be about to get its lock file. A directory or file that only resembles a
// crew's directory stays.
func TestSweepLeaves(t *testing.T) {
	files, dir := fsys.New(), t.TempDir()
	const id = "0123456789abcdef"
	now, old := time.Now(), time.Now().Add(-2*settling)
	for name, made := range map[string]time.Time{
		BenchPrefix + id: now, VerifyPrefix + id: now, "mine": old,
		BenchPrefix + "mine": old, BenchPrefix + "results-of-today": old,
		BenchPrefix + id + "0":      old,
		VerifyPrefix + "1" + id[1:]: old,
	} {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, made, made); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("mine", filepath.Join(dir, BenchPrefix+"2"+id[1:])); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, VerifyPrefix+"3"+id[1:]), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	Sweep(files, dir)
	for name, want := range map[string]bool{
		BenchPrefix + id: true, VerifyPrefix + id: true, "mine/file": true,
		BenchPrefix + "mine/file": true, BenchPrefix + "results-of-today/file": true,
		BenchPrefix + id + "0": true, VerifyPrefix + "1" + id[1:]: false,
		BenchPrefix + "2" + id[1:]: true, VerifyPrefix + "3" + id[1:]: true,
	} {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
}
