package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.jsonl")
	j := openTest(t, path, Options{MaxBytes: 4, Plain: true})
	if _, err := j.Check(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := j.Last(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	mustAppend(t, j, "1", "2", "3", "4", "5", "6", "7")
	report, err := j.Check(t.Context())
	if err != nil || len(report.Corrupt) > 0 || report.TornBytes > 0 || len(report.Segments) != 4 {
		t.Fatalf("%+v, %v", report, err)
	}
	live := report.Segments[3]
	if !live.Live || live.First != 7 || live.Last != 7 || live.Records() != 1 || live.Bytes != 2 {
		t.Errorf("%+v", live)
	}
	if last, err := j.Last(t.Context()); last != 7 || err != nil {
		t.Error(last, err)
	}
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(report.Segments[0].Path, "1\n2\n3\n")
	write(report.Segments[1].Path, "{\n4\n")
	write(path, "7\n\"to")
	write(j.tornName(5, 0), "x")
	if err := os.Remove(report.Segments[2].Path); err != nil {
		t.Fatal(err)
	}
	before := entries(t, dir)
	report, err = j.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]uint64
	for _, bad := range report.Corrupt {
		got = append(got, [2]uint64{bad.First, bad.Last})
	}
	// With the newest segment, numbers are lost: nothing shows that there were 5 and 6.
	if !slices.Equal(got, [][2]uint64{{3, 3}, {3, 3}}) || report.TornBytes != 3 ||
		!slices.Equal(report.Torn, []string{j.tornName(5, 0)}) {
		t.Errorf("%+v", report)
	}
	if after := entries(t, dir); !slices.Equal(before, after) {
		t.Errorf("check has changed %q to %q", before, after)
	}
	if last, err := j.Last(t.Context()); last != 5 || err != nil {
		t.Error(last, err)
	}
}
