package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// hurried is a file system whose directory misses a segment that is being compressed while it
// is read, the first time.
type hurried struct {
	fsys.FS
	misses int
}

func (h *hurried) ReadDir(name string) ([]fsys.Entry, error) {
	entries, err := h.FS.ReadDir(name)
	if h.misses--; h.misses < 0 {
		return entries, err
	}
	var seen []fsys.Entry
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name, gzSuffix) {
			seen = append(seen, entry)
		}
	}
	return seen, err
}

// A segment that a reading of the directory misses does not give its numbers to others.
func TestMissedSegment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	j := openTest(t, path, Options{})
	mustAppend(t, j, "1", "2")
	if _, err := j.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := openFiles(&hurried{fsys.New(), 1}, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if found, err := other.list(); len(found) != 1 || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// A segment that retention removes while it is compressed does not come back.
func TestRemovedWhileCompressed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.jsonl")
	var j *Journal
	files := &simfs.Faulty{FS: fsys.New(), Inject: func(op, name string) simfs.Fault {
		if op == "set mtime" && name == j.gzTemp() {
			segments, err := j.list()
			if err != nil || len(segments) != 1 {
				t.Error(segments, err)
				return simfs.Fault{}
			}
			if err := os.Remove(segments[0].Path); err != nil {
				t.Error(err)
			}
		}
		return simfs.Fault{}
	}}
	var err error
	if j, err = openFiles(files, path, nil); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	mustAppend(t, j, "1", "2")
	if _, err := j.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantTexts(t, entries(t, dir))
}

// mixed is a file that is repaired and appended to while it is read for the first time: the
// reader gets the beginning of what was torn and the end of what came in its place.
type mixed struct {
	fsys.File
	reads int
}

func (m *mixed) ReadAt(p []byte, offset int64) (int, error) {
	content := "1\n99345\n"
	if m.reads++; m.reads == 1 {
		content = "1\n12345\n"
	}
	return strings.NewReader(content).ReadAt(p, offset)
}

func (m *mixed) Stat() (fsys.Info, error) { return fsys.Info{Size: 8}, nil }

func TestReadWhileRepaired(t *testing.T) {
	src, err := newSource(&mixed{}, Segment{First: 1}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", "99345"} {
		if line, _, err := src.line(); string(line) != want || err != nil {
			t.Errorf("%q, %v, want %s", line, err, want)
		}
	}
	if _, _, err := src.line(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// A temporary file with another name, and a lock file with one, are left alone.
func TestLinkedNames(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "other")
	j := openTest(t, path, Options{})
	mustAppend(t, j, "1")
	if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(other)
	if err == nil {
		err = os.Link(other, j.gzTemp())
	}
	if err != nil {
		t.Skip(err)
	}
	if _, err := j.Rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Error(err)
	}
	if err := os.Remove(j.lockPath()); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(other, j.lockPath()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, openTest(t, path, Options{}), "2") // makes a live file
	after, err := os.Stat(other)
	if err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("%v, %v", after, err)
	}
}
