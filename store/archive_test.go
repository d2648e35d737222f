package store

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestArchiveFormat: docs/format.md shows an archive, byte by byte.
func TestArchiveFormat(t *testing.T) {
	var out bytes.Buffer
	a, err := newArchive(&out)
	if err != nil {
		t.Fatal(err)
	}
	var entries []archived
	for _, d := range []struct{ key, content, modified string }{
		{"a", "{\"n\": 1}\n", "2026-11-29T10:14:59.812345678Z"},
		{"users/ada", "{\"age\": 36}\n", "2026-11-29T10:14:59.901234567Z"},
	} {
		modified, err := time.Parse(time.RFC3339Nano, d.modified)
		if err != nil {
			t.Fatal(err)
		}
		at, err := a.add([]byte(d.content))
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, archived{d.key, at, hashVersion([]byte(d.content)), modified})
	}
	created := time.Date(2026, 11, 29, 10, 15, 0, 123456789, time.UTC)
	if _, err := a.end(entries, created); err != nil {
		t.Fatal(err)
	}
	_, index, _ := strings.Cut(out.String(), "[")
	doc, err := os.ReadFile("../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "\n["+index+"```\n") ||
		!strings.Contains(string(doc), "\n"+archiveHeader) {
		t.Errorf("docs/format.md has not:\n[%s", index)
	}
}

// FuzzArchive: whatever a file has in it, it is read without a panic, and what is read of it fits
// its checksums.
func FuzzArchive(f *testing.F) {
	var out bytes.Buffer
	a, err := newArchive(&out)
	if err != nil {
		f.Fatal(err)
	}
	at, err := a.add([]byte("[1]"))
	if err == nil {
		entry := archived{Key: "a", At: at, Version: hashVersion([]byte("[1]"))}
		_, err = a.end([]archived{entry}, time.Time{})
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	// With checksums that fit.
	for _, index := range []string{
		`null`, `[]`, `[{"key":"a","at":-1,"version":"h:00000000000000000000000000000000-1"}]`,
		`[{"key":"a","at":21,"version":"h:00000000000000000000000000000000-9223372036854775807"}]`,
		`[{"key":"../a","at":21,"version":"-"}]`, `[{"key":"a","at":21}]`,
		`[{"key":"a.json/b","at":21,"version":"h:00000000000000000000000000000000-0"}]`,
	} {
		for _, tail := range []string{
			`{"documents":1,"at":21,"index":"` + hashVersion([]byte(index)).String() + `"}`,
			`{"documents":1,"at":-5,"index":"h:00000000000000000000000000000000-9223372036854775807"}`,
		} {
			f.Add([]byte(archiveHeader + index + "\n" + tail + "\n" +
				hashVersion([]byte(tail)).String() + "\n"))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := bytes.NewReader(data)
		tail, err := readTail(file, int64(len(data)))
		if err != nil {
			return
		}
		entries, err := readIndex(file, tail)
		if err != nil {
			return
		}
		for _, e := range entries {
			content, err := readArchived(file, e)
			if err == nil && hashVersion(content) != e.Version {
				t.Errorf("%q is not %v", content, e.Version)
			}
		}
		s := &Snapshot{entries: entries}
		_ = s.index()
	})
}
