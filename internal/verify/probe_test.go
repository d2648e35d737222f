// Probes of the real system, and of broken ones.

package verify

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	facts := Probe(t.Context(), fsys.New(), dir, AskBy(program(t, "")))
	findings := Judge(facts, false)
	for _, f := range findings {
		t.Logf("%s %s: %s", f.State, f.Name, f.Text)
	}
	if !Fit(findings) || facts.OtherError != "" || facts.TimeStep <= 0 || facts.ClockStep <= 0 {
		t.Errorf("not fit: %+v", facts)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v was left", entries, err)
	}
}

// readOnly is a file system that refuses writes.
type readOnly struct{ fsys.FS }

func (readOnly) Open(name string, how fsys.How, _ fs.FileMode) (fsys.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func (readOnly) Mkdir(name string, _ fs.FileMode) error {
	return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrPermission}
}

// lax is a file system whose locks do not exclude and whose renames always replace.
type lax struct{ fsys.FS }

type laxFile struct{ fsys.File }

func (l lax) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	file, err := l.FS.Open(name, how, perm)
	return laxFile{file}, err
}

func (laxFile) TryLock() (bool, error) { return true, nil }
func (laxFile) Unlock() error          { return nil }
func (laxFile) Sync() error            { return errors.New("input/output error") }

func (l lax) Rename(from, to string, _ fsys.RenameHow) error {
	return l.FS.Rename(from, to, fsys.Replace)
}

func (lax) Link(string, string) error { return errors.ErrUnsupported }

func TestProbeFinds(t *testing.T) {
	dir := t.TempDir()
	facts := Probe(t.Context(), readOnly{fsys.New()}, dir, nil)
	if facts.ReplaceError == "" {
		t.Error("a directory that nobody may write to was written to")
	}
	free := func(context.Context, string) (bool, error) { return true, nil }
	facts = Probe(t.Context(), lax{fsys.New()}, dir, free)
	if facts.LockExcludes || facts.LockExcludesOthers || facts.HardLinks || facts.Exchange ||
		facts.NoReplace != "none" ||
		facts.NoReplaceError == "" || facts.FlushError == "" {
		t.Errorf("what does not work was found to work: %+v", facts)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v was left", entries, err)
	}
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"good.json": "{}", "bad.json": "{", "text.txt": "no", ".hidden.json": "{",
		".good.json.0123456789abcdef.tmp": "{}", ".good.json.0123456789abcdex.tmp": "", ".0123456789abcdef.tmp": "",
		".live.json.0123456789abcdef.tmp": "", ".jsonstore-probe-0123456789abcdef-1": "",
		".good.json.tx": "not a whole intent", ".good.json.0123456789abcdef0123456789abcdef.tmp": "",
		".bad.json.0123456789abcdef0123456789abcdef.tmp": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "directory.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := fsys.New()
	used, err := crew.NewClaim(files, dir, crew.BenchPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer used.Release()
	live, err := files.Open(filepath.Join(dir, ".live.json.0123456789abcdef.tmp"),
		fsys.OpenExisting, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := live.TryLock(); err != nil {
		t.Fatal(err)
	}
	found, err := Look(t.Context(), files, dir, &store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if found.Documents != 2 || found.Unread != 1 ||
		!slices.Equal(found.Invalid, []string{"bad.json"}) ||
		!slices.Equal(found.Orphans, []string{".bad.json.0123456789abcdef0123456789abcdef.tmp",
			".good.json.0123456789abcdef.tmp"}) ||
		!slices.Equal(found.Intents, []Intent{{Document: "good.json", State: "void"}}) ||
		len(found.Leftovers) != 1 {
		t.Errorf("found %+v", found)
	}
	if findings := found.Findings(); len(findings) != 4 || !Fit(findings) {
		t.Errorf("findings %+v", findings)
	}
}
