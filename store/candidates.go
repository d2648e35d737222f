// The files beside a document that may have a good version of it.

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// CandidateKind says what file a candidate for recovery is.
type CandidateKind string

const (
	// CandidateKept is the version that a write with Options.KeepLast has kept.
	CandidateKept CandidateKind = "kept"
	// CandidateHistory is a version that was kept since the history is on (Doc.SetHistory).
	// Of several, the newest that can be used is taken.
	CandidateHistory CandidateKind = "history"
	// CandidateStaged is a version that a writer staged, and died before it published it.
	// Nobody was told that it is the document's.
	CandidateStaged CandidateKind = "staged"
	// CandidateGuarded is a version that a guard has displaced, or was about to publish,
	// before its process died.
	CandidateGuarded CandidateKind = "guarded"
	// CandidateFile is a file that the caller has named.
	CandidateFile CandidateKind = "file"
)

// A Candidate is a file beside a document from which that may be recovered.
type Candidate struct {
	Kind    CandidateKind
	Path    string // absolute
	Size    int64  // bytes
	ModTime time.Time
	Version Version // by content
	// Problem says why it cannot be used; nil if it can.
	Problem error

	data   []byte
	rights rights
}

// candidates returns the files beside the document at path that may have a good version,
// the newest first. Current is the document as it was read. It reads the directory; if this
// user may not, it looks for the known names only.
func (d *fileDriver) candidates(ctx context.Context, path string, current *loaded) (
	all []Candidate, err error,
) {
	dir, base := filepath.Dir(path), filepath.Base(path)
	var history []string
	known := []string{filepath.Base(names.Kept(path))}
	entries, err := d.files.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		for place := range names.Places {
			known = append(known, filepath.Base(names.Place(path, place)))
		}
	case err != nil:
		return nil, err
	}
	for _, entry := range entries {
		if _, temporary := names.TemporaryOf(base, entry.Name); temporary {
			known = append(known, entry.Name)
		}
		if _, ok := names.HistoryOf(base, entry.Name); ok {
			history = append(history, entry.Name)
		}
	}
	slices.Sort(history) // the digits of the key come first
	slices.Reverse(history)
	found := false // of the history one will do
	for _, name := range append(known, history...) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		_, isEntry := names.HistoryOf(base, name)
		if isEntry && found {
			break
		}
		c, err := d.candidate(filepath.Join(dir, name), path, current)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errLives) {
			continue
		}
		if err != nil {
			c.Problem = err
		}
		found = found || isEntry && err == nil
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b Candidate) int {
		return -cmp.Compare(a.rights.info.Mtime, b.rights.info.Mtime)
	})
	return all, nil
}

// errLives: a candidate is not one, for its writer has not died.
var errLives = errors.New("a writer that is alive is about to publish it")

// candidate looks at the file name beside the document at path. The error says why it
// cannot be used.
func (d *fileDriver) candidate(name, path string, current *loaded) (c Candidate, err error) {
	c = Candidate{Kind: kindOf(filepath.Base(name), filepath.Base(path)), Path: name}
	file, err := d.files.Open(name, fsys.OpenExisting, 0)
	if err != nil {
		return c, err
	}
	defer file.Close()
	if c.rights.info, err = file.Stat(); err != nil {
		return c, err
	}
	info := c.rights.info
	c.Size, c.ModTime = info.Size, time.Unix(0, info.Mtime)
	if err := checkRegular(info); err != nil {
		return c, err
	}
	if c.Kind == CandidateStaged {
		if free, err := file.TryLock(); err != nil || !free {
			return c, cmp.Or(err, errLives)
		}
	}
	if _, own := names.Own(filepath.Base(name)); own {
		if ok, err := d.believes(path, info, 0); err != nil || !ok {
			return c, cmp.Or(err, errPlanted)
		}
	}
	if !current.version.IsAbsent() && info.SameFile(current.info) {
		return c, errors.New("is the document itself, by another name")
	}
	if c.data, err = d.readAll(file, info.Size); err != nil {
		return c, err
	}
	c.Version = hashVersion(c.data)
	if e, ok := names.HistoryOf(filepath.Base(path), filepath.Base(name)); ok &&
		e.Hash != digitsOf(c.Version) {
		return c, errRewritten
	}
	if c.rights.attributes, err = file.Attributes(); err != nil {
		return c, err
	}
	if err := splice.Check(c.data, d.opts.limits()); err != nil {
		return c, fmt.Errorf("%w JSON: %w", ErrInvalid, err)
	}
	if unfinished := c.Kind == CandidateStaged || c.Kind == CandidateGuarded; unfinished &&
		endsInNumber(c.data) {
		return c, errors.New("ends in a number, which may be cut off")
	}
	return c, nil
}

// errRewritten is the problem of a kept version whose file has another content by now.
var errRewritten = fmt.Errorf("%w: another program has written into it since it was kept",
	ErrInvalid)

// errPlanted is the problem of a candidate that is not believed.
var errPlanted = fmt.Errorf("%w, since another user may have made it", errNotBelieved)

// endsInNumber reports whether a document is a number to its last byte: it would be valid
// too if more digits were lost.
func endsInNumber(data []byte) bool {
	last := data[len(data)-1]
	return last >= '0' && last <= '9'
}

// kindOf returns the kind of the file with a name beside the document base.
func kindOf(name, base string) CandidateKind {
	digits, temporary := names.TemporaryOf(base, name)
	_, isEntry := names.HistoryOf(base, name)
	switch {
	case name == names.Kept(base):
		return CandidateKept
	case isEntry:
		return CandidateHistory
	case !temporary:
		return CandidateFile
	case len(digits) == names.GuardedDigits:
		return CandidateGuarded
	}
	return CandidateStaged
}

// believesEntry is errNotBelieved if another user may have made a kept version, or the switch,
// of the document.
func (o *orphanage) believesEntry(path, document string) error {
	found, err := o.d.files.Lstat(path)
	if err != nil {
		return ignoreNotExist(err)
	}
	if ok, err := o.d.believesEntry(document, found); err != nil || !ok {
		return cmp.Or(err, errNotBelieved)
	}
	return nil
}

// isBroken reports whether the document is there, and is empty or not valid: a power cut or
// a program has left it so. Its content may be in a file beside it, for Doc.Recover. Valid
// says that its content is known to be valid unless it is empty by now.
func (d *fileDriver) isBroken(document string, valid bool) bool {
	info, err := d.files.Lstat(document)
	switch {
	case err != nil || !info.Mode.IsRegular():
		return false
	case info.Size == 0 || valid:
		return info.Size == 0
	}
	s, err := d.load(context.Background(), document, VersionHash)
	if err != nil {
		return false
	}
	defer s.close()
	return !s.version.IsAbsent() && splice.Check(s.data, d.opts.limits()) != nil
}

// believesKept is errNotBelieved if another user may have made the kept version beside the
// document. It is never removed.
func (o *orphanage) believesKept(document string) error {
	found, err := o.d.files.Lstat(names.Kept(document))
	if err != nil {
		return ignoreNotExist(err)
	}
	if ok, err := o.d.believes(document, found, 0); err != nil || !ok {
		return cmp.Or(err, errNotBelieved)
	}
	return nil
}
