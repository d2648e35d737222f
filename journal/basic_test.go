package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

// openTest opens a journal that is closed with the test.
func openTest(t *testing.T, path string, opts Options) *Journal {
	t.Helper()
	if opts.OnRepair == nil {
		opts.OnRepair = func(r Repair) { t.Logf("repaired: %+v", r) }
	}
	opts.OnTidy = func(err error) { t.Error(err) }
	j, err := Open(path, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func mustAppend(t *testing.T, j *Journal, values ...string) {
	t.Helper()
	for _, value := range values {
		if _, err := j.Append(t.Context(), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
}

// texts are the records from a number on, as "number value", and errors as "error".
func texts(t *testing.T, j *Journal, from uint64) (all []string) {
	t.Helper()
	for r, err := range j.Records(t.Context(), from) {
		var bad *CorruptError
		switch {
		case errors.As(err, &bad):
			all = append(all, fmt.Sprintf("corrupt %d-%d", bad.First, bad.Last))
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, fmt.Sprintf("%d %s", r.Seq, r.Value))
		}
	}
	return all
}

func wantTexts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
}

// entries are the names in a directory, without the lock file.
func entries(t *testing.T, dir string) (all []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range found {
		if !strings.HasSuffix(entry.Name(), ".lock") {
			all = append(all, entry.Name())
		}
	}
	return all
}

func TestAppendAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	j := openTest(t, path, Options{})
	wantTexts(t, texts(t, j, 0))
	for i, value := range []string{`1`, ` {"a": 1.10} `, "[1,\n 2,\r\n \"x  y\"]", `"end"`} {
		seq, err := j.Append(t.Context(), []byte(value))
		if err != nil || seq != uint64(i)+1 {
			t.Fatalf("%d, %v", seq, err)
		}
	}
	first, n, err := j.AppendAll(t.Context(), []byte(`5`), []byte(`6`))
	if first != 5 || n != 2 || err != nil {
		t.Fatal(first, n, err)
	}
	const want = "1\n{\"a\": 1.10}\n[1,2,\"x  y\"]\n\"end\"\n5\n6\n"
	if data, err := os.ReadFile(path); err != nil || string(data) != want {
		t.Errorf("%q, %v", data, err)
	}
	wantTexts(t, texts(t, j, 3), `3 [1,2,"x  y"]`, `4 "end"`, "5 5", "6 6")
	wantTexts(t, texts(t, j, 7))
	wantTexts(t, entries(t, filepath.Dir(path)), "a.jsonl")
}

func TestBadValues(t *testing.T) {
	j := openTest(t, filepath.Join(t.TempDir(), "a.jsonl"), Options{MaxSize: 10})
	for value, want := range map[string]error{
		``: store.ErrInvalid, `{`: store.ErrInvalid, `1 2`: store.ErrInvalid,
		"\"\xff\"": store.ErrInvalid, "\"\x00\"": store.ErrInvalid, `"0123456789"`: store.ErrTooLarge,
	} {
		_, n, err := j.AppendAll(t.Context(), []byte(`1`), []byte(value))
		var where *store.Error
		if !errors.Is(err, want) || n != 0 || !errors.As(err, &where) {
			t.Errorf("%q: %d, %v", value, n, err)
		}
	}
	wantTexts(t, texts(t, j, 0))
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.jsonl")
	if err := os.WriteFile(path, []byte("\"0\"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	j := openTest(t, path, Options{MaxBytes: 12, Plain: true})
	mustAppend(t, j, `"1"`, `"2"`, `"3"`, `"a long record"`, `"5"`)
	wantTexts(t, entries(t, dir), "a.jsonl",
		"a.jsonl.00000000000000000001-00000000000000000003",
		"a.jsonl.00000000000000000004-00000000000000000004",
		"a.jsonl.00000000000000000005-00000000000000000005")
	want := []string{`1 "0"`, `2 "1"`, `3 "2"`, `4 "3"`, `5 "a long record"`, `6 "5"`}
	wantTexts(t, texts(t, j, 0), want...)
	wantTexts(t, texts(t, j, 4), want[3:]...)
	wantTexts(t, texts(t, j, 6), want[5:]...)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v: %v", info.Mode(), err)
	}

	// On demand, compressed, and by another handle.
	other := openTest(t, path, Options{})
	made, err := other.Rotate(t.Context())
	if err != nil || made.First != 6 || made.Last != 6 {
		t.Fatalf("%+v, %v", made, err)
	}
	if made, err = other.Rotate(t.Context()); err != nil || made.First != 0 {
		t.Errorf("an empty live file: %+v, %v", made, err)
	}
	wantTexts(t, texts(t, j, 0), want...)
	mustAppend(t, j, `"6"`)
	wantTexts(t, texts(t, other, 0), append(want, `7 "6"`)...)
	for _, name := range entries(t, dir)[1:] {
		if !strings.HasSuffix(name, ".gz") {
			t.Errorf("%s is not compressed", name)
		}
	}
}

func TestRotationByAge(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.jsonl")
	opts := Options{MaxAge: time.Hour, Plain: true}
	j := openTest(t, path, opts)
	mustAppend(t, j, `1`, `2`)
	other := openTest(t, path, opts) // did not see when it was made
	mustAppend(t, other, `3`)
	if len(entries(t, dir)) != 1 {
		t.Error("rotated too soon")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(j.lockPath(), old, old); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, other, `4`, `5`)
	wantTexts(t, texts(t, j, 0), "1 1", "2 2", "3 3", "4 4", "5 5")
	if s, err := j.list(); err != nil || len(s) != 1 || s[0].Last != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRetention(t *testing.T) {
	for name, test := range map[string]struct {
		keep Retention
		old  int // how many segments are made old
		want uint64
	}{
		"segments":     {Retention{Segments: 2}, 0, 4},
		"bytes":        {Retention{Bytes: 3 * 2}, 0, 3},
		"age":          {Retention{Age: time.Hour}, 4, 5},
		"all but one":  {Retention{Bytes: 1}, 0, 5},
		"all but one ": {Retention{Age: time.Hour}, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.jsonl")
			j := openTest(t, path, Options{Plain: true, Retention: test.keep})
			every := openTest(t, path, Options{Plain: true, MaxBytes: 2})
			mustAppend(t, every, "1", "2", "3", "4", "5", "6")
			segments, err := j.list()
			if err != nil || len(segments) != 5 {
				t.Fatal(segments, err)
			}
			old := time.Now().Add(-time.Hour)
			for _, s := range segments[:test.old] {
				if err := os.Chtimes(s.Path, old, old); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := texts(t, j, 0)
			if len(got) == 0 || got[0] != fmt.Sprintf("%d %d", test.want, test.want) {
				t.Errorf("%q, want from %d on", got, test.want)
			}
			for _, err := range j.Records(t.Context(), 1) {
				var bad *CorruptError
				if !errors.As(err, &bad) || !errors.Is(err, ErrRemoved) || bad.First != 1 ||
					bad.Last != test.want-1 {
					t.Error(err)
				}
				break
			}
		})
	}
}

func TestTornTail(t *testing.T) {
	for name, test := range map[string]struct {
		content, kept string
		torn          string
	}{
		"a half line":        {"1\n2\n{\"a", "1\n2\n", `{"a`},
		"zeros":              {"1\n2\n\x00\x00\x00", "1\n2\n", "\x00\x00\x00"},
		"zeros, and a line":  {"1\n2\n\x00\x00\n4\n", "1\n2\n", "\x00\x00\n4\n"},
		"nothing else":       {"tr", "", "tr"},
		"zeros after a line": {"1\n\"a\x00\"\n3\n", "1\n", "\"a\x00\"\n3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a.jsonl")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			var repaired []Repair
			j := openTest(
				t,
				path,
				Options{OnRepair: func(r Repair) { repaired = append(repaired, r) }},
			)
			// A repair that died before it cut the tail off has left a copy.
			seq := uint64(strings.Count(test.kept, "\n")) + 1
			if err := os.WriteFile(j.tornName(seq, 0), []byte("another"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(j.tornName(seq, 1), []byte(test.torn), 0o600); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, j, `"new"`)
			if data, err := os.ReadFile(path); err != nil || string(data) != test.kept+"\"new\"\n" {
				t.Errorf("%q, %v", data, err)
			}
			if len(repaired) != 1 || repaired[0].Path != j.tornName(seq, 1) ||
				repaired[0].Bytes != int64(len(test.torn)) || repaired[0].Seq != seq {
				t.Errorf("%+v", repaired)
			}
			if found := entries(t, dir); len(found) != 3 {
				t.Errorf("%q", found)
			}
		})
	}
}

// A reader of a live file takes no unfinished line, and nothing of one that is replaced.
func TestReaderAndTornTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(path, []byte("1\n12"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := openTest(t, path, Options{})
	c := j.cursor(1)
	defer c.close()
	if r, err := c.read(); err != nil || string(r.Value) != "1" {
		t.Fatal(r, err)
	}
	if r, err := c.read(); err == nil {
		t.Fatalf("half a line: %s", r.Value)
	}
	mustAppend(t, j, "99345")
	if r, err := c.read(); err != nil || string(r.Value) != "99345" || r.Seq != 2 {
		t.Errorf("%d %s, %v", r.Seq, r.Value, err)
	}
}

func TestCorrupt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.jsonl")
	every := openTest(t, path, Options{Plain: true, MaxBytes: 4})
	mustAppend(t, every, "1", "2", "3", "4", "5", "6", "7", "8", "9")
	segments, err := every.list()
	if err != nil || len(segments) != 4 {
		t.Fatal(segments, err)
	}
	write := func(i int, suffix, content string) {
		t.Helper()
		if err := os.WriteFile(segments[i].Path+suffix, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0, "", "1\n")          // too short
	write(1, "", "3\nx\n")       // no JSON
	write(2, "", "5\n6\n7\n8\n") // too long
	if err := os.Remove(segments[3].Path); err != nil {
		t.Fatal(err)
	}
	write(3, ".gz", "7\n8\n")
	wantTexts(t, texts(t, every, 0), "1 1", "corrupt 2-2", "3 3", "corrupt 4-4", "5 5", "6 6",
		"corrupt 7-8", "9 9")
	if err := os.Remove(segments[1].Path); err != nil {
		t.Fatal(err)
	}
	wantTexts(t, texts(t, every, 2), "corrupt 2-2", "corrupt 3-4", "5 5", "6 6", "corrupt 7-8",
		"9 9")
}

// Half a compressed segment: the records before the damage can be read.
func TestCorruptCompressed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	j := openTest(t, path, Options{})
	for i := range 20_000 {
		if i%100 == 0 {
			var all [][]byte
			for k := range 100 {
				all = append(all, fmt.Appendf(nil, `{"n": %d, "x": %d}`, i+k+1, i*7919*(k+1)))
			}
			if _, _, err := j.AppendAll(t.Context(), all...); err != nil {
				t.Fatal(err)
			}
		}
	}
	made, err := j.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, `"live"`)
	data, err := os.ReadFile(made.Path)
	if err == nil {
		err = os.WriteFile(made.Path, data[:len(data)/2], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	var bad *CorruptError
	for r, err := range j.Records(t.Context(), 1) {
		switch {
		case errors.As(err, &bad):
		case err != nil:
			t.Fatal(err)
		case bad == nil:
			n++
			var value struct{ N uint64 }
			if err := json.Unmarshal(r.Value, &value); err != nil || value.N != n || r.Seq != n {
				t.Fatal(r.Seq, value, err)
			}
		case r.Seq != 20_001:
			t.Errorf("record %d", r.Seq)
		}
	}
	if bad == nil || n == 0 || bad.First != n+1 || bad.Last != 20_000 || bad.Path != made.Path {
		t.Errorf("%d, %v", n, bad)
	}
}

func TestLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	large := openTest(t, path, Options{})
	long := `"` + strings.Repeat("x", 300_000) + `"`
	mustAppend(t, large, `1`, long, `3`, `"`+strings.Repeat("y", 100_000)+`"`, `5`)
	small := openTest(t, path, Options{MaxSize: 1000})
	want := []string{"1 1", "corrupt 2-2", "3 3", "corrupt 4-4", "5 5"}
	wantTexts(t, texts(t, small, 0), want...)
	if _, err := large.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantTexts(t, texts(t, small, 0), want...)
	if got := texts(t, large, 0); len(got) != 5 || got[1] != "2 "+long {
		t.Error("the long lines differ")
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	j := openTest(t, path, Options{MaxBytes: 20})
	const records = 300
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		other, err := Open(path, &Options{MaxBytes: 20})
		if err != nil {
			t.Error(err)
			return
		}
		defer other.Close()
		for i := range records {
			if _, err := other.Append(t.Context(), fmt.Append(nil, i+1)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := uint64(0)
	for r, err := range j.Follow(ctx, 1) {
		if errors.Is(err, context.Canceled) && n == records {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
		if r.Seq != n || string(r.Value) != fmt.Sprint(n) {
			t.Fatalf("%d %s after %d", r.Seq, r.Value, n-1)
		}
		if n == records {
			cancel()
		}
	}
	if n != records {
		t.Errorf("%d records", n)
	}
}

// Writes of programs that know nothing of the lock count as lines.
func TestForeignLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	j := openTest(t, path, Options{})
	mustAppend(t, j, "1")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("2\n\nno JSON\n"); err != nil {
		t.Fatal(err)
	}
	if seq, err := j.Append(t.Context(), []byte("5")); seq != 5 || err != nil {
		t.Error(seq, err)
	}
	wantTexts(t, texts(t, j, 0), "1 1", "2 2", "corrupt 3-3", "corrupt 4-4", "5 5")

	// Between our look and our write.
	data := []byte("9\n10\n")
	if _, err := file.WriteString("6\n7\n8\n"); err != nil {
		t.Fatal(err)
	}
	r := &request{data: data, ends: []int{2, 5}, done: make(chan struct{})}
	j.write([]*request{r})
	if r.first != 9 || r.n != 2 || r.err != nil || j.live.next() != 11 {
		t.Errorf("%+v, then %d", r, j.live.next())
	}
	if seq, err := j.Append(t.Context(), []byte("11")); seq != 11 || err != nil {
		t.Error(seq, err)
	}
}

func TestSegmentNames(t *testing.T) {
	name := segmentName("a.jsonl", 3, 1<<63)
	for _, suffix := range []string{"", gzSuffix} {
		s, ok := parseSegment("a.jsonl", name+suffix)
		if !ok || s.First != 3 || s.Last != 1<<63 || s.Compressed != (suffix != "") {
			t.Errorf("%+v", s)
		}
	}
	for _, bad := range []string{"a.jsonl", "b" + name[1:], name[:len(name)-1], name + ".gz.gz",
		name + ".tmp", segmentName("a.jsonl", 0, 1), segmentName("a.jsonl", 2, 1),
		strings.Replace(name, "-", "+", 1)} {
		if s, ok := parseSegment("a.jsonl", bad); ok {
			t.Errorf("%s: %+v", bad, s)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir, Options{})
	mustAppend(t, j, "1")
	wantTexts(t, entries(t, dir), DirName)
	if err := os.Symlink(DirName, filepath.Join(dir, "link.jsonl")); err == nil {
		mustAppend(t, openTest(t, filepath.Join(dir, "link.jsonl"), Options{}), "2")
		wantTexts(t, texts(t, j, 0), "1 1", "2 2")
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "none", "a.jsonl"):              os.ErrNotExist,
		filepath.Join(dir, ".a.jsonl.lock"):                store.ErrKey,
		filepath.Join(dir, strings.Repeat("x", MaxName+1)): store.ErrKey,
	} {
		if _, err := Open(path, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	sub := openTest(t, filepath.Join(dir, "dir.jsonl"), Options{})
	if want := filepath.Join(dir, "dir.jsonl", DirName); !strings.HasSuffix(sub.Path(), want[1:]) {
		t.Error(sub.Path())
	}
	if _, err := Open(dir, &Options{MaxAge: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
	if _, err := sub.Append(t.Context(), []byte("1")); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
	if err := sub.Close(); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}

// faraway is a file system of another machine.
type faraway struct{ fsys.FS }

func (faraway) Network(string) (string, error) { return "nfs", nil }

func TestNetworkIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	if _, err := openFiles(faraway{fsys.New()}, path, nil); !errors.Is(err, store.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := openFiles(faraway{fsys.New()}, path, &Options{AllowNetwork: true}); err != nil {
		t.Error(err)
	}
}

// Lines of 100 bytes and more, so that a batch has more bytes than one page.
func padded(value any) []byte {
	return fmt.Appendf(nil, `{"value": %v, "pad": "%s"}`, value, bytes.Repeat([]byte("x"), 80))
}
