// A snapshot that is open: its documents by key, and as a file system.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// A Snapshot is the documents of a directory as they were at one moment. It is an fs.FS with
// the files that the directory had, and their times: the document users/ada is
// users/ada.json. Its methods may be called concurrently. They compare each document with its
// checksum: one that was changed in the snapshot's file is ErrInvalid.
type Snapshot struct {
	db      *DB
	info    SnapshotInfo
	file    fsys.File
	entries []archived               // in the order of their keys
	dirs    map[string][]fs.DirEntry // by path, each in the order of its names
}

var (
	_ fs.ReadFileFS = (*Snapshot)(nil)
	_ fs.ReadDirFS  = (*Snapshot)(nil)
	_ fs.StatFS     = (*Snapshot)(nil)
)

// OpenSnapshot opens a snapshot, and reads its index, but not its documents. If there is none
// with that name, the error is ErrNotExist; if its file is torn or was changed, ErrInvalid.
func (db *DB) OpenSnapshot(name string) (*Snapshot, error) {
	files, err := db.onSnapshot(name)
	if err == nil && name == "" {
		err = fmt.Errorf("%w: the name of the snapshot is empty", ErrKey)
	}
	s := &Snapshot{db: db}
	var info fsys.Info
	var tail archiveTail
	if err == nil {
		s.file, info, tail, err = files.openArchive(name)
	}
	if err == nil {
		s.entries, err = readIndex(s.file, tail)
		if err == nil {
			err = s.index()
		}
		if err != nil {
			s.file.Close()
		}
	}
	if err != nil {
		return nil, &Error{"open snapshot", db.snapshotName(name), err}
	}
	s.info = SnapshotInfo{Name: name, Path: filepath.Join(db.where, names.Snapshot(name)),
		Created: tail.Created, Documents: tail.Documents, Bytes: tail.Bytes, Size: info.Size}
	return s, nil
}

// index finds out which directories there are, and what is in them.
func (s *Snapshot) index() error {
	s.dirs = map[string][]fs.DirEntry{".": {}}
	files := map[string]bool{}
	for _, e := range s.entries {
		name := e.Key + keySuffix
		files[name] = true
		dir := path.Dir(name)
		s.dirs[dir] = append(s.dirs[dir], fs.FileInfoToDirEntry(archivedInfo{e}))
		for dir != "." { // the directory itself, in that around it
			parent := path.Dir(dir)
			if len(s.dirs[dir]) > 1 {
				break // it is there
			}
			s.dirs[parent] = append(s.dirs[parent], fs.FileInfoToDirEntry(directoryInfo(dir)))
			dir = parent
		}
	}
	for dir, entries := range s.dirs {
		if files[dir] {
			return errArchive("%q is a document and a directory", dir)
		}
		slices.SortFunc(entries, func(a, b fs.DirEntry) int {
			return strings.Compare(a.Name(), b.Name())
		})
	}
	return nil
}

// Info describes the snapshot.
func (s *Snapshot) Info() SnapshotInfo { return s.info }

// Close closes the snapshot's file.
func (s *Snapshot) Close() error { return s.file.Close() }

// Keys iterates over the keys of the documents in the snapshot, in byte order, each with the
// version by content that it has there.
func (s *Snapshot) Keys() iter.Seq2[string, Version] {
	return func(yield func(string, Version) bool) {
		for _, e := range s.entries {
			if !yield(e.Key, e.Version) {
				return
			}
		}
	}
}

// Read returns a document as it is in the snapshot, with its version by content. A document that
// the snapshot does not have is ErrNotExist. The content may not be valid JSON.
func (s *Snapshot) Read(key string) ([]byte, Version, error) {
	data, version, err := s.read(key)
	if err != nil {
		return nil, Absent, &Error{"read", s.info.Path, err}
	}
	return data, version, nil
}

func (s *Snapshot) read(key string) ([]byte, Version, error) {
	e, found := findArchived(s.entries, key)
	if !found {
		return nil, Absent, fmt.Errorf("the snapshot has no document %s (%w)", key, ErrNotExist)
	}
	data, err := readArchived(s.file, e)
	if err != nil {
		return nil, Absent, fmt.Errorf("the document %s: %w", key, err)
	}
	return data, e.Version, nil
}

// Verify reads the whole snapshot, and compares it with its checksums.
func (s *Snapshot) Verify(ctx context.Context) error {
	for _, e := range s.entries {
		_, _, err := s.read(e.Key)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return &Error{"verify", s.info.Path, err}
		}
	}
	return nil
}

// find returns the file or directory with a path in the snapshot.
func (s *Snapshot) find(op, name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if _, ok := s.dirs[name]; ok {
		return directoryInfo(name), nil
	}
	key, suffixed := strings.CutSuffix(name, keySuffix)
	if e, found := findArchived(s.entries, key); found && suffixed {
		return archivedInfo{e}, nil
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Stat implements fs.StatFS. The mode is 0400, whatever it was: what was read by others then
// need not be read by them now. Sys returns the Version of a document.
func (s *Snapshot) Stat(name string) (fs.FileInfo, error) { return s.find("stat", name) }

// Open implements fs.FS.
func (s *Snapshot) Open(name string) (fs.File, error) {
	info, err := s.find("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &openDirectory{info: info, name: name, left: s.dirs[name]}, nil
	}
	data, err := s.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &openDocument{Reader: bytes.NewReader(data), info: info}, nil
}

// ReadFile implements fs.ReadFileFS.
func (s *Snapshot) ReadFile(name string) ([]byte, error) {
	info, err := s.find("read", name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: errIsDirectory}
	}
	data, err := readArchived(s.file, info.(archivedInfo).e)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// ReadDir implements fs.ReadDirFS.
func (s *Snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := s.find("readdir", name)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	return slices.Clone(s.dirs[name]), nil
}

var errIsDirectory = errors.New("is a directory")

// archivedInfo describes a document in a snapshot.
type archivedInfo struct{ e archived }

func (i archivedInfo) Name() string       { return path.Base(i.e.Key) + keySuffix }
func (i archivedInfo) Mode() fs.FileMode  { return 0o400 }
func (i archivedInfo) ModTime() time.Time { return i.e.Modified }
func (i archivedInfo) IsDir() bool        { return false }
func (i archivedInfo) Sys() any           { return i.e.Version }
func (i archivedInfo) Size() int64 {
	size, _ := sizeOf(i.e.Version)
	return size
}

// directoryInfo describes the directory with a path in a snapshot.
type directoryInfo string

func (i directoryInfo) Name() string       { return path.Base(string(i)) }
func (i directoryInfo) Size() int64        { return 0 }
func (i directoryInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o500 }
func (i directoryInfo) ModTime() time.Time { return time.Time{} }
func (i directoryInfo) IsDir() bool        { return true }
func (i directoryInfo) Sys() any           { return nil }

// openDocument is a document of a snapshot that is open as a file.
type openDocument struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *openDocument) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openDocument) Close() error               { return nil }

// openDirectory is a directory of a snapshot that is open as a file.
type openDirectory struct {
	info fs.FileInfo
	name string
	left []fs.DirEntry // not read so far
}

func (d *openDirectory) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDirectory) Close() error               { return nil }

func (d *openDirectory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errIsDirectory}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDirectory) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.left) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.left) {
		n = len(d.left)
	}
	entries := slices.Clone(d.left[:n])
	d.left = d.left[n:]
	return entries, nil
}
