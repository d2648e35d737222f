package journal

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

// FuzzLiveFile: whatever a live file has, an append keeps its whole lines, moves the rest aside and
// loses no byte; and readers get each line once, in order, or an error for it.
func FuzzLiveFile(f *testing.F) {
	for _, seed := range []string{"", "1\n", "1\n2", "\n\n", "1\n\x002\n3\n", "{\"a\":1}\n[\n",
		"\x00", "1\r\n2\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.jsonl")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var moved []byte
		opts := Options{Durability: store.Volatile, OnRepair: func(r Repair) {
			var err error
			if moved, err = os.ReadFile(r.Path); err != nil {
				t.Error(err)
			}
		}}
		j := openTest(t, path, opts)
		seq, err := j.Append(t.Context(), []byte("7"))
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kept, ok := bytes.CutSuffix(after, []byte("7\n"))
		if !ok || !bytes.Equal(append(bytes.Clone(kept), moved...), content) {
			t.Fatalf("%q became %q and %q", content, after, moved)
		}
		if len(kept) > 0 && kept[len(kept)-1] != '\n' || bytes.IndexByte(kept, 0) >= 0 {
			t.Errorf("kept %q", kept)
		}
		if seq != uint64(bytes.Count(kept, []byte("\n")))+1 {
			t.Errorf("number %d after %q", seq, kept)
		}
		checkLines(t, j, after)
	})
}

// checkLines wants a record or an error for each line.
func checkLines(t *testing.T, j *Journal, content []byte) {
	t.Helper()
	lines := bytes.SplitAfter(content, []byte("\n"))
	n := uint64(0)
	for r, err := range j.Records(t.Context(), 1) {
		n++
		var bad *CorruptError
		switch {
		case errors.As(err, &bad):
			if bad.First != n || bad.Last != n {
				t.Errorf("%v, want record %d", bad, n)
			}
		case err != nil:
			t.Fatal(err)
		case r.Seq != n || !bytes.Equal(append(bytes.Clone(r.Value), '\n'), lines[n-1]):
			t.Errorf("record %d is %q, want %q", r.Seq, r.Value, lines[n-1])
		}
	}
	if n != uint64(len(lines)-1) {
		t.Errorf("%d records of %d lines", n, len(lines)-1)
	}
}

// FuzzSegment: whatever a segment has, compressed or not, the records behind it can be read.
func FuzzSegment(f *testing.F) {
	f.Add([]byte("1\n2\n3\n"), uint8(3), false)
	f.Add([]byte("1\n2"), uint8(2), true)
	f.Add([]byte("no gzip"), uint8(1), true)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte("1\n{\n3\n4"))
	_ = w.Close()
	f.Add(zipped.Bytes(), uint8(3), true)
	f.Add(zipped.Bytes()[:zipped.Len()-6], uint8(3), true)
	f.Fuzz(func(t *testing.T, content []byte, records uint8, compressed bool) {
		if records == 0 {
			return
		}
		path := filepath.Join(t.TempDir(), "a.jsonl")
		segment := segmentName(path, 1, uint64(records))
		if compressed {
			segment += gzSuffix
		}
		if err := os.WriteFile(segment, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j := openTest(t, path, Options{Durability: store.Volatile, MaxSize: 1 << 16})
		if seq, err := j.Append(t.Context(), []byte("7")); seq != uint64(records)+1 || err != nil {
			t.Fatal(seq, err)
		}
		next := uint64(1)
		for r, err := range j.Records(t.Context(), 1) {
			first, last := r.Seq, r.Seq
			var bad *CorruptError
			if errors.As(err, &bad) {
				first, last = bad.First, bad.Last
			} else if err != nil {
				t.Fatal(err)
			}
			if first != next || last < first {
				t.Fatalf("%d to %d, want from %d on", first, last, next)
			}
			next = last + 1
		}
		if next != uint64(records)+2 {
			t.Errorf("the last record was %d", next-1)
		}
		if _, err := j.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
