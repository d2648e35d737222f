package store

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// TestSnapshotsWhereChangesShow: nothing is kept on a file system of which it is not known
// that each change of a file shows.
func TestSnapshotsWhereChangesShow(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	files := aged()
	files.kind = "vfat"
	doc := openObserved(t, files, path, Options{})
	for _, want := range []string{"1", "2", "3"} {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		if data, _, err := doc.Read(ctx); err != nil || string(data) != want {
			t.Errorf("read %s, %v, want %s", data, err, want)
		}
	}
}

// stale is the real file system, where a file looks as it did when it was first looked at.
type stale struct {
	fsys.FS
	first fsys.Info
}

func (s *stale) Lstat(name string) (fsys.Info, error) {
	info, err := s.FS.Lstat(name)
	if filepath.Base(name) != "doc.json" || err != nil {
		return info, err
	}
	if s.first.Ino == 0 {
		s.first = info
	}
	return s.first, nil
}

func (s *stale) Now() int64 { return s.FS.Now() + int64(time.Minute) }

// TestConflictDropsSnapshot: what a handle keeps is not believed any longer when it was
// found to be out of date, however it looks.
func TestConflictDropsSnapshot(t *testing.T) {
	needsChangeTimes(t)
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	db, err := openFiles(&stale{FS: fsys.New()}, path, filepath.Dir(path), &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path}
	for range 2 {
		if _, _, err := doc.Read(ctx); err != nil {
			t.Fatal(err)
		}
	}
	write("2")
	data, version, err := doc.Read(ctx)
	if err != nil || string(data) != "1" {
		t.Fatalf("read %s, %v: this test does not see what it should", data, err)
	}
	if _, err := doc.CompareAndSwap(ctx, version, []byte("3")); !errors.Is(err, ErrConflict) {
		t.Errorf("%v, want a conflict", err)
	}
	if data, _, err := doc.Read(ctx); err != nil || string(data) != "2" {
		t.Errorf("read %s, %v, want 2", data, err)
	}
}

// TestWrittenWithinATick: with versions by time, what a program writes into the file in the
// very tick in which it was read is not lost.
func TestWrittenWithinATick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("10"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc := open(t, path, Options{Versions: VersionMtime})
	runs := 0
	_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
		if runs++; runs == 1 {
			info, err := os.Stat(path)
			if err == nil {
				err = os.WriteFile(path, []byte("20"), 0o600)
			}
			if err == nil { // the clock has not gone on
				err = os.Chtimes(path, info.ModTime(), info.ModTime())
			}
			if err != nil {
				return nil, err
			}
		}
		return increment(old)
	})
	if got := content(t, doc); err != nil || got != "21" {
		t.Errorf("the document is %s, %v, want 21", got, err)
	}
}

// TestAutomaticVersions: they are by time only where the clock was seen to go on between any
// two writes.
func TestAutomaticVersions(t *testing.T) {
	for _, tick := range []time.Duration{4 * time.Millisecond, time.Hour} {
		path := filepath.Join(t.TempDir(), "doc.json")
		if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := openFiles(coarseWrites{fsys.New(), int64(tick)}, path, filepath.Dir(path),
			&Options{Versions: VersionAuto})
		if err != nil {
			t.Fatal(err)
		}
		doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path}
		version, err := doc.Update(context.Background(), increment)
		if err != nil || version.Kind() != 'h' {
			t.Errorf("in ticks of %v: %v, %v", tick, version, err)
		}
		wantFiles(t, doc, "doc.json", ".doc.json.lock")
		db.Close()
	}
}

// coarseWrites is the real file system, where a write sets the time of a clock that goes on in
// ticks, but any time can be set.
type coarseWrites struct {
	fsys.FS
	tick int64
}

func (c coarseWrites) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	file, err := c.FS.Open(name, how, perm)
	if err != nil {
		return nil, err
	}
	return &coarseFile{File: file, tick: c.tick}, nil
}

type coarseFile struct {
	fsys.File
	tick    int64
	stamped bool
}

func (f *coarseFile) SetMtime(ns int64) error {
	f.stamped = true
	return f.File.SetMtime(ns)
}

func (f *coarseFile) Stat() (fsys.Info, error) {
	info, err := f.File.Stat()
	if !f.stamped {
		const odd = 123_457 // a tick is no round number
		info.Mtime -= (info.Mtime - odd) % f.tick
	}
	return info, err
}

// TestLatestTime: a document from the end of time is said to be that.
func TestLatestTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	last := time.Unix(0, math.MaxInt64)
	if err := os.Chtimes(path, last, last); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.ModTime().UnixNano() != math.MaxInt64 {
		t.Skipf("the file system does not keep such times: %v, %v", info.ModTime(), err)
	}
	doc := open(t, path, Options{Versions: VersionMtime})
	_, err := doc.Update(context.Background(), increment)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "touch") {
		t.Errorf("%v, want what to do", err)
	}
	if _, err := open(t, path, Options{}).Update(context.Background(), increment); err != nil {
		t.Errorf("by hash: %v", err)
	}
	if got := content(t, doc); got != "2" {
		t.Errorf("the document is %s", got)
	}
}

// TestProbeIsSwept: what a process leaves that dies as it tries a directory's times out goes
// with the next one that does so.
func TestProbeIsSwept(t *testing.T) {
	dir := t.TempDir()
	left := names.Place(filepath.Join(dir, "any.json"), 3)
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(dir, &Options{Versions: VersionAuto})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
